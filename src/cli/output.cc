// output.cc - answers for people in aligned columns, for programs as JSON.
#include "cli/output.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "cli/keys.h"
#include "formats/text.h"

namespace skerry::cli {

bool& json_wanted() noexcept {
  static bool wanted = false;
  return wanted;
}

void print_json(const Json& object) {
  fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void add_bytes(Json& object, std::string_view name, std::string_view bytes) {
  std::string text;
  if (formats::append_json_string(text, bytes)) {
    object[std::string(name)] = std::string(bytes);
    return;
  }
  formats::append_base64(text, bytes);
  object[std::string(name) + "_base64"] = text;
}

void add_key(Json& object, bool names, const std::string& key) {
  if (names) {
    add_bytes(object, "key", key);
  } else {
    object["key"] = *parse_key(key);
  }
}

double shortest(float value) {
  std::string text;
  formats::append_float(text, value);
  double wide = value;
  std::from_chars(text.data(), text.data() + text.size(), wide);
  return wide;
}

void Table::print() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  // A column is one of numbers when its first cell below the header is a number.
  std::vector<bool> right(widths.size(), false);
  if (rows_.size() > 1) {
    for (std::size_t i = 0; i < rows_[1].size(); ++i) {
      right[i] = rows_[1][i].find_first_of("0123456789+-.") == 0;
    }
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += right[i] ? fmt::format("{:>{}}", row[i], widths[i])
                       : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

void print_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::size_t width = 0;
  for (const auto& [name, value] : pairs) width = std::max(width, name.size());
  for (const auto& [name, value] : pairs) fmt::print("{:<{}}  {}\n", name, width, value);
}

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace skerry::cli

// payload_colours.cc - which colour has a vector, by a field of its payload?
#include "cli/payload_colours.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "page/plot.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kWords = 7;             // that have colours of their own
constexpr std::size_t kFieldsMax = 12;        // whose names are kept
constexpr std::size_t kWordBytesMax = 60;     // of a value that is told
constexpr std::size_t kPayloadMax = 1 << 20;  // larger ones are not looked into
constexpr const char* kNoColour = "#b8c0c7";

// At most so many bytes, cut between characters.
std::string cut(std::string text) {
  if (text.size() <= kWordBytesMax) return text;
  std::size_t end = kWordBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

// Lists and objects are not looked into: they may be as deep as whoever wrote them likes.
std::string word_of(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  return cut(value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

void PayloadColours::add(std::string_view payload) {
  std::string word;
  std::optional<double> number;
  bool present = false;
  if (!payload.empty() && payload.size() <= kPayloadMax) {
    const Json object = Json::parse(payload, nullptr, false);
    if (object.is_object()) {
      note_fields(object);
      if (const auto value = object.find(field_); value != object.end() && !value->is_null()) {
        present = true;
        if (value->is_number()) number = value->get<double>();
        word = word_of(*value);
      }
    }
  }
  found_ += present ? 1 : 0;
  words_.push_back(std::move(word));
  numbers_.push_back(number);
  present_.push_back(present);
}

void PayloadColours::note_fields(const Json& object) {
  for (const auto& [name, value] : object.items()) {
    if (fields_.size() == kFieldsMax) return;
    if (std::find(fields_.begin(), fields_.end(), name) == fields_.end()) fields_.push_back(name);
  }
}

std::vector<Legend> PayloadColours::settle() {
  colours_.assign(words_.size(),
                  field_.empty() ? std::string(page::colour(0)) : std::string(kNoColour));
  if (field_.empty()) return {};
  std::set<double> different;
  std::size_t sized = 0;
  for (const auto& number : numbers_) {
    if (!number.has_value()) continue;
    ++sized;
    different.insert(*number);
  }
  std::vector<Legend> legend = sized == found_ && different.size() > kWords ? by_size() : by_word();
  if (found_ < words_.size()) {
    legend.push_back({kNoColour, fmt::format("without it ({})", words_.size() - found_)});
  }
  return legend;
}

std::vector<Legend> PayloadColours::by_size() {
  double low = 0;
  double high = 0;
  bool first = true;
  for (const auto& number : numbers_) {
    if (!number.has_value()) continue;
    low = first ? *number : std::min(low, *number);
    high = first ? *number : std::max(high, *number);
    first = false;
  }
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (numbers_[i].has_value()) colours_[i] = page::shade((*numbers_[i] - low) / (high - low));
  }
  std::vector<Legend> legend;
  constexpr int kSteps = 5;
  for (int i = 0; i < kSteps; ++i) {
    const double part = static_cast<double>(i) / (kSteps - 1);
    legend.push_back({page::shade(part), fmt::format("{:.4g}", low + (high - low) * part)});
  }
  return legend;
}

std::vector<Legend> PayloadColours::by_word() {
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (present_[i]) ++counts[words_[i]];
  }
  std::vector<std::pair<std::string, std::size_t>> order(counts.begin(), counts.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::map<std::string, std::string> colour_of;
  std::vector<Legend> legend;
  std::size_t others = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    // The last colour is for all that is left.
    const std::string colour(page::colour(std::min(i, kWords)));
    colour_of[order[i].first] = colour;
    if (i < kWords) {
      legend.push_back({colour, fmt::format("{} ({})", order[i].first, order[i].second)});
    } else {
      others += order[i].second;
    }
  }
  if (others > 0) {
    legend.push_back({std::string(page::colour(kWords)), fmt::format("others ({})", others)});
  }
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (present_[i]) colours_[i] = colour_of[words_[i]];
  }
  return legend;
}

std::string PayloadColours::text(std::size_t i) const {
  return present_[i] ? fmt::format("{}: {}", field_, words_[i]) : std::string();
}

}  // namespace skerry::cli

// text.cc - numbers and lines as the text formats write them.
#include "formats/text.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

namespace skerry::formats {
namespace {

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

bool take_float(std::string_view& text, float& value) noexcept {
  const char* begin = text.data();
  const char* limit = begin + text.size();
  if (begin != limit && *begin == '+') ++begin;  // from_chars knows no plus
  auto [end, error] = std::from_chars(begin, limit, value);
  if (error == std::errc::result_out_of_range) {
    // Too small is zero or a denormal, too large is infinite: the wider type tells which.
    double wide = 0;
    const auto [wide_end, wide_error] = std::from_chars(begin, limit, wide);
    if (wide_error == std::errc{}) {
      value =
          std::abs(wide) < 1 ? static_cast<float>(wide) : std::numeric_limits<float>::infinity();
    } else {
      const std::string_view digits(begin, wide_end - begin);
      value =
          digits.find("e-") != std::string_view::npos || digits.find("E-") != std::string_view::npos
              ? 0.0F
              : std::numeric_limits<float>::infinity();
    }
    error = std::errc{};
  }
  if (error != std::errc{}) return false;
  text.remove_prefix(end - text.data());
  return true;
}

bool parse_float(std::string_view text, float& value) noexcept {
  text = trim(text);
  return take_float(text, value) && text.empty();
}

std::string_view trim(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

void append_float(std::string& out, float value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), value);
  static_cast<void>(error);  // 32 characters hold any float
  out.append(digits, end);
}

bool append_json_string(std::string& out, std::string_view text) {
  try {
    out += nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {  // not UTF-8
    return false;
  }
  return true;
}

void append_base64(std::string& out, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= count ? kBase64[group >> (18 - 6 * j) & 63] : '=';
    }
  }
}

bool parse_base64(std::string_view text, std::string& bytes) {
  bytes.clear();
  if (text.size() % 4 != 0) return false;
  while (!text.empty() && text.back() == '=' && text.size() % 4 != 2) text.remove_suffix(1);
  std::uint32_t group = 0;
  std::size_t bits = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view(kBase64, 64).find(c);
    if (digit == std::string_view::npos) return false;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(group >> bits & 0xFF);
    }
  }
  return bits < 6;
}

}  // namespace skerry::formats

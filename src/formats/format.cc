// format.cc - which kind of vector file is this?
#include "formats/format.h"

#include <array>
#include <utility>

namespace skerry::formats {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 10> kNames{{
    {"fvecs", Format::fvecs},
    {"bvecs", Format::bvecs},
    {"ivecs", Format::ivecs},
    {"fbin", Format::fbin},
    {"u8bin", Format::u8bin},
    {"i8bin", Format::i8bin},
    {"f16bin", Format::f16bin},
    {"npy", Format::npy},
    {"jsonl", Format::jsonl},
    {"csv", Format::csv},
}};

}  // namespace

std::string_view name_of(Format format) noexcept {
  for (const auto& [name, value] : kNames) {
    if (value == format) return name;
  }
  return "unknown";
}

std::optional<Format> parse_format(std::string_view name) noexcept {
  for (const auto& [known, value] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::optional<Format> format_of_path(std::string_view path) noexcept {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return parse_format(path.substr(dot + 1));
}

bool carries_keys(Format format) noexcept {
  return format == Format::jsonl || format == Format::csv;
}

}  // namespace skerry::formats

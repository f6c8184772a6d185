// keys.cc - keys as people write them: numbers, or names when the collection has byte-string keys.
#include "cli/keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "formats/source.h"

namespace skerry::cli {

std::optional<Key> parse_key(std::string_view text) noexcept {
  Key key = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return key;
}

std::string why_no_key(std::string_view text, bool names) {
  if (!names) {
    if (parse_key(text).has_value()) return {};
    return fmt::format("key \"{}\" is not a whole number from 0 to {}", text.substr(0, 80),
                       UINT64_MAX);
  }
  if (!text.empty() && text.size() <= kMaxKeyBytes) return {};
  return fmt::format("a key of {} bytes, expected 1 to {}", text.size(), kMaxKeyBytes);
}

void KeyList::add(const std::string& text, std::string_view where) {
  if (const std::string why = why_no_key(text, names_); !why.empty()) {
    fail(kUsage, fmt::format("{}: {}", where, why));
  }
  if (names_) {
    add_name(text);
  } else {
    add_key(*parse_key(text));
  }
}

std::span<const std::string_view> KeyList::views() {
  views_.assign(texts_.begin(), texts_.end());
  return views_;
}

std::string KeyList::text(std::size_t i) const {
  return names_ ? texts_[i] : std::to_string(keys_[i]);
}

void KeyList::sort() {
  std::sort(keys_.begin(), keys_.end());
  std::sort(texts_.begin(), texts_.end());
}

KeyList read_keys(bool names, const std::vector<std::string>& arguments, const std::string& file) {
  KeyList keys(names);
  for (const std::string& text : arguments) keys.add(text, "argument");
  if (file.empty()) return keys;
  std::unique_ptr<formats::Source> source;
  check(formats::Source::open(file, stop_fd(), source));
  std::string line;
  for (std::uint64_t number = 1;; ++number) {
    bool found = false;
    check(source->line(line, found));
    if (!found) return keys;
    if (line.empty()) continue;
    if (const std::string why = why_no_key(line, names); !why.empty()) {
      fail(kData, fmt::format("{}: line {}: {}", source->name(), number, why));
    }
    keys.add(line, source->name());
  }
}

void KeyArguments::add_to(CLI::App& command) {
  command.add_option("keys", keys, "Keys");
  command.add_option("--keys", file, "A file with a key a line; - is standard input");
}

void KeyArguments::require() const {
  if (keys.empty() && file.empty()) fail(kUsage, "say which keys, or --keys FILE");
}

}  // namespace skerry::cli

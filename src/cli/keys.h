// keys.h - keys as people write them: numbers, or names when the collection has byte-string keys.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "formats/outcome.h"
#include "skerry/types.h"

namespace skerry::cli {

// The whole of `text` as an unsigned 64-bit number.
std::optional<Key> parse_key(std::string_view text) noexcept;

// Keys of one kind, ready for a call of the library.
class KeyList {
 public:
  explicit KeyList(bool names) : names_(names) {}

  // Fails (kUsage) with what is wrong with a key; `where` begins the sentence.
  void add(const std::string& text, std::string_view where);

  void add_key(Key key) { keys_.push_back(key); }
  void add_name(std::string_view name) { texts_.emplace_back(name); }

  std::size_t size() const noexcept { return names_ ? texts_.size() : keys_.size(); }
  bool names() const noexcept { return names_; }
  std::span<const Key> keys() const noexcept { return keys_; }
  std::span<const std::string_view> views();  // of the names; until the next add()
  std::string_view name(std::size_t i) const noexcept { return texts_[i]; }
  std::string text(std::size_t i) const;

  void sort();

 private:
  bool names_;
  std::vector<Key> keys_;
  std::vector<std::string> texts_;
  std::vector<std::string_view> views_;
};

// Why `text` is no key of this kind; empty when it is one.
std::string why_no_key(std::string_view text, bool names);

// Keys given as arguments, then those of a file, one a line ("-": standard input; "": no file).
KeyList read_keys(bool names, const std::vector<std::string>& arguments, const std::string& file);

// The keys that a command is about: its arguments, and --keys FILE.
struct KeyArguments {
  std::vector<std::string> keys;
  std::string file;

  void add_to(CLI::App& command);
  void require() const;  // fails (kUsage) when there is none
  KeyList read(bool names) const { return read_keys(names, keys, file); }
};

}  // namespace skerry::cli

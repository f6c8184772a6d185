// keys.h - which keys did Python hand in, and how are they handed back?
//
// Numbers: anything with __index__ is one key; arrays, lists and other sequences are many. A uint64
// array whose items touch is borrowed, and so is an int64 array without negative numbers. Names, of
// collections with byte-string keys: a str is its UTF-8, bytes are themselves, and either kind may
// come in. They go out as the collection was opened: str, where bytes that are no UTF-8 are
// surrogates as in os.fsdecode(), or bytes.
//
// Threads: with the GIL. Spans are good as long as the Keys.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "python/python.h"
#include "skerry/types.h"

namespace skerry::python {

enum class KeyKind : std::uint8_t { number, text, bytes };

struct Keys {
  py::object owner;                     // of borrowed memory
  std::vector<Key> converted;           // those that had to be
  std::vector<py::object> texts;        // what the names point into
  std::span<const Key> numbers;         // of KeyKind::number
  std::vector<std::string_view> names;  // of the others
  bool is_one = false;

  std::size_t size() const noexcept { return names.empty() ? numbers.size() : names.size(); }
};

// Errors: InvalidArgument names the argument, the place, expected and given.
Keys keys_of(const char* name, py::handle object, KeyKind kind);

// One key, and not a list of one.
Keys key_of(const char* name, py::handle object, KeyKind kind);

// The key as Python has it.
py::object key_out(Key key);
py::object name_out(std::string_view name, KeyKind kind);

// A name of a collection: text in UTF-8.
std::string name_in(const char* name, py::handle object);

// A path, of str, bytes or os.PathLike; empty for None.
std::filesystem::path path_in(py::handle object);

}  // namespace skerry::python

// errors.h - how does a Status become an exception?
//
// The classes are written in Python (skerry/_errors.py) and bear the contract's names: NotFound,
// InvalidArgument, ... all of them skerry.Error.
//
// Threads: with the GIL.
#pragma once

#include <string>
#include <utility>

#include "python/python.h"
#include "skerry/status.h"

namespace skerry::python {

// `more` is put behind the message: which key, which file.
[[noreturn]] void raise(const Status& status, const std::string& more = {});

// skerry.InvalidArgument with a text of this door's own.
[[noreturn]] void raise_invalid(const std::string& text);

// "float64 array of shape (2, 3)", "str": what was given, for a message.
std::string given(py::handle object);

inline void check(const Status& status) {
  if (!status.ok()) raise(status);
}

template <class T>
T value_of(Result<T> result) {
  if (!result.has_value()) raise(result.error());
  return std::move(result).value();
}

}  // namespace skerry::python

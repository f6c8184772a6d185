// numbers.h - is this Python number one that the library can take?
//
// Threads: with the GIL.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "python/errors.h"
#include "python/python.h"

namespace skerry::python {

// A whole number within bounds, of anything that has __index__; else InvalidArgument names the
// argument, what was expected and what was given. None is `none`.
template <class T>
T whole(const char* name, py::handle object, T none = 0, T limit = std::numeric_limits<T>::max()) {
  if (object.is_none()) return none;
  if (PyIndex_Check(object.ptr()) != 0) {
    const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(object.ptr()));
    if (!number) throw py::error_already_set();
    const unsigned long long value = PyLong_AsUnsignedLongLong(number.ptr());
    if (PyErr_Occurred() == nullptr) {
      if (value <= limit) return static_cast<T>(value);
    } else {
      PyErr_Clear();  // negative, or of more than 64 bits
    }
  }
  const bool is_number = PyIndex_Check(object.ptr()) != 0;
  raise_invalid(std::string(name) + ": expected a whole number from 0 to " + std::to_string(limit) +
                ", given " + (is_number ? py::str(object).cast<std::string>() : given(object)));
}

// Is it true, as Python sees it?
inline bool truth(py::handle object) {
  const int answer = PyObject_IsTrue(object.ptr());
  if (answer < 0) throw py::error_already_set();
  return answer != 0;
}

// A number; None is `none`.
inline double real(const char* name, py::handle object, double none) {
  if (object.is_none()) return none;
  const double value = PyFloat_AsDouble(object.ptr());
  if (value == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise_invalid(std::string(name) + ": expected a number, given " + given(object));
  }
  return value;
}

}  // namespace skerry::python

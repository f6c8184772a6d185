// distance.h - a distance of the user's: Metric::custom.
//
// Either a Python callable of two arrays (copies, as stored), which takes the GIL for each distance
// and is for trying things out; or an object with an `address`, such as numba's cfunc: a C function
//
//   float distance(void* context, const void* a, const void* b, size_t dimension)     context null
//
// which is called as it is. What a callable raises, or NaN, is raised by the call at work; until
// that ends such a distance is infinite.
//
// Threads: called from any thread. The index that has it keeps it.
#pragma once

#include <memory>

#include "python/python.h"
#include "python/raised.h"
#include "skerry/options.h"

namespace skerry::python {

class PythonDistance {
 public:
  // Null for None. Errors: InvalidArgument.
  static std::shared_ptr<PythonDistance> make(py::handle function, Scalar scalar);

  PythonDistance(py::object function, Scalar scalar) noexcept
      : function_(std::move(function)), scalar_(scalar) {}
  PythonDistance(const PythonDistance&) = delete;
  PythonDistance& operator=(const PythonDistance&) = delete;

  CustomDistance get() noexcept;
  Raised& raised() noexcept { return raised_; }

  // Of an index that was read from a file, or the collections of a database: known afterwards.
  void set_scalar(Scalar scalar) noexcept { scalar_ = scalar; }

 private:
  static float call(void* context, const void* a, const void* b, std::size_t dimension);

  py::object function_;
  Scalar scalar_;
  float (*address_)(void*, const void*, const void*, std::size_t) = nullptr;
  Raised raised_;
};

}  // namespace skerry::python

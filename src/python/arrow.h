// arrow.h - which numbers are in an Arrow array?
//
// Arrow's C data interface: an object with __arrow_c_array__() hands out two capsules with the
// structures ArrowSchema and ArrowArray (arrow.apache.org/docs/format/CDataInterface.html). We read
// them ourselves; the numpy array that we make of them points into the producer's memory and keeps
// the capsule, whose end releases it. Nothing is copied.
//
//   int64, uint64, int32 ...        shape (n,)
//   FixedSizeList of numbers        shape (n, list size)
//   utf8, binary (also large)       a list of bytes
//
// Threads: with the GIL.
#pragma once

#include "python/python.h"

namespace skerry::python {

bool is_arrow(py::handle object);

// Errors: InvalidArgument for nulls (names the first) and for other types (names the format).
py::object array_of_arrow(py::handle object);

}  // namespace skerry::python

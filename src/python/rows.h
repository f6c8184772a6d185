// rows.h - which vectors did Python hand in?
//
// A numpy array of float32, float16, int8 or uint8 whose components touch is borrowed, whatever the
// distance of its rows; so is an Arrow array of FixedSizeList. Everything else that is numbers is
// converted to float32 once: lists, float64, transposed and unaligned arrays. Bits come packed, as
// uint8 with the first component in the lowest bit, or one a component, as bool.
//
// Threads: with the GIL. The view is good as long as the Rows.
#pragma once

#include "python/python.h"
#include "skerry/types.h"

namespace skerry::python {

struct Rows {
  py::object owner;  // of the memory
  MatrixView view;
  bool is_one = false;  // a vector was given, not a matrix
};

// Errors: InvalidArgument names the argument, what was expected and what was given. The dimension
// is the library's to check, but for bits, whose packing hides it.
Rows rows_of(const char* name, py::handle object, Scalar scalar, std::size_t dimension);

// One vector, and not a matrix.
Rows row_of(const char* name, py::handle object, Scalar scalar, std::size_t dimension);

// The numpy type that vectors are handed out in: the stored one, but float32 for bf16, which numpy
// lacks, and packed uint8 for bits.
py::dtype dtype_out(Scalar scalar);

}  // namespace skerry::python

// convert.h - which vectors may come in, and what is kept of them?
//
// A vector may be given in any type that the collection's own can hold: the same type as it is;
// anything into f32; f32 rounded into f16 and bf16 (a component beyond their range is refused);
// whole numbers in range into i8 and u8. Bits go into bits only. NaN and infinity never come in.
//
// Threads: pure functions. Nothing allocates.
#pragma once

#include <cstddef>

#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

// Component i of a vector of numbers; of bits 0 or 1.
float component(const void* data, Scalar scalar, std::size_t i) noexcept;

// May `vector` be stored as (scalar, dimension)? invalid_argument names expected and given, or the
// first component that is wrong.
Status check_storable(VectorView vector, Scalar scalar, std::size_t dimension) noexcept;

// May it be a query against vectors stored so? As above, but any number may meet any number.
Status check_query(VectorView vector, Scalar scalar, std::size_t dimension) noexcept;

// True when every component is kept exactly by `scalar`.
bool fits_exactly(VectorView vector, Scalar scalar) noexcept;

// The bytes to keep, vector_bytes(scalar, dimension) of them. The vector has passed its check.
void convert(VectorView vector, Scalar scalar, void* out) noexcept;

// As floats.
void to_floats(VectorView vector, float* out) noexcept;

// sqrt of the sum of squares, in double precision.
double norm(VectorView vector) noexcept;

}  // namespace skerry

// exact_codes.h - the stored vectors themselves, with what the metric needs behind each.
//
//     | components, vector_bytes() long | pad to 4 | inverse norm (cosine only) | pad to the stride
//     |
//
// Every distance that leaves the library is computed on these rows. When the search itself walks
// them, nothing is re-ranked.
//
// A query of another type than the rows' is met by a kernel for that pair, except that whole
// numbers against i8 or u8 rows become bytes first: integer kernels are several times as fast.
//
// Threads: constant after construction.
#pragma once

#include <cstddef>

#include "quant/quantizer.h"
#include "skerry/options.h"
#include "skerry/types.h"

namespace skerry {

class ExactCodes {
 public:
  ExactCodes(Metric metric, Scalar scalar, std::size_t dimension, CustomDistance custom) noexcept;

  std::size_t stride() const noexcept { return stride_; }
  std::size_t scratch_bytes() const noexcept;
  void encode(VectorView vector, std::byte* row, std::byte* scratch = nullptr) const noexcept;
  QueryCode prepare(VectorView query, std::byte* scratch) const noexcept;
  QueryCode prepare_row(const std::byte* row, std::byte* scratch) const noexcept;
  simd::Rows rows(const std::byte* base) const noexcept {
    return describe_rows(base, stride_, dimension_, tail_);
  }

  // The components of a row, as they were stored.
  VectorView vector(const std::byte* row) const noexcept {
    return VectorView(row, scalar_, dimension_);
  }

 private:
  simd::BatchKernel kernel(bool alike) const noexcept;

  Metric metric_;
  Scalar scalar_;
  std::size_t dimension_;
  CustomDistance custom_;
  std::size_t tail_;    // offset of the inverse norm
  std::size_t stride_;  // bytes
};

static_assert(Quantizer<ExactCodes>);

}  // namespace skerry

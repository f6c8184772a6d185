// rot4_codes.h - half a byte a component, after a rotation.
//
// What is coded is the vector less the mean of its components, at length 1 and rotated
// (simd/rotate-inl.h): whatever the vector was, the components of that look like draws from one
// bell curve, and sixteen levels of one step fit all of them. With v = mean + w, u the rotated unit
// vector of w, and c_i in 0 .. 15,
//
//     u ~ step * y,  y_i = c_i - 7.5           step: of a few, the one whose y points most like u
//     q.v ~ factor * q'.y + mean * (sum of q)  factor = |w| / u.y,  q' the rotated query
//
// The factor makes w itself come out right, and every other query right on average over rotations,
// with an error of |q - its mean| |w| tan(angle of u and y) / sqrt(dimension): 0.0055 of the two
// lengths at 384 components. The mean is taken off because data that is all positive (images,
// histograms) is long without it. A query is coded with eight bits, q'_i ~ scale * a_i, which adds
// a tenth of that error. So every metric is
//
//     offset + bias + factor * (sum + scale * (sum of a_i c_i)) + mean * cross
//
// with sum = -7.5 scale (sum of a_i), and -2 for l2, -1 for ip and cosine in scale and cross; a
// cosine row and query have their lengths divided out of factor, mean, scale and cross.
//
//     | c, two a byte: j in the low half, h + j in the high one | pad to 4 | factor | bias | mean |
//
// with h = (dimension + 1) / 2, and the stride's padding behind. Distances on codes only choose:
// what is returned is computed on the exact rows.
//
// Papers: Gao & Long, "RaBitQ", SIGMOD 2024 (arXiv 2405.12497), and Gao et al. 2024 (arXiv
// 2409.09913) for more bits: the factor, and choosing the step by the angle, are theirs. They look
// for the best step of all and bound each distance; we try a few steps and re-rank.
//
// Threads: constant after construction.
#pragma once

#include <cstddef>

#include "quant/quantizer.h"
#include "skerry/types.h"

namespace skerry {

class Rot4Codes {
 public:
  // Not by two codes: of near vectors their errors add up and are of a kind, so links are chosen on
  // the exact rows.
  static constexpr bool kChoosesLinks = false;

  // metric: l2, ip or cosine.
  Rot4Codes(Metric metric, std::size_t dimension) noexcept;

  std::size_t stride() const noexcept { return stride_; }
  std::size_t scratch_bytes() const noexcept;
  void encode(VectorView vector, std::byte* row, std::byte* scratch) const noexcept;
  QueryCode prepare(VectorView query, std::byte* scratch) const noexcept;
  QueryCode prepare_row(const std::byte* row, std::byte* scratch) const noexcept;
  simd::Rows rows(const std::byte* base) const noexcept {
    return describe_rows(base, stride_, dimension_, tail_);
  }

 private:
  struct Tail {
    float factor;
    float bias;
    float mean;
  };
  static_assert(sizeof(Tail) == 12);

  // What is left of a vector when its direction is taken out. Of cosine: per length.
  struct Shape {
    double square = 0;  // of the whole vector
    double mean = 0;
    double length = 0;  // without the mean
  };
  Shape rotate(VectorView vector, float* u, float* work) const noexcept;
  QueryCode query_code(const Shape& shape, double scale, std::byte* scratch) const noexcept;

  Metric metric_;
  std::size_t dimension_;
  std::size_t half_;    // bytes of codes
  std::size_t tail_;    // offset of the three numbers
  std::size_t stride_;  // bytes
};

static_assert(Quantizer<Rot4Codes>);

}  // namespace skerry

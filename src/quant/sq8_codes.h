// sq8_codes.h - one byte a component, scaled for each vector.
//
// A vector v becomes v_i ~ low + step * c_i with c_i in 0 .. 255: low is its least component and
// step a 255th of its range. A query is coded in the same way, its bytes moved to -128 .. 127, so
// that one instruction (VNNI: unsigned times signed) adds up four products. With
//
//     q_i ~ lq + sq * (a_i + 128),   v_i ~ lv + sv * c_i
//     q.v = lv * (sum of q) + sv * sq * (sum of a_i c_i) + sv * (sum of c_i) * (lq + 128 sq)
//
// every metric is offset + bias + that sum with factors of the query: for l2 they carry -2, for ip
// and cosine -1, and a cosine row has its inverse norm multiplied into its own three numbers.
//
//     | c, dimension bytes | pad to 4 | low | step | bias | step * sum of c | pad to the stride |
//
// The error of a component is at most step / 2. Distances on codes only choose; what is returned
// is computed on the exact rows.
//
// Threads: constant after construction.
#pragma once

#include <cstddef>

#include "quant/quantizer.h"
#include "skerry/types.h"

namespace skerry {

class Sq8Codes {
 public:
  static constexpr bool kChoosesLinks = true;

  // metric: l2, ip or cosine.
  Sq8Codes(Metric metric, std::size_t dimension) noexcept;

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
    float low;
    float step;
    float bias;
    float step_sum;
  };
  static_assert(sizeof(Tail) == 16);

  Metric metric_;
  std::size_t dimension_;
  std::size_t tail_;    // offset of the four numbers
  std::size_t stride_;  // bytes
};

static_assert(Quantizer<Sq8Codes>);

}  // namespace skerry

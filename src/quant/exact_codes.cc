#include "quant/exact_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "quant/convert.h"

namespace skerry {
namespace {

// A custom metric's query: its function and the vector, in the scratch.
struct CustomQuery {
  CustomDistance custom;
  const void* vector;
};

void score_custom(const simd::Query& query, const simd::Rows& rows, const std::uint32_t* slots,
                  std::size_t count, float* out) {
  const auto* custom = static_cast<const CustomQuery*>(query.data);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = custom->custom.call(custom->custom.context, custom->vector,
                                 rows.base + std::size_t{slots[i]} * rows.stride, rows.dimension);
  }
}

// 1 / norm; 0 for a zero vector, so that its distance to everything is 1.
float inverse_of(double norm) noexcept {
  if (norm == 0) return 0;
  constexpr double kLargest = std::numeric_limits<float>::max();
  return static_cast<float>(std::min(1 / norm, kLargest));
}

constexpr std::size_t kHeader = 64;  // of the scratch: a CustomQuery, and floats stay aligned
static_assert(sizeof(CustomQuery) <= kHeader);

}  // namespace

ExactCodes::ExactCodes(Metric metric, Scalar scalar, std::size_t dimension,
                       CustomDistance custom) noexcept
    : metric_(metric), scalar_(scalar), dimension_(dimension), custom_(custom) {
  tail_ = (vector_bytes(scalar, dimension) + 3) / 4 * 4;
  stride_ = row_stride(tail_ + (metric == Metric::cosine ? sizeof(float) : 0));
}

std::size_t ExactCodes::scratch_bytes() const noexcept {
  return kHeader + dimension_ * sizeof(float);
}

// Needs no scratch.
void ExactCodes::encode(VectorView vector, std::byte* row, std::byte*) const noexcept {
  convert(vector, scalar_, row);
  if (metric_ != Metric::cosine) return;
  const float inverse = inverse_of(norm(this->vector(row)));
  std::memcpy(row + tail_, &inverse, sizeof(inverse));
}

simd::BatchKernel ExactCodes::kernel(bool alike) const noexcept {
  const simd::Kernels& table = simd::kernels();
  switch (metric_) {
    case Metric::l2:
    case Metric::ip:
    case Metric::cosine: {
      const auto metric = static_cast<std::size_t>(metric_);
      const auto scalar = static_cast<std::size_t>(scalar_);
      return alike ? table.alike[metric][scalar] : table.mixed[metric][scalar];
    }
    case Metric::hamming:
      return table.hamming;
    case Metric::jaccard:
      return table.jaccard;
    case Metric::haversine:
      return table.haversine;
    case Metric::custom:
      return score_custom;
  }
  return nullptr;
}

QueryCode ExactCodes::prepare(VectorView query, std::byte* scratch) const noexcept {
  QueryCode code;
  std::byte* const copy = scratch + kHeader;
  if (metric_ == Metric::custom) {
    // The caller's function expects vectors as they are stored.
    convert(query, scalar_, copy);
    code.query.data = ::new (scratch) CustomQuery{custom_, copy};
    code.kernel = score_custom;
    return code;
  }
  const bool whole = scalar_ == Scalar::i8 || scalar_ == Scalar::u8;
  bool alike = query.scalar() == scalar_;
  if (alike && (scalar_ != Scalar::b1 || dimension_ % 8 == 0)) {
    code.query.data = query.data();
  } else if (alike || (whole && fits_exactly(query, scalar_))) {
    convert(query, scalar_, copy);  // of bits: clears the unused ones
    code.query.data = copy;
    alike = true;
  } else if (query.scalar() == Scalar::f32) {
    code.query.data = query.data();
  } else {
    to_floats(query, reinterpret_cast<float*>(copy));
    code.query.data = copy;
  }
  code.kernel = kernel(alike);
  if (metric_ != Metric::cosine) return code;

  const double length = norm(query);
  code.query.scale = inverse_of(length);
  // Float kernels sum in floats: a query far from length 1 is brought there, so nothing overflows.
  const bool floats = !alike || scalar_ == Scalar::f32;
  if (floats && length != 0 && (length > 1e9 || length < 1e-9)) {
    auto* unit = reinterpret_cast<float*>(copy);
    for (std::size_t i = 0; i < dimension_; ++i) {
      float value;
      std::memcpy(&value, static_cast<const std::byte*>(code.query.data) + i * sizeof(value),
                  sizeof(value));
      unit[i] = static_cast<float>(value / length);
    }
    code.query.data = unit;
    code.query.scale = 1;
  }
  return code;
}

QueryCode ExactCodes::prepare_row(const std::byte* row, std::byte* scratch) const noexcept {
  QueryCode code;
  code.kernel = kernel(true);
  code.query.data = row;
  if (metric_ == Metric::custom) {
    code.query.data = ::new (scratch) CustomQuery{custom_, row};
  } else if (metric_ == Metric::cosine) {
    std::memcpy(&code.query.scale, row + tail_, sizeof(float));
  }
  return code;
}

}  // namespace skerry

#include "quant/sq8_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/convert.h"
#include "quant/lanes.h"

namespace skerry {
namespace {

constexpr double kMost = 3e38;

}  // namespace

Sq8Codes::Sq8Codes(Metric metric, std::size_t dimension) noexcept
    : metric_(metric), dimension_(dimension) {
  tail_ = (dimension + 3) / 4 * 4;
  stride_ = row_stride(tail_ + sizeof(Tail));
}

// The components as floats, behind a row of whoever prepares a query.
std::size_t Sq8Codes::scratch_bytes() const noexcept {
  return stride_ + dimension_ * sizeof(float);
}

void Sq8Codes::encode(VectorView vector, std::byte* row, std::byte* scratch) const noexcept {
  auto* const v = reinterpret_cast<float*>(scratch + stride_);
  to_floats(vector, v);
  const auto [low, high] = extent_of(dimension_, [v](std::size_t i) { return v[i]; });
  const double step = (static_cast<double>(high) - static_cast<double>(low)) / 255;
  // Of halves, as the range of all floats is none, and at most what a float can be.
  const float half_low = low / 2;
  const float inverse = step > 0 ? static_cast<float>(std::min(2 / step, kMost)) : 0;
  std::uint32_t sum = 0;
  auto* const __restrict codes = reinterpret_cast<std::uint8_t*>(row);
  for (std::size_t i = 0; i < dimension_; ++i) {
    const auto code = static_cast<std::int32_t>((v[i] / 2 - half_low) * inverse + 0.5F);
    codes[i] = static_cast<std::uint8_t>(std::min(code, 255));
    sum += codes[i];
  }
  const double squares = sum_of(dimension_, [v](std::size_t i) {
    return static_cast<double>(v[i]) * static_cast<double>(v[i]);
  });
  // A cosine row stands for v / |v|.
  const double unit = metric_ != Metric::cosine ? 1 : squares > 0 ? 1 / std::sqrt(squares) : 0;
  Tail tail;
  tail.low = static_cast<float>(low * unit);
  tail.step = static_cast<float>(step * unit);
  tail.bias = metric_ == Metric::l2 ? static_cast<float>(squares) : 0;
  tail.step_sum = static_cast<float>(step * unit * sum);
  std::memcpy(row + tail_, &tail, sizeof(tail));
}

QueryCode Sq8Codes::prepare(VectorView query, std::byte* scratch) const noexcept {
  encode(query, scratch, scratch);
  return prepare_row(scratch, scratch);
}

QueryCode Sq8Codes::prepare_row(const std::byte* row, std::byte* scratch) const noexcept {
  Tail tail;
  std::memcpy(&tail, row + tail_, sizeof(tail));
  for (std::size_t i = 0; i < dimension_; ++i) scratch[i] = row[i] ^ std::byte{0x80};
  const float factor = metric_ == Metric::l2 ? -2.0F : -1.0F;
  QueryCode code;
  code.kernel = simd::kernels().sq8;
  code.query.data = scratch;
  code.query.offset = metric_ == Metric::l2 ? tail.bias : 1.0F;
  code.query.sum = factor * (static_cast<float>(dimension_) * tail.low + tail.step_sum);
  code.query.scale = factor * tail.step;
  code.query.cross = factor * (tail.low + 128 * tail.step);
  return code;
}

}  // namespace skerry

#include "quant/sq8_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/convert.h"

namespace skerry {

Sq8Codes::Sq8Codes(Metric metric, std::size_t dimension) noexcept
    : metric_(metric), dimension_(dimension) {
  tail_ = (dimension + 3) / 4 * 4;
  stride_ = row_stride(tail_ + sizeof(Tail));
}

// Needs no scratch.
void Sq8Codes::encode(VectorView vector, std::byte* row, std::byte*) const noexcept {
  float low = component(vector.data(), vector.scalar(), 0);
  float high = low;
  double squares = 0;
  for (std::size_t i = 0; i < dimension_; ++i) {
    const float value = component(vector.data(), vector.scalar(), i);
    low = std::min(low, value);
    high = std::max(high, value);
    squares += static_cast<double>(value) * value;
  }
  const double step = (static_cast<double>(high) - low) / 255;
  const double inverse = step > 0 ? 1 / step : 0;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < dimension_; ++i) {
    const double value = component(vector.data(), vector.scalar(), i);
    const auto code = static_cast<std::uint8_t>(std::min((value - low) * inverse + 0.5, 255.0));
    row[i] = static_cast<std::byte>(code);
    sum += code;
  }
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
  encode(query, scratch);
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

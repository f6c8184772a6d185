#include "quant/rot4_codes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quant/convert.h"
#include "quant/lanes.h"

namespace skerry {
namespace {

// Beyond it squares leave single precision, here as on the exact rows: it stands for all of them.
constexpr double kLongest = 1e18;

// With components as whole numbers to kLargest, the largest of them, a step is 65536 / m. The best
// step of a bell curve is a third of its deviation: that takes in all components of a few dozen
// (m = 16), and clips the ends of many, which lie farther out.
constexpr std::int32_t kLargest = 32767;
constexpr std::int32_t kSteps[] = {16, 17, 18, 19, 21, 23, 25, 27};

// 0 .. 15, of a component in the middle between -8 and 7 steps.
[[gnu::always_inline]] inline std::int32_t nibble_of(std::int16_t component, std::int32_t m) {
  return std::clamp((component * m >> 16) + 8, 0, 15);
}

// How well do the codes of that step point where the vector does? (u.y)^2 / y.y, on 2 y and a
// sixteenth of u, so that 65,535 components add up in 32 bits. Whole numbers, and nothing that
// depends on the order: the same code everywhere.
double fit(const std::int16_t* u, std::size_t n, std::int32_t m) noexcept {
  std::int32_t dot = 0;
  std::int32_t squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto y = static_cast<std::int16_t>(2 * nibble_of(u[i], m) - 15);
    const auto part = static_cast<std::int16_t>(u[i] >> 4);
    dot += part * y;
    squares += y * y;
  }
  return static_cast<double>(dot) * dot / squares;
}

// The largest size.
float largest(const float* u, std::size_t n) noexcept {
  return extent_of(n, [u](std::size_t i) { return std::abs(u[i]); }).high;
}

// Whole numbers from -limit to limit; zeroes of zeroes.
template <class Whole>
void round_to(const float* __restrict u, std::size_t n, float most, std::int32_t limit,
              Whole* __restrict out) noexcept {
  const float inverse = most > 0 ? static_cast<float>(limit) / most : 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto rounded = static_cast<std::int32_t>(u[i] * inverse + (u[i] < 0 ? -0.5F : 0.5F));
    out[i] = static_cast<Whole>(std::clamp(rounded, -limit, limit));
  }
}

}  // namespace

Rot4Codes::Rot4Codes(Metric metric, std::size_t dimension) noexcept
    : metric_(metric), dimension_(dimension), half_((dimension + 1) / 2) {
  tail_ = (half_ + 3) / 4 * 4;
  stride_ = row_stride(tail_ + sizeof(Tail));
}

// A query's bytes, and two times the components as floats.
std::size_t Rot4Codes::scratch_bytes() const noexcept {
  return (2 * half_ + 63) / 64 * 64 + 2 * dimension_ * sizeof(float);
}

// Into u goes the direction of what the mean leaves, rotated; zeroes when it leaves nothing.
Rot4Codes::Shape Rot4Codes::rotate(VectorView vector, float* u, float* work) const noexcept {
  to_floats(vector, u);
  const auto at = [&](std::size_t i) { return static_cast<double>(u[i]); };
  const double mean = sum_of(dimension_, at) / static_cast<double>(dimension_);
  const double square = sum_of(dimension_, [&](std::size_t i) { return at(i) * at(i); });
  const double length =
      std::sqrt(sum_of(dimension_, [&](std::size_t i) { return (at(i) - mean) * (at(i) - mean); }));
  const double inverse = length > 0 ? 1 / length : 0;
  for (std::size_t i = 0; i < dimension_; ++i) u[i] = static_cast<float>((at(i) - mean) * inverse);
  simd::kernels().rotate(u, dimension_, work);

  const double whole = std::sqrt(square);
  double unit = whole > kLongest ? kLongest / whole : 1;
  if (metric_ == Metric::cosine) unit = whole > 0 ? 1 / whole : 0;
  return {square * unit * unit, mean * unit, length * unit};
}

void Rot4Codes::encode(VectorView vector, std::byte* row, std::byte* scratch) const noexcept {
  auto* const u = reinterpret_cast<float*>(scratch);
  auto* const whole = reinterpret_cast<std::int16_t*>(u + dimension_);
  const Shape shape = rotate(vector, u, u + dimension_);
  const float most = largest(u, dimension_);
  round_to(u, dimension_, most, kLargest, whole);
  std::int32_t step = kSteps[0];
  double best = 0;
  for (const std::int32_t m : kSteps) {
    const double fitted = fit(whole, dimension_, m);
    if (fitted > best) {
      best = fitted;
      step = m;
    }
  }
  for (std::size_t j = 0; j < half_; ++j) {
    const std::int32_t low = nibble_of(whole[j], step);
    const std::int32_t high = half_ + j < dimension_ ? nibble_of(whole[half_ + j], step) : 0;
    row[j] = static_cast<std::byte>(low | high << 4);
  }
  const double dot = sum_of(dimension_, [&](std::size_t i) {
    return static_cast<double>(u[i]) * (nibble_of(whole[i], step) - 7.5);
  });
  Tail tail;
  tail.factor = dot > 0 ? static_cast<float>(shape.length / dot) : 0;
  tail.bias = metric_ == Metric::l2 ? static_cast<float>(shape.square) : 0;
  tail.mean = static_cast<float>(shape.mean);
  std::memcpy(row + tail_, &tail, sizeof(tail));
}

// Of the bytes at the head of the scratch, each of which stands for so many `scale` of a component.
QueryCode Rot4Codes::query_code(const Shape& shape, double scale,
                                std::byte* scratch) const noexcept {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dimension_; ++i) sum += static_cast<std::int8_t>(scratch[i]);
  const double times = metric_ == Metric::l2 ? -2 : -1;
  QueryCode code;
  code.kernel = simd::kernels().rot4;
  code.query.data = scratch;
  code.query.offset = metric_ == Metric::l2 ? static_cast<float>(shape.square) : 1.0F;
  code.query.scale = static_cast<float>(times * scale);
  code.query.sum = static_cast<float>(-7.5 * times * scale * sum);
  code.query.cross = static_cast<float>(times * shape.mean * static_cast<double>(dimension_));
  return code;
}

QueryCode Rot4Codes::prepare(VectorView query, std::byte* scratch) const noexcept {
  auto* const u = reinterpret_cast<float*>(scratch + (2 * half_ + 63) / 64 * 64);
  const Shape shape = rotate(query, u, u + dimension_);
  const float most = largest(u, dimension_);
  round_to(u, dimension_, most, 127, reinterpret_cast<std::int8_t*>(scratch));
  if (dimension_ < 2 * half_) scratch[dimension_] = std::byte{0};
  return query_code(shape, shape.length * static_cast<double>(most) / 127, scratch);
}

// A code as the query: 2 y are whole numbers.
QueryCode Rot4Codes::prepare_row(const std::byte* row, std::byte* scratch) const noexcept {
  Tail tail;
  std::memcpy(&tail, row + tail_, sizeof(tail));
  for (std::size_t j = 0; j < half_; ++j) {
    const auto both = static_cast<std::int32_t>(row[j]);
    scratch[j] = static_cast<std::byte>(2 * (both & 15) - 15);
    scratch[half_ + j] = static_cast<std::byte>(2 * (both >> 4) - 15);
  }
  if (dimension_ < 2 * half_) scratch[dimension_] = std::byte{0};
  const Shape shape{static_cast<double>(tail.bias), static_cast<double>(tail.mean), 0};
  return query_code(shape, static_cast<double>(tail.factor) / 2, scratch);
}

}  // namespace skerry

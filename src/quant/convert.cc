#include "quant/convert.h"

#include <cmath>
#include <cstring>

#include "quant/lanes.h"
#include "simd/kernels.h"

namespace skerry {
namespace {

template <class T>
T load(const void* data, std::size_t i) noexcept {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + i * sizeof(T), sizeof(T));
  return value;
}

// The first component that is NaN or infinite, or the dimension.
std::size_t first_not_finite(VectorView vector) noexcept {
  const std::size_t n = vector.dimension();
  std::uint16_t exponent = 0;
  switch (vector.scalar()) {
    case Scalar::f32:
      return simd::kernels().first_bad_f32(static_cast<const float*>(vector.data()), n);
    case Scalar::f16:
      exponent = 0x7C00;
      break;
    case Scalar::bf16:
      exponent = 0x7F80;
      break;
    default:
      return n;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if ((load<std::uint16_t>(vector.data(), i) & exponent) == exponent) return i;
  }
  return n;
}

// Is this value one of the type's own?
bool holds(float value, Scalar scalar) noexcept {
  switch (scalar) {
    case Scalar::f32:
      return true;
    case Scalar::f16:
      return to_float(to_f16(value)) == value;
    case Scalar::bf16:
      return to_float(to_bf16(value)) == value;
    case Scalar::i8:
      return value >= -128 && value <= 127 && value == std::trunc(value);
    case Scalar::u8:
      return value >= 0 && value <= 255 && value == std::trunc(value);
    case Scalar::b1:
      return false;
  }
  return false;
}

// Can it be kept? Rounding to f16 and bf16 is keeping; becoming infinite is not.
bool keeps(float value, Scalar scalar) noexcept {
  switch (scalar) {
    case Scalar::f16:
      return std::isfinite(to_float(to_f16(value)));
    case Scalar::bf16:
      return std::isfinite(to_float(to_bf16(value)));
    default:
      return holds(value, scalar);
  }
}

}  // namespace

float component(const void* data, Scalar scalar, std::size_t i) noexcept {
  switch (scalar) {
    case Scalar::f32:
      return load<float>(data, i);
    case Scalar::f16:
      return to_float(load<f16>(data, i));
    case Scalar::bf16:
      return to_float(load<bf16>(data, i));
    case Scalar::i8:
      return load<std::int8_t>(data, i);
    case Scalar::u8:
      return load<std::uint8_t>(data, i);
    case Scalar::b1:
      return static_cast<float>((load<std::uint8_t>(data, i / 8) >> (i % 8)) & 1);
  }
  return 0;
}

Status check_query(VectorView vector, Scalar scalar, std::size_t dimension) noexcept {
  if (vector.dimension() != dimension) {
    return Status(Code::invalid_argument, "expected dimension {a}, given {b}", dimension,
                  vector.dimension());
  }
  if (vector.data() == nullptr) return Status(Code::invalid_argument, "the vector's data is null");
  if ((vector.scalar() == Scalar::b1) != (scalar == Scalar::b1)) {
    return scalar == Scalar::b1
               ? Status(Code::invalid_argument, "expected a vector of bits, given numbers")
               : Status(Code::invalid_argument, "expected a vector of numbers, given bits");
  }
  const std::size_t bad = first_not_finite(vector);
  if (bad < dimension) {
    return Status(Code::invalid_argument, "component {a} is not a finite number", bad);
  }
  return {};
}

Status check_storable(VectorView vector, Scalar scalar, std::size_t dimension) noexcept {
  if (Status status = check_query(vector, scalar, dimension); !status.ok()) return status;
  if (vector.scalar() == scalar || scalar == Scalar::f32) return {};
  std::size_t bad = 0;
  while (bad < dimension && keeps(component(vector.data(), vector.scalar(), bad), scalar)) ++bad;
  if (bad == dimension) return {};
  switch (scalar) {
    case Scalar::f16:
      return Status(Code::invalid_argument, "component {a} is beyond the range of f16", bad);
    case Scalar::bf16:
      return Status(Code::invalid_argument, "component {a} is beyond the range of bf16", bad);
    case Scalar::i8:
      return Status(Code::invalid_argument,
                    "component {a} is not a whole number from -128 to 127, as i8 expects", bad);
    default:
      return Status(Code::invalid_argument,
                    "component {a} is not a whole number from 0 to 255, as u8 expects", bad);
  }
}

bool fits_exactly(VectorView vector, Scalar scalar) noexcept {
  if (vector.scalar() == scalar) return true;
  for (std::size_t i = 0; i < vector.dimension(); ++i) {
    if (!holds(component(vector.data(), vector.scalar(), i), scalar)) return false;
  }
  return true;
}

void convert(VectorView vector, Scalar scalar, void* out) noexcept {
  const std::size_t n = vector.dimension();
  if (vector.scalar() == scalar) {
    const std::size_t bytes = vector_bytes(scalar, n);
    std::memcpy(out, vector.data(), bytes);
    if (scalar == Scalar::b1 && n % 8 != 0) {
      auto* last = static_cast<std::uint8_t*>(out) + bytes - 1;
      *last = static_cast<std::uint8_t>(*last & ((1U << (n % 8)) - 1));
    }
    return;
  }
  // Rows of a page need not be aligned to their components, so each is copied as bytes.
  const auto put = [out](std::size_t i, auto value) {
    std::memcpy(static_cast<std::byte*>(out) + i * sizeof(value), &value, sizeof(value));
  };
  for (std::size_t i = 0; i < n; ++i) {
    const float value = component(vector.data(), vector.scalar(), i);
    switch (scalar) {
      case Scalar::f32:
        put(i, value);
        break;
      case Scalar::f16:
        put(i, to_f16(value));
        break;
      case Scalar::bf16:
        put(i, to_bf16(value));
        break;
      case Scalar::i8:
        put(i, static_cast<std::int8_t>(value));
        break;
      case Scalar::u8:
        put(i, static_cast<std::uint8_t>(value));
        break;
      case Scalar::b1:
        break;  // bits come as bits: the check has seen to it
    }
  }
}

void to_floats(VectorView vector, float* out) noexcept {
  if (vector.scalar() == Scalar::f32) {
    std::memcpy(out, vector.data(), vector.dimension() * sizeof(float));
    return;
  }
  for (std::size_t i = 0; i < vector.dimension(); ++i) {
    out[i] = component(vector.data(), vector.scalar(), i);
  }
}

double norm(VectorView vector) noexcept {
  const auto square = [](double value) { return value * value; };
  const std::size_t n = vector.dimension();
  if (vector.scalar() == Scalar::f32) {
    return std::sqrt(
        sum_of(n, [&](std::size_t i) { return square(load<float>(vector.data(), i)); }));
  }
  return std::sqrt(sum_of(
      n, [&](std::size_t i) { return square(component(vector.data(), vector.scalar(), i)); }));
}

}  // namespace skerry

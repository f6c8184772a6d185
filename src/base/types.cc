// types.cc - names of the choices, and the two half-size floats.
#include "skerry/types.h"

#include <bit>

namespace skerry {

std::string_view name_of(Metric metric) noexcept {
  switch (metric) {
    case Metric::l2:
      return "l2";
    case Metric::ip:
      return "ip";
    case Metric::cosine:
      return "cosine";
    case Metric::hamming:
      return "hamming";
    case Metric::jaccard:
      return "jaccard";
    case Metric::haversine:
      return "haversine";
    case Metric::custom:
      return "custom";
  }
  return "unknown";
}

std::string_view name_of(Scalar scalar) noexcept {
  switch (scalar) {
    case Scalar::f32:
      return "f32";
    case Scalar::f16:
      return "f16";
    case Scalar::bf16:
      return "bf16";
    case Scalar::i8:
      return "i8";
    case Scalar::u8:
      return "u8";
    case Scalar::b1:
      return "b1";
  }
  return "unknown";
}

std::string_view name_of(Codes codes) noexcept {
  switch (codes) {
    case Codes::exact:
      return "exact";
    case Codes::sq8:
      return "sq8";
    case Codes::rot4:
      return "rot4";
    case Codes::automatic:
      return "auto";
  }
  return "unknown";
}

std::string_view name_of(Vectors vectors) noexcept {
  switch (vectors) {
    case Vectors::memory:
      return "memory";
    case Vectors::disk:
      return "disk";
  }
  return "unknown";
}

// binary16 is sign, 5 bits of exponent (bias 15), 10 of fraction; binary32 has 8 (bias 127), 23.
// Rounding adds to the bits below: a carry out of the fraction runs into the exponent, which is
// what the next power of two looks like, and out of the largest exponent into infinity.
f16 to_f16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000;
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000) {  // NaN stays NaN, made quiet, with what fits of its payload
    half = 0x7E00 | (magnitude >> 13 & 0x3FF);
  } else if (magnitude >= 0x47800000) {  // 2^16 and above, infinity
    half = 0x7C00;
  } else if (magnitude >= 0x38800000) {  // 2^-14 and above: normal
    const std::uint32_t rebiased = magnitude - ((127 - 15) << 23);
    half = (rebiased + 0xFFF + (rebiased >> 13 & 1)) >> 13;
  } else if (magnitude >
             0x33000000) {  // above 2^-25, half of the smallest: denormal, steps of 2^-24
    const std::uint32_t shift = 126 - (magnitude >> 23);
    const std::uint32_t fraction = (magnitude & 0x7FFFFF) | 0x800000;
    half = (fraction + (1U << (shift - 1)) - 1 + (fraction >> shift & 1)) >> shift;
  }
  return f16{static_cast<std::uint16_t>(sign | half)};
}

float to_float(f16 value) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000) << 16;
  const std::uint32_t magnitude = value.bits & 0x7FFF;
  if (magnitude >= 0x7C00) {  // infinity, NaN (made quiet, as the hardware does)
    const std::uint32_t quiet = magnitude > 0x7C00 ? 0x400000 : 0;
    return std::bit_cast<float>(sign | 0x7F800000 | quiet | (magnitude & 0x3FF) << 13);
  }
  if (magnitude >= 0x400) {
    return std::bit_cast<float>(sign | ((magnitude << 13) + ((127 - 15) << 23)));
  }
  const float denormal = static_cast<float>(magnitude) * 0x1p-24F;  // exact
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(denormal));
}

// bfloat16 is the upper half of binary32.
bf16 to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {
    return bf16{static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  }
  return bf16{static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

float to_float(bf16 value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

}  // namespace skerry

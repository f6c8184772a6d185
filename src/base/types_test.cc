// types_test.cc - are the half-size floats IEEE's, and the names those of the manual?
#include "skerry/types.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "skerry/version.h"

namespace skerry {
namespace {

// binary16 spelled out from its definition, with nothing of the code under test: sign, 5 bits of
// exponent (bias 15; 0: denormal, 31: infinity or NaN), 10 of fraction.
double f16_by_definition(std::uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 0x3FF;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

constexpr bool is_nan(f16 value) {
  return (value.bits & 0x7FFF) > 0x7C00;
}
constexpr bool is_nan(bf16 value) {
  return (value.bits & 0x7FFF) > 0x7F80;
}

TEST(HalfFloats, EveryF16IsWhatItsBitsSay) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const f16 half{static_cast<std::uint16_t>(bits)};
    const float value = to_float(half);
    if (is_nan(half)) {
      ASSERT_TRUE(std::isnan(value)) << std::hex << bits;
      ASSERT_TRUE(is_nan(to_f16(value))) << std::hex << bits;
      continue;
    }
    ASSERT_EQ(value, f16_by_definition(half.bits)) << std::hex << bits;
    ASSERT_EQ(std::signbit(value), bits >= 0x8000) << std::hex << bits;
    ASSERT_EQ(to_f16(value).bits, bits) << std::hex;
  }
}

TEST(HalfFloats, EveryBf16IsTheUpperHalfOfAFloat) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const bf16 half{static_cast<std::uint16_t>(bits)};
    const float value = to_float(half);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), bits << 16);
    if (is_nan(half)) {
      ASSERT_TRUE(is_nan(to_bf16(value))) << std::hex << bits;
      ASSERT_TRUE(std::isnan(to_float(to_bf16(value)))) << std::hex << bits;
    } else {
      ASSERT_EQ(to_bf16(value).bits, bits) << std::hex;
    }
  }
}

// Between every two neighbours: the middle goes to the even one, a hair to either side goes there.
template <class Half, class Round>
void expect_nearest_even(std::uint16_t infinity, Round round) {
  for (std::uint16_t bits = 0; bits + 1 < infinity; ++bits) {
    const float low = to_float(Half{bits});
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const float high = to_float(Half{next});
    const float middle = low + (high - low) / 2;  // exact: a float has bits to spare
    const std::uint16_t even = bits % 2 == 0 ? bits : next;
    ASSERT_EQ(round(middle).bits, even) << std::hex << bits;
    ASSERT_EQ(round(std::nextafter(middle, low)).bits, bits) << std::hex << bits;
    ASSERT_EQ(round(std::nextafter(middle, high)).bits, next) << std::hex << bits;
    ASSERT_EQ(round(-middle).bits, even | 0x8000) << std::hex << bits;
  }
}

TEST(HalfFloats, ToF16RoundsToNearestEven) {
  expect_nearest_even<f16>(0x7C00, [](float value) { return to_f16(value); });
}

TEST(HalfFloats, ToBf16RoundsToNearestEven) {
  expect_nearest_even<bf16>(0x7F80, [](float value) { return to_bf16(value); });
}

TEST(HalfFloats, WhatIsTooLargeBecomesInfinity) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kMax = std::numeric_limits<float>::max();
  EXPECT_EQ(to_f16(65504.0F).bits, 0x7BFF);
  EXPECT_EQ(to_f16(std::nextafter(65520.0F, 0.0F)).bits, 0x7BFF);
  EXPECT_EQ(to_f16(65520.0F).bits, 0x7C00);
  EXPECT_EQ(to_f16(kMax).bits, 0x7C00);
  EXPECT_EQ(to_f16(-kMax).bits, 0xFC00);
  EXPECT_EQ(to_f16(kInfinity).bits, 0x7C00);
  EXPECT_EQ(to_f16(-kInfinity).bits, 0xFC00);
  EXPECT_EQ(to_bf16(kMax).bits, 0x7F80);
  EXPECT_EQ(to_bf16(-kMax).bits, 0xFF80);
  EXPECT_EQ(to_bf16(kInfinity).bits, 0x7F80);
}

TEST(HalfFloats, WhatIsTooSmallBecomesZeroOfItsSign) {
  EXPECT_EQ(to_f16(0x1p-25F).bits, 0);  // the middle between 0 and the smallest: even is 0
  EXPECT_EQ(to_f16(std::nextafter(0x1p-25F, 1.0F)).bits, 1);
  EXPECT_EQ(to_f16(0x1p-24F).bits, 1);
  EXPECT_EQ(to_f16(1e-45F).bits, 0);
  EXPECT_EQ(to_f16(-1e-45F).bits, 0x8000);
  EXPECT_EQ(to_f16(-0.0F).bits, 0x8000);
  EXPECT_EQ(to_bf16(1e-45F).bits, 0);
  EXPECT_EQ(to_bf16(-0.0F).bits, 0x8000);
}

TEST(HalfFloats, ANanWhosePayloadDoesNotFitStaysANan) {
  for (const std::uint32_t bits : {0x7F800001U, 0xFF800001U, 0x7FFFFFFFU, 0x7FC00000U}) {
    const auto value = std::bit_cast<float>(bits);
    EXPECT_TRUE(is_nan(to_f16(value))) << std::hex << bits;
    EXPECT_TRUE(is_nan(to_bf16(value))) << std::hex << bits;
  }
}

TEST(Names, AreThoseOfTheManual) {
  EXPECT_EQ(name_of(Metric::l2), "l2");
  EXPECT_EQ(name_of(Metric::ip), "ip");
  EXPECT_EQ(name_of(Metric::cosine), "cosine");
  EXPECT_EQ(name_of(Metric::hamming), "hamming");
  EXPECT_EQ(name_of(Metric::jaccard), "jaccard");
  EXPECT_EQ(name_of(Metric::haversine), "haversine");
  EXPECT_EQ(name_of(Metric::custom), "custom");
  EXPECT_EQ(name_of(Scalar::f32), "f32");
  EXPECT_EQ(name_of(Scalar::f16), "f16");
  EXPECT_EQ(name_of(Scalar::bf16), "bf16");
  EXPECT_EQ(name_of(Scalar::i8), "i8");
  EXPECT_EQ(name_of(Scalar::u8), "u8");
  EXPECT_EQ(name_of(Scalar::b1), "b1");
  EXPECT_EQ(name_of(Codes::exact), "exact");
  EXPECT_EQ(name_of(Codes::sq8), "sq8");
  EXPECT_EQ(name_of(Codes::rot4), "rot4");
  EXPECT_EQ(name_of(Codes::automatic), "auto");
}

TEST(Names, AValueOutsideTheListIsUnknown) {
  EXPECT_EQ(name_of(static_cast<Metric>(200)), "unknown");
  EXPECT_EQ(name_of(static_cast<Scalar>(200)), "unknown");
  EXPECT_EQ(name_of(static_cast<Codes>(200)), "unknown");
}

TEST(Version, IsThatOfTheHeader) {
  EXPECT_EQ(std::string_view(version()), std::to_string(SKERRY_VERSION_MAJOR) + "." +
                                             std::to_string(SKERRY_VERSION_MINOR) + "." +
                                             std::to_string(SKERRY_VERSION_PATCH));
}

TEST(VectorBytes, CountsBitsInWholeBytes) {
  EXPECT_EQ(vector_bytes(Scalar::f32, 3), 12U);
  EXPECT_EQ(vector_bytes(Scalar::f16, 3), 6U);
  EXPECT_EQ(vector_bytes(Scalar::bf16, 3), 6U);
  EXPECT_EQ(vector_bytes(Scalar::i8, 3), 3U);
  EXPECT_EQ(vector_bytes(Scalar::u8, 3), 3U);
  EXPECT_EQ(vector_bytes(Scalar::b1, 8), 1U);
  EXPECT_EQ(vector_bytes(Scalar::b1, 9), 2U);
}

}  // namespace
}  // namespace skerry

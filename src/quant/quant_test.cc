// What may come in, what is kept of it, and how far codes are from the truth.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "quant/convert.h"
#include "quant/exact_codes.h"
#include "quant/sq8_codes.h"

namespace skerry {
namespace {

std::vector<float> random_vector(std::mt19937& random, std::size_t dimension) {
  std::normal_distribution<float> normal(0.3F, 1.0F);
  std::vector<float> vector(dimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

double distance(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  const double product = dot(a, b);
  if (metric == Metric::ip) return 1 - product;
  if (metric == Metric::l2) return dot(a, a) + dot(b, b) - 2 * product;
  return 1 - product / std::sqrt(dot(a, a) * dot(b, b));
}

TEST(Convert, RefusesWhatTheTypeCannotKeepAndNamesIt) {
  const std::vector<float> whole = {0, 255, 3};
  const std::vector<float> broken = {0, 1.5F, 3};
  const std::vector<float> negative = {0, 1, -1};
  const std::vector<float> large = {0, 1e38F, 0};
  EXPECT_TRUE(check_storable(whole, Scalar::u8, 3).ok());
  EXPECT_EQ(check_storable(broken, Scalar::u8, 3).a(), 1U);
  EXPECT_EQ(check_storable(negative, Scalar::u8, 3).a(), 2U);
  EXPECT_TRUE(check_storable(negative, Scalar::i8, 3).ok());
  EXPECT_EQ(check_storable(whole, Scalar::i8, 3).a(), 1U) << "255 is no int8";
  EXPECT_EQ(check_storable(large, Scalar::f16, 3).a(), 1U);
  EXPECT_TRUE(check_storable(large, Scalar::bf16, 3).ok());
  const std::vector<float> beyond = {std::numeric_limits<float>::max(), 0, 0};
  EXPECT_EQ(check_storable(beyond, Scalar::bf16, 3).code(), Code::invalid_argument)
      << "the largest float rounds to infinity";
  EXPECT_EQ(check_storable(whole, Scalar::f32, 4).code(), Code::invalid_argument);
  EXPECT_EQ(check_storable(whole, Scalar::b1, 3).code(), Code::invalid_argument);
  const std::uint8_t bits[] = {0xFF};
  EXPECT_EQ(check_storable(VectorView::bits(bits, 3), Scalar::f32, 3).code(),
            Code::invalid_argument);
  EXPECT_EQ(check_storable(VectorView(nullptr, Scalar::f32, 3), Scalar::f32, 3).code(),
            Code::invalid_argument);
}

TEST(Convert, RefusesNaNAndInfinityInEveryFloatType) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (std::size_t at = 0; at < 40; at += 13) {
      std::vector<float> floats(40, 1.0F);
      floats[at] = bad;
      std::vector<f16> halves(40, to_f16(1));
      halves[at] = to_f16(bad);
      std::vector<bf16> brains(40, to_bf16(1));
      brains[at] = to_bf16(bad);
      EXPECT_EQ(check_query(floats, Scalar::f32, 40).a(), at);
      EXPECT_EQ(check_query(halves, Scalar::f32, 40).code(), Code::invalid_argument);
      EXPECT_EQ(check_query(brains, Scalar::f16, 40).a(), at);
    }
  }
}

TEST(Convert, KeepsBytesAndClearsUnusedBits) {
  const std::uint8_t bits[] = {0xFF, 0xFF};
  std::uint8_t out[2] = {};
  convert(VectorView::bits(bits, 11), Scalar::b1, out);
  EXPECT_EQ(out[0], 0xFF);
  EXPECT_EQ(out[1], 0x07);
  float floats[11];
  to_floats(VectorView::bits(out, 11), floats);
  EXPECT_EQ(floats[10], 1.0F);

  const std::vector<float> numbers = {1, 2, 250};
  for (const Scalar scalar : {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::u8}) {
    std::byte kept[12];
    convert(numbers, scalar, kept);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(component(kept, scalar, i), numbers[i]);
    EXPECT_TRUE(fits_exactly(numbers, scalar));
  }
  std::byte kept[3];
  const std::vector<float> small = {-128, 0, 127};
  convert(small, Scalar::i8, kept);
  EXPECT_EQ(component(kept, Scalar::i8, 0), -128.0F);
  EXPECT_DOUBLE_EQ(norm(std::vector<float>{3, 4}), 5.0);
}

TEST(Convert, KnowsWhatFitsExactly) {
  EXPECT_FALSE(fits_exactly(std::vector<float>{0.1F}, Scalar::f16));
  EXPECT_FALSE(fits_exactly(std::vector<float>{1.001F}, Scalar::bf16));
  EXPECT_FALSE(fits_exactly(std::vector<float>{0.5F}, Scalar::i8));
  EXPECT_FALSE(fits_exactly(std::vector<float>{1}, Scalar::b1));
}

TEST(ExactCodes, MeetQueriesOfEveryType) {
  std::mt19937 random(2);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    for (const Scalar scalar : {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::i8, Scalar::u8}) {
      constexpr std::size_t kDimension = 37;
      const ExactCodes codes(metric, scalar, kDimension, {});
      std::vector<float> vector(kDimension);
      std::vector<float> whole(kDimension);
      for (std::size_t i = 0; i < kDimension; ++i) {
        vector[i] = static_cast<float>(random() % 100);
        whole[i] = static_cast<float>(random() % 100);
      }
      const std::vector<float> fraction = random_vector(random, kDimension);
      std::vector<f16> half;
      for (const float x : fraction) half.push_back(to_f16(x));
      std::vector<float> half_floats;
      for (const f16 x : half) half_floats.push_back(to_float(x));

      std::vector<std::byte> row(codes.stride());
      std::vector<std::byte> scratch(codes.scratch_bytes() + 64);
      codes.encode(vector, row.data());
      const auto score = [&](VectorView query) {
        const Scorer scorer{codes.prepare(query, scratch.data()), codes.rows(row.data())};
        const std::uint32_t slot = 0;
        float out = -1;
        scorer(&slot, 1, &out);
        return out;
      };
      const auto near = [&](double given, double expected) {
        EXPECT_NEAR(given, expected, 1e-4 * std::max(1.0, std::abs(expected)))
            << name_of(metric) << " " << name_of(scalar);
      };
      near(score(whole), distance(metric, whole, vector));
      near(score(fraction), distance(metric, fraction, vector));
      near(score(half), distance(metric, half_floats, vector));
      const Scorer node{codes.prepare_row(row.data(), scratch.data()), codes.rows(row.data())};
      const std::uint32_t self = 0;
      float to_itself = -1;
      node(&self, 1, &to_itself);
      near(to_itself, distance(metric, vector, vector));
    }
  }
}

TEST(ExactCodes, CosineOfTinyAndHugeVectorsIsRight) {
  const std::vector<float> x = {1, 2, 3, -4};
  const std::vector<float> y = {2, -1, 0.5F, 1};
  for (const float a : {1e-30F, 1.0F, 1e30F}) {
    for (const float b : {1e-30F, 1.0F, 1e30F}) {
      const ExactCodes codes(Metric::cosine, Scalar::f32, 4, {});
      std::vector<float> scaled_x = x;
      std::vector<float> scaled_y = y;
      for (float& c : scaled_x) c *= a;
      for (float& c : scaled_y) c *= b;
      std::vector<std::byte> row(codes.stride());
      std::vector<std::byte> scratch(codes.scratch_bytes());
      codes.encode(scaled_x, row.data());
      const Scorer scorer{codes.prepare(scaled_y, scratch.data()), codes.rows(row.data())};
      const std::uint32_t slot = 0;
      float out = -1;
      scorer(&slot, 1, &out);
      EXPECT_NEAR(out, distance(Metric::cosine, x, y), 1e-5) << a << " " << b;
    }
  }
}

TEST(Sq8Codes, AreWithinAPercentOfTheTruth) {
  std::mt19937 random(3);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    for (const std::size_t dimension : {1, 7, 100, 384, 1000}) {
      const Sq8Codes codes(metric, dimension);
      std::vector<std::byte> row(codes.stride());
      std::vector<std::byte> other(codes.stride());
      std::vector<std::byte> scratch(codes.scratch_bytes());
      for (int round = 0; round < 20; ++round) {
        const auto vector = random_vector(random, dimension);
        const auto query = random_vector(random, dimension);
        codes.encode(vector, row.data());
        codes.encode(query, other.data());
        const std::uint32_t slot = 0;
        float as_query = 0;
        float as_row = 0;
        Scorer{codes.prepare(query, scratch.data()), codes.rows(row.data())}(&slot, 1, &as_query);
        Scorer{codes.prepare_row(other.data(), scratch.data()), codes.rows(row.data())}(&slot, 1,
                                                                                        &as_row);
        const double scale = metric == Metric::cosine
                                 ? 1
                                 : std::sqrt(dot(vector, vector) * dot(query, query)) + 1e-3;
        EXPECT_NEAR(as_query, distance(metric, vector, query), 0.01 * scale)
            << name_of(metric) << " " << dimension;
        EXPECT_EQ(as_query, as_row) << "a query is coded as a row is";
      }
    }
  }
}

TEST(Sq8Codes, OfConstantAndZeroVectorsAreExact) {
  const Sq8Codes codes(Metric::cosine, 5);
  const std::vector<float> zero(5, 0.0F);
  const std::vector<float> constant(5, 2.0F);
  std::vector<std::byte> row(codes.stride());
  std::vector<std::byte> scratch(codes.scratch_bytes());
  const std::uint32_t slot = 0;
  float out = -1;
  codes.encode(zero, row.data());
  Scorer{codes.prepare(constant, scratch.data()), codes.rows(row.data())}(&slot, 1, &out);
  EXPECT_EQ(out, 1.0F);
  codes.encode(constant, row.data());
  Scorer{codes.prepare(constant, scratch.data()), codes.rows(row.data())}(&slot, 1, &out);
  EXPECT_NEAR(out, 0.0F, 1e-6);
}

}  // namespace
}  // namespace skerry

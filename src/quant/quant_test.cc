// What may come in, what is kept of it, and how far codes are from the truth.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "quant/convert.h"
#include "quant/exact_codes.h"
#include "quant/rot4_codes.h"
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
        codes.encode(vector, row.data(), scratch.data());
        codes.encode(query, other.data(), scratch.data());
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

// Rows of one code and a query, ready to be asked for distances.
class Rot4Table {
 public:
  Rot4Table(Metric metric, std::size_t dimension)
      : codes_(metric, dimension),
        row_(codes_.stride()),
        other_(codes_.stride()),
        scratch_((codes_.scratch_bytes() + 3) / 4) {}

  const std::vector<std::byte>& encode(const std::vector<float>& vector) {
    std::fill(row_.begin(), row_.end(), std::byte{0});
    codes_.encode(vector, row_.data(), scratch());
    return row_;
  }
  float distance(const std::vector<float>& query) {
    return score(codes_.prepare(query, scratch()));
  }
  float distance_of_codes(const std::vector<float>& query) {
    codes_.encode(query, other_.data(), scratch());
    return score(codes_.prepare_row(other_.data(), scratch()));
  }

 private:
  std::byte* scratch() { return reinterpret_cast<std::byte*>(scratch_.data()); }
  float score(const QueryCode& code) {
    const std::uint32_t slot = 0;
    float out = -1;
    Scorer{code, codes_.rows(row_.data())}(&slot, 1, &out);
    return out;
  }

  Rot4Codes codes_;
  std::vector<std::byte> row_;
  std::vector<std::byte> other_;
  std::vector<float> scratch_;
};

double length_without_mean(const std::vector<float>& v) {
  double sum = 0;
  for (const float x : v) sum += static_cast<double>(x);
  return std::sqrt(std::max(0.0, dot(v, v) - sum * sum / static_cast<double>(v.size())));
}

// The error of a dot product is 0.11 of the two lengths over the root of the dimension, and between
// two codes half as much again.
TEST(Rot4Codes, AreAsNearToTheTruthAsTheyPromise) {
  std::mt19937 random(5);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    for (const std::size_t dimension : {16, 33, 100, 128, 384, 785}) {
      Rot4Table table(metric, dimension);
      double squares = 0;
      double code_squares = 0;
      double worst = 0;
      constexpr int kRounds = 300;
      for (int round = 0; round < kRounds; ++round) {
        const auto vector = random_vector(random, dimension);
        const auto query = random_vector(random, dimension);
        table.encode(vector);
        double scale = length_without_mean(vector) * length_without_mean(query) /
                       std::sqrt(static_cast<double>(dimension));
        if (metric == Metric::cosine) scale /= std::sqrt(dot(vector, vector) * dot(query, query));
        if (metric == Metric::l2) scale *= 2;
        const double truth = distance(metric, vector, query);
        const double error = (static_cast<double>(table.distance(query)) - truth) / scale;
        const double code_error =
            (static_cast<double>(table.distance_of_codes(query)) - truth) / scale;
        squares += error * error;
        code_squares += code_error * code_error;
        worst = std::max(worst, std::abs(error));
      }
      EXPECT_LE(std::sqrt(squares / kRounds), 0.125) << name_of(metric) << ' ' << dimension;
      EXPECT_LE(std::sqrt(code_squares / kRounds), 0.18) << name_of(metric) << ' ' << dimension;
      EXPECT_LE(worst, 0.6) << name_of(metric) << ' ' << dimension;
    }
  }
}

TEST(Rot4Codes, AreRightOnAverage) {
  std::mt19937 random(6);
  constexpr std::size_t kDimension = 96;
  constexpr int kRounds = 4000;
  Rot4Table table(Metric::ip, kDimension);
  double errors = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto vector = random_vector(random, kDimension);
    auto query = vector;  // near: a rounding that shrinks would show
    for (float& x : query) x += 0.3F * static_cast<float>(random() % 1000) / 1000;
    table.encode(vector);
    errors += (static_cast<double>(table.distance(query)) - distance(Metric::ip, vector, query)) /
              std::sqrt(dot(vector, vector) * dot(query, query));
  }
  EXPECT_NEAR(errors / kRounds, 0, 2e-4);
}

// Whatever the vector's shape: one component, a constant with little on top, many zeroes.
TEST(Rot4Codes, DoNotMindTheShapeOfAVector) {
  std::mt19937 random(7);
  for (const std::size_t dimension : {64, 100, 384, 784}) {
    for (int shape = 0; shape < 3; ++shape) {
      Rot4Table table(Metric::l2, dimension);
      for (int round = 0; round < 50; ++round) {
        std::vector<float> vector(dimension, shape == 1 ? 1000.0F : 0.0F);
        std::vector<float> query = vector;
        const auto noise = random_vector(random, dimension);
        const auto more = random_vector(random, dimension);
        if (shape == 0) vector[random() % dimension] = 5;
        for (std::size_t i = 0; i < dimension; ++i) {
          if (shape == 1 || (shape == 2 && i % 10 == 0)) vector[i] += noise[i];
          if (shape != 0 || i % 2 == 0) query[i] += more[i];
        }
        table.encode(vector);
        const double scale = length_without_mean(vector) * length_without_mean(query);
        // Single precision has seven digits for the squares of a thousand.
        EXPECT_NEAR(static_cast<double>(table.distance(query)), distance(Metric::l2, vector, query),
                    2 * 0.6 * scale / std::sqrt(static_cast<double>(dimension)) +
                        1e-6 * dot(vector, vector))
            << dimension << ' ' << shape;
      }
    }
  }
}

TEST(Rot4Codes, OfEqualVectorsAreEqualAndAtNoDistance) {
  std::mt19937 random(8);
  for (const std::size_t dimension : {1, 2, 3, 5, 31, 100, 384}) {
    for (const Metric metric : {Metric::l2, Metric::cosine}) {
      Rot4Table one(metric, dimension);
      Rot4Table two(metric, dimension);
      const auto vector = random_vector(random, dimension);
      EXPECT_EQ(one.encode(vector), two.encode(vector));
      const double scale = metric == Metric::cosine ? 1 : dot(vector, vector);
      EXPECT_NEAR(static_cast<double>(one.distance(vector)), 0, 0.01 * scale) << dimension;
    }
  }
}

TEST(Rot4Codes, OfConstantAndZeroVectorsAreExact) {
  for (const std::size_t dimension : {1, 5, 64, 100}) {
    const std::vector<float> zero(dimension, 0.0F);
    const std::vector<float> constant(dimension, 2.0F);
    for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
      Rot4Table table(metric, dimension);
      table.encode(constant);
      const double truth = distance(metric, constant, constant);
      EXPECT_NEAR(static_cast<double>(table.distance(constant)), truth, 1e-4) << dimension;
      EXPECT_NEAR(static_cast<double>(table.distance_of_codes(constant)), truth, 1e-4);
      table.encode(zero);
      const float to_zero = metric == Metric::l2 ? 4.0F * static_cast<float>(dimension) : 1.0F;
      EXPECT_EQ(table.distance(constant), to_zero) << name_of(metric);
      EXPECT_EQ(table.distance(zero), metric == Metric::l2 ? 0.0F : 1.0F);
    }
  }
}

// The rotation is part of the format of images.
TEST(Rot4Codes, AreWhatTheyWere) {
  const auto codes_of = [](std::size_t dimension) {
    std::vector<float> vector(dimension);
    for (std::size_t i = 0; i < dimension; ++i) {
      vector[i] = static_cast<float>(i * i % 7) - 1.5F * static_cast<float>(i % 3);
    }
    Rot4Table table(Metric::ip, dimension);
    const std::vector<std::byte>& row = table.encode(vector);
    return std::vector<std::byte>(row.begin(),
                                  row.begin() + static_cast<std::ptrdiff_t>((dimension + 1) / 2));
  };
  const auto bytes = [](auto... values) { return std::vector{static_cast<std::byte>(values)...}; };
  EXPECT_EQ(codes_of(7), bytes(0x06, 0x66, 0x83, 0x0B));
  EXPECT_EQ(codes_of(8), bytes(0x66, 0xF4, 0x65, 0x79));
  std::uint32_t hash = 2166136261U;
  for (const std::byte both : codes_of(384)) {
    hash = (hash ^ static_cast<std::uint32_t>(both)) * 16777619U;
  }
  EXPECT_EQ(hash, 1521293451U);
}

TEST(Rot4Codes, AreNumbersHoweverLongTheVectors) {
  std::mt19937 random(9);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    for (const double of_row : {1e-44, 1e-30, 1e-15, 1.0, 1e15, 1e30, 1e38}) {
      for (const double of_query : {1e-44, 1e-30, 1e-15, 1.0, 1e15, 1e30, 1e38}) {
        Rot4Table table(metric, 100);
        auto vector = random_vector(random, 100);
        auto query = random_vector(random, 100);
        const double truth = distance(Metric::cosine, vector, query);
        for (float& x : vector) x = static_cast<float>(std::clamp(x * of_row, -3e38, 3e38));
        for (float& x : query) x = static_cast<float>(std::clamp(x * of_query, -3e38, 3e38));
        table.encode(vector);
        const float given = table.distance(query);
        EXPECT_TRUE(std::isfinite(given)) << of_row << ' ' << of_query;
        EXPECT_TRUE(std::isfinite(table.distance_of_codes(query)));
        if (metric == Metric::cosine && of_row >= 1e-30 && of_query >= 1e-30 && of_row <= 1e30 &&
            of_query <= 1e30) {
          EXPECT_NEAR(static_cast<double>(given), truth, 0.06);
        }
      }
    }
  }
}

TEST(Sq8Codes, OfTheWidestAndTheNarrowestRangesAreCodes) {
  constexpr float kMost = std::numeric_limits<float>::max();
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  const Sq8Codes codes(Metric::l2, 4);
  std::vector<std::byte> row(codes.stride());
  std::vector<std::byte> scratch(codes.scratch_bytes());
  const auto bytes_of = [&](const std::vector<float>& vector) {
    codes.encode(vector, row.data(), scratch.data());
    std::vector<int> bytes(4);
    for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<int>(row[i]);
    return bytes;
  };
  EXPECT_EQ(bytes_of({-kMost, kMost, 0, kMost / 2}), (std::vector<int>{0, 255, 128, 191}));
  EXPECT_EQ(bytes_of({5, 5, 5, 5}), (std::vector<int>{0, 0, 0, 0}));
  const std::vector<int> narrow = bytes_of({0, kLeast, 2 * kLeast, 0});
  EXPECT_EQ(narrow[0], 0);
  EXPECT_EQ(narrow[3], 0);
  EXPECT_EQ(bytes_of({-1, 254, 0.4F, 0.6F}), (std::vector<int>{0, 255, 1, 2}));
}

TEST(Sq8Codes, OfConstantAndZeroVectorsAreExact) {
  const Sq8Codes codes(Metric::cosine, 5);
  const std::vector<float> zero(5, 0.0F);
  const std::vector<float> constant(5, 2.0F);
  std::vector<std::byte> row(codes.stride());
  std::vector<std::byte> scratch(codes.scratch_bytes());
  const std::uint32_t slot = 0;
  float out = -1;
  codes.encode(zero, row.data(), scratch.data());
  Scorer{codes.prepare(constant, scratch.data()), codes.rows(row.data())}(&slot, 1, &out);
  EXPECT_EQ(out, 1.0F);
  codes.encode(constant, row.data(), scratch.data());
  Scorer{codes.prepare(constant, scratch.data()), codes.rows(row.data())}(&slot, 1, &out);
  EXPECT_NEAR(out, 0.0F, 1e-6);
}

}  // namespace
}  // namespace skerry

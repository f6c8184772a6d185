// contract_vectors_test.cc - which vectors are taken, which refused, and what comes back?
//
// Contract: "dimension", "NaN or infinity", "zero vector", the bytes of "cosine", and the storage
// types of options.h.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class VectorsContract : public ContractTest {};
SKERRY_IN_EVERY_FORM(VectorsContract);

TEST_P(VectorsContract, DimensionsFromOneTo65535Work) {
  for (const std::uint32_t dimension : {1U, 2U, 3U, 17U, 1000U, 65'535U}) {
    SCOPED_TRACE(dimension);
    const auto subject = make({.dimension = dimension});
    Model model(Metric::l2, Scalar::f32, dimension);
    Random random(dimension);
    const Table table = random_table(random, Scalar::f32, 6, dimension);
    for (Key key = 0; key < 5; ++key) {
      ASSERT_OK(subject->insert(key, table.row(key)));
      model.put(key, table.row(key));
    }
    EXPECT_TRUE(model.perfect(table.row(5), subject->find(table.row(5), 5), 5));
    std::vector<std::byte> got(table.row_bytes());
    ASSERT_OK(subject->get_bytes(4, got));
    EXPECT_TRUE(std::ranges::equal(got, table.bytes(4)));
    ASSERT_OK(subject->check());
  }
}

TEST_P(VectorsContract, DimensionsOutOfRangeAreRefusedAtCreate) {
  std::unique_ptr<Subject> none;
  for (const std::uint32_t dimension : {0U, 65'536U}) {
    EXPECT_ERROR_SAYING(
        create_subject(GetParam().door, GetParam().shape({.dimension = dimension}), none),
        Code::invalid_argument, "dimension", dimension);
  }
}

TEST_P(VectorsContract, AnotherLengthIsInvalidArgumentAndNamesExpectedAndGiven) {
  const auto subject = make({.dimension = 16});
  const std::vector<float> good(16, 1.0F);
  ASSERT_OK(subject->insert(1, good));
  for (const std::size_t length : {0U, 1U, 15U, 17U, 32U}) {
    SCOPED_TRACE(length);
    const std::vector<float> wrong(length, 2.0F);
    const std::vector<Key> keys = {1, 2};
    const std::vector<float> rows(2 * length, 2.0F);
    const MatrixView matrix(rows.data(), Scalar::f32, 2, length);
    std::vector<Hit> hits(4);
    std::vector<std::uint32_t> counts(2);
    EXPECT_ERROR_SAYING(subject->insert(2, wrong), Code::invalid_argument, 16, length);
    EXPECT_ERROR_SAYING(subject->upsert(1, wrong), Code::invalid_argument, 16, length);
    EXPECT_ERROR_SAYING(subject->upsert(keys, matrix), Code::invalid_argument, 16, length);
    EXPECT_ERROR_SAYING(subject->search(wrong, hits), Code::invalid_argument, 16, length);
    EXPECT_ERROR_SAYING(subject->search_batch(matrix, hits, counts), Code::invalid_argument, 16,
                        length);
  }
  EXPECT_EQ(subject->keys(), (std::vector<Key>{1}));
  std::vector<float> got(16);
  ASSERT_OK(subject->get(1, got));
  EXPECT_EQ(got, good);
}

TEST_P(VectorsContract, GetIntoAnotherLengthIsInvalidArgumentAndNamesExpectedAndGiven) {
  const auto subject = make({.dimension = 16});
  ASSERT_OK(subject->insert(1, std::vector<float>(16, 1.0F)));
  std::vector<float> floats(15);
  std::vector<std::byte> bytes(65);
  EXPECT_ERROR_SAYING(subject->get(1, floats), Code::invalid_argument, 16, 15);
  EXPECT_ERROR_SAYING(subject->get_bytes(1, bytes), Code::invalid_argument, 64, 65);
}

TEST_P(VectorsContract, NaNOrInfinityIsRefusedAndNamesTheFirstBadComponent) {
  for (const Scalar scalar : {Scalar::f32, Scalar::f16, Scalar::bf16}) {
    const auto subject = make({.dimension = 300, .metric = Metric::cosine, .scalar = scalar});
    Table good(scalar, 1, 300);
    for (std::size_t i = 0; i < 300; ++i) good.set(0, i, 1);
    ASSERT_OK(subject->insert(1, good.row(0)));
    for (const std::size_t first : {0U, 150U, 299U}) {
      for (const float value : {kNaN, kInfinity, -kInfinity}) {
        SCOPED_TRACE(std::string(skerry::name_of(scalar)) + " component " + std::to_string(first));
        Table bad = good;
        bad.set(0, first, value);
        bad.set(0, 299, value);  // only the first is named
        std::vector<Hit> hits(3);
        EXPECT_ERROR_SAYING(subject->insert(2, bad.row(0)), Code::invalid_argument, first);
        EXPECT_ERROR_SAYING(subject->upsert(1, bad.row(0)), Code::invalid_argument, first);
        EXPECT_ERROR_SAYING(subject->search(bad.row(0), hits), Code::invalid_argument, first);
      }
    }
    EXPECT_EQ(subject->keys(), (std::vector<Key>{1}));
    std::vector<std::byte> got(good.row_bytes());
    ASSERT_OK(subject->get_bytes(1, got));
    EXPECT_TRUE(std::ranges::equal(got, good.bytes(0)));
  }
}

TEST_P(VectorsContract, NaNInABatchOfQueriesIsRefused) {
  const auto subject = make({.dimension = 8});
  ASSERT_OK(subject->insert(1, std::vector<float>(8, 1.0F)));
  std::vector<float> queries(5 * 8, 1.0F);
  queries[3 * 8 + 6] = kNaN;
  std::vector<Hit> hits(5);
  std::vector<std::uint32_t> counts(5);
  EXPECT_ERROR_SAYING(subject->search_batch(MatrixView(queries, 8), hits, counts),
                      Code::invalid_argument, 6);
}

TEST_P(VectorsContract, AFloatThatOverflowsHalfPrecisionIsRefused) {
  const auto subject = make({.dimension = 4, .scalar = Scalar::f16});
  EXPECT_ERROR_SAYING(subject->insert(1, std::array{1.0F, 1.0F, 70'000.0F, 1.0F}),
                      Code::invalid_argument, 2);
  EXPECT_EQ(subject->size(), 0u);
}

TEST_P(VectorsContract, AZeroVectorIsAtCosineDistanceOneFromEverything) {
  const auto subject = make({.dimension = 24, .metric = Metric::cosine});
  Random random(3);
  const Table table = random_table(random, Scalar::f32, 20, 24);
  const std::vector<float> zero(24, 0.0F);
  ASSERT_OK(subject->insert(0, zero));
  for (Key key = 1; key < 20; ++key) ASSERT_OK(subject->insert(key, table.row(key)));
  // As the query: everything ties at 1, and goes by key.
  const auto all = subject->find(zero, 20, {.exact = true});
  ASSERT_EQ(all.size(), 20u);
  for (Key key = 0; key < 20; ++key) EXPECT_EQ(all[key], (Hit{key, 1.0F}));
  // As the stored vector: 1 from any query.
  for (std::size_t q = 0; q < 20; ++q) {
    for (const Hit& hit : subject->find(table.row(q), 20)) {
      EXPECT_TRUE(hit.key != 0 || hit.distance == 1.0F);
    }
  }
  std::vector<float> got(24, 5.0F);
  ASSERT_OK(subject->get(0, got));
  EXPECT_EQ(got, zero);
  ASSERT_OK(subject->check());
}

TEST_P(VectorsContract, GetReturnsTheCallersOwnBytesWhateverTheNorm) {
  const auto subject = make({.dimension = 33, .metric = Metric::cosine});
  Random random(4);
  Table table = random_table(random, Scalar::f32, 8, 33);
  const std::array<double, 8> scales = {1, 1e-3, 1e3, 1e-30, 1e30, 17, 1e-38, 0.5};
  for (std::size_t r = 0; r < 8; ++r) {
    for (std::size_t i = 0; i < 33; ++i) {
      table.set(r, i, component(table.row(r), i) * scales[r]);
    }
    ASSERT_OK(subject->insert(r, table.row(r)));
  }
  const auto expect_own_bytes = [&] {
    for (std::size_t r = 0; r < 8; ++r) {
      std::vector<std::byte> got(table.row_bytes());
      ASSERT_OK(subject->get_bytes(r, got));
      EXPECT_TRUE(std::ranges::equal(got, table.bytes(r)));
    }
  };
  expect_own_bytes();
  ASSERT_OK(subject->reopen());
  expect_own_bytes();
}

TEST_P(VectorsContract, GetAsFloatsReadsEveryScalarType) {
  for (const Scalar scalar :
       {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::i8, Scalar::u8, Scalar::b1}) {
    SCOPED_TRACE(skerry::name_of(scalar));
    const std::uint32_t dimension = 37;
    const Metric metric = scalar == Scalar::b1 ? Metric::hamming : Metric::l2;
    const auto subject = make({.dimension = dimension, .metric = metric, .scalar = scalar});
    Random random(5);
    const Table table = random_table(random, scalar, 3, dimension);
    for (Key key = 0; key < 3; ++key) ASSERT_OK(subject->insert(key, table.row(key)));
    for (Key key = 0; key < 3; ++key) {
      std::vector<float> floats(dimension);
      std::vector<std::byte> bytes(table.row_bytes());
      ASSERT_OK(subject->get(key, floats));
      ASSERT_OK(subject->get_bytes(key, bytes));
      EXPECT_TRUE(std::ranges::equal(bytes, table.bytes(key)));
      for (std::size_t i = 0; i < dimension; ++i) {
        EXPECT_EQ(floats[i], component(table.row(key), i)) << i;
      }
    }
  }
}

TEST_P(VectorsContract, FloatsAreRoundedToTheNearestHalf) {
  for (const Scalar scalar : {Scalar::f16, Scalar::bf16}) {
    SCOPED_TRACE(skerry::name_of(scalar));
    const auto subject = make({.dimension = 64, .scalar = scalar});
    Random random(6);
    std::vector<float> given(64);
    for (float& x : given) x = static_cast<float>(uniform(random, -100, 100));
    given[0] = 0;
    given[1] = 1 + 0x1p-11F;  // half way between two f16: to even, 1
    given[2] = 1 + 0x1p-8F;   // half way between two bf16: to even, 1
    ASSERT_OK(subject->insert(1, given));
    std::vector<float> got(64);
    ASSERT_OK(subject->get(1, got));
    const double step = scalar == Scalar::f16 ? 0x1p-10 : 0x1p-7;
    for (std::size_t i = 0; i < 64; ++i) {
      const double unit = std::ldexp(step, given[i] == 0 ? 0 : std::ilogb(given[i]));
      EXPECT_EQ(got[i], std::nearbyint(given[i] / unit) * unit) << i;
    }
  }
}

TEST_P(VectorsContract, FloatsForByteVectorsMustBeWholeNumbersInRange) {
  const std::vector<float> good = {0, 1, 127, 100};
  for (const Scalar scalar : {Scalar::i8, Scalar::u8}) {
    SCOPED_TRACE(skerry::name_of(scalar));
    const auto subject = make({.dimension = 4, .scalar = scalar});
    ASSERT_OK(subject->insert(1, good));
    std::vector<float> got(4);
    ASSERT_OK(subject->get(1, got));
    EXPECT_EQ(got, good);
    const float above = scalar == Scalar::i8 ? 128 : 256;
    const float under = scalar == Scalar::i8 ? -129 : -1;
    for (const float wrong : {0.5F, above, under, kNaN, 1e30F}) {
      std::vector<float> bad = good;
      bad[2] = wrong;
      EXPECT_ERROR_SAYING(subject->upsert(1, bad), Code::invalid_argument, 2);
    }
    ASSERT_OK(subject->get(1, got));
    EXPECT_EQ(got, good);
  }
}

TEST_P(VectorsContract, BitsAndNumbersDoNotMix) {
  Random random(7);
  const Table bytes = random_table(random, Scalar::u8, 1, 16);
  const Table bits = random_table(random, Scalar::b1, 1, 16);
  std::vector<Hit> hits(1);
  const auto floats = make({.dimension = 16});
  EXPECT_ERROR(floats->insert(1, bits.row(0)), Code::invalid_argument);
  EXPECT_ERROR(floats->search(bits.row(0), hits), Code::invalid_argument);
  const auto sets = make({.dimension = 16, .metric = Metric::hamming, .scalar = Scalar::b1});
  EXPECT_ERROR(sets->insert(1, std::vector<float>(16, 1.0F)), Code::invalid_argument);
  EXPECT_ERROR(sets->insert(1, bytes.row(0)), Code::invalid_argument);
  EXPECT_ERROR(sets->search(bytes.row(0), hits), Code::invalid_argument);
  EXPECT_EQ(floats->size() + sets->size(), 0u);
}

TEST_P(VectorsContract, NumbersOfEveryTypeMeetNumbersOfEveryOtherExactly) {
  constexpr std::array kNumbers = {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::i8, Scalar::u8};
  for (const Scalar stored : kNumbers) {
    for (const Scalar given : kNumbers) {
      SCOPED_TRACE(std::string(skerry::name_of(given)) + " in " +
                   std::string(skerry::name_of(stored)));
      const auto subject = make({.dimension = 20, .scalar = stored});
      Random random(8);
      Table table(given, 30, 20);
      Model model(Metric::l2, given, 20);
      for (Key key = 0; key < 30; ++key) {  // whole numbers that every type holds
        for (std::size_t i = 0; i < 20; ++i) {
          table.set(key, i, static_cast<double>(below(random, 100)));
        }
        ASSERT_OK(subject->upsert(key, table.row(key)));
        model.put(key, table.row(key));
      }
      EXPECT_TRUE(model.perfect(table.row(4), subject->find(table.row(4), 9, {.exact = true}), 9));
    }
  }
  const auto subject = make({.dimension = 1, .scalar = Scalar::i8});
  EXPECT_ERROR_SAYING(subject->insert(1, std::array{std::uint8_t{128}}), Code::invalid_argument, 0);
}

TEST_P(VectorsContract, RowsMayStandApartInTheCallersMemory) {
  const auto subject = make({.dimension = 3});
  const std::vector<float> padded = {1, 2, 3, -1, 4, 5, 6, -1, 7, 8, 9, -1};
  const MatrixView rows(padded.data(), Scalar::f32, 3, 3, 16);
  const std::vector<Key> keys = {10, 20, 30};
  ASSERT_OK(subject->upsert(keys, rows));
  std::array<float, 3> got{};
  ASSERT_OK(subject->get(20, got));
  EXPECT_EQ(got, (std::array{4.0F, 5.0F, 6.0F}));
  std::vector<Hit> hits(3);
  std::vector<std::uint32_t> counts(3);
  ASSERT_OK(subject->search_batch(rows, hits, counts));
  EXPECT_EQ(hits, (std::vector<Hit>{{10, 0}, {20, 0}, {30, 0}}));
}

}  // namespace
}  // namespace skerry::testing

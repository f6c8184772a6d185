// contract_metrics_test.cc - is every returned distance the exact one?
//
// Contract: "distances", "cosine" and "every returned distance is exact for the stored vector,
// whatever the codes", for every lawful pair of metric and scalar type.

#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

// A metric over a scalar type, in a form.
struct Space {
  Metric metric = Metric::l2;
  Scalar scalar = Scalar::f32;
  Form form;
};

std::string name_of(const Space& space) {
  return std::string(skerry::name_of(space.metric)) + "_" +
         std::string(skerry::name_of(space.scalar)) + "_" + name_of(space.form);
}

void PrintTo(const Space& space, std::ostream* out) {
  *out << name_of(space);
}

bool lawful(Metric metric, Scalar scalar) {
  switch (metric) {
    case Metric::hamming:
    case Metric::jaccard:
      return scalar == Scalar::b1;
    case Metric::haversine:
    case Metric::custom:  // the tests' own function reads floats
      return scalar == Scalar::f32;
    default:
      return scalar != Scalar::b1;
  }
}

constexpr std::array kMetrics = {Metric::l2,      Metric::ip,      Metric::cosine,
                                 Metric::hamming, Metric::jaccard, Metric::haversine,
                                 Metric::custom};
constexpr std::array kScalars = {Scalar::f32, Scalar::f16, Scalar::bf16,
                                 Scalar::i8,  Scalar::u8,  Scalar::b1};

// Every pair at the index; at the collection, which runs the same engine, once each.
std::vector<Space> all_spaces() {
  std::vector<Space> spaces;
  for (const Metric metric : kMetrics) {
    for (const Scalar scalar : kScalars) {
      if (!lawful(metric, scalar)) continue;
      for (const Form& form : all_forms()) {
        if (form.door == Door::collection && (form.codes == Codes::exact || !form.graph)) continue;
        if (form.codes == Codes::automatic) continue;  // which are one of the others
        // Short codes measure by products and differences: the other metrics have exact ones alone.
        const bool own_codes = metric == Metric::haversine || metric == Metric::custom;
        spaces.push_back({metric, scalar, form});
        if (own_codes) spaces.back().form.codes = Codes::exact;
        const bool twice =
            form.codes == Codes::rot4 || (form.codes == Codes::sq8 && form.door == Door::index);
        if (own_codes && twice) spaces.pop_back();
      }
    }
  }
  return spaces;
}

class MetricsContract : public ::testing::TestWithParam<Space> {
 protected:
  std::unique_ptr<Subject> make(std::uint32_t dimension) const {
    IndexOptions options = {
        .dimension = dimension, .metric = GetParam().metric, .scalar = GetParam().scalar};
    if (GetParam().metric == Metric::custom) options.custom = custom_distance();
    std::unique_ptr<Subject> subject;
    const Status status =
        create_subject(GetParam().form.door, GetParam().form.shape(options), subject);
    EXPECT_OK(status);
    return subject;
  }
  Table random_rows(Random& random, std::size_t rows, std::uint32_t dimension) const {
    return GetParam().metric == Metric::haversine
               ? random_places(random, rows)
               : random_table(random, GetParam().scalar, rows, dimension);
  }
};
INSTANTIATE_TEST_SUITE_P(, MetricsContract, ::testing::ValuesIn(all_spaces()),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(MetricsContract, EveryReturnedDistanceIsExactForTheStoredVector) {
  const bool places = GetParam().metric == Metric::haversine;
  for (const std::uint32_t dimension : {1U, 7U, 8U, 31U, 64U, 100U, 384U, 1025U}) {
    if (places && dimension != 7) continue;
    const std::uint32_t d = places ? 2 : dimension;
    SCOPED_TRACE(d);
    const auto subject = make(d);
    ASSERT_NE(subject, nullptr);
    Random random(dimension);
    constexpr std::size_t kRows = 120;
    const Table table = random_rows(random, kRows + 5, d);
    Model model(GetParam().metric, GetParam().scalar, d);
    std::vector<Key> keys(kRows);
    for (Key key = 0; key < kRows; ++key) {
      keys[key] = key;
      model.put(key, table.row(key));
    }
    ASSERT_OK(subject->upsert(keys, table.matrix(0, kRows)));
    for (std::size_t q = kRows - 5; q < kRows + 5; ++q) {  // five of them stored
      EXPECT_TRUE(model.honest(table.row(q), subject->find(table.row(q), 25)));
      EXPECT_TRUE(
          model.perfect(table.row(q), subject->find(table.row(q), 25, {.exact = true}), 25));
      EXPECT_TRUE(model.perfect(table.row(q), subject->find(table.row(q), 200), 200));
    }
    ASSERT_OK(subject->check());
  }
}

TEST_P(MetricsContract, FloatQueriesMeetSmallerVectorsExactly) {
  const Scalar scalar = GetParam().scalar;
  if (scalar == Scalar::f32 || scalar == Scalar::b1) return;  // have one type of query
  const auto subject = make(50);
  Random random(11);
  const Table table = random_rows(random, 80, 50);
  const Table queries = random_table(random, Scalar::f32, 10, 50);
  Model model(GetParam().metric, scalar, 50);
  for (Key key = 0; key < 80; ++key) {
    ASSERT_OK(subject->insert(key, table.row(key)));
    model.put(key, table.row(key));
  }
  for (std::size_t q = 0; q < 10; ++q) {
    EXPECT_TRUE(model.honest(queries.row(q), subject->find(queries.row(q), 12)));
    EXPECT_TRUE(
        model.perfect(queries.row(q), subject->find(queries.row(q), 12, {.exact = true}), 12));
  }
}

TEST_P(MetricsContract, DistancesStayExactAfterUpdatesAndReopening) {
  const std::uint32_t d = GetParam().metric == Metric::haversine ? 2 : 20;
  const auto subject = make(d);
  Random random(12);
  const Table table = random_rows(random, 300, d);
  Model model(GetParam().metric, GetParam().scalar, d);
  for (std::size_t i = 0; i < 300; ++i) {
    const Key key = i % 130;
    ASSERT_OK(subject->upsert(key, table.row(i)));
    model.put(key, table.row(i));
    if (i % 7 == 0) {
      ASSERT_OK(subject->remove(i / 3));
      model.erase(i / 3);
    }
  }
  const auto expect_right = [&] {
    for (std::size_t q = 0; q < 10; ++q) {
      EXPECT_TRUE(model.honest(table.row(q), subject->find(table.row(q), 15)));
      EXPECT_TRUE(
          model.perfect(table.row(q), subject->find(table.row(q), 15, {.exact = true}), 15));
    }
    EXPECT_OK(subject->check());
  };
  expect_right();
  ASSERT_OK(subject->reopen());
  expect_right();
}

// The definitions, in numbers anybody can check by hand.
class DistancesContract : public ContractTest {
 protected:
  float distance(const IndexOptions& options, VectorView stored, VectorView query) {
    const auto subject = make(options);
    EXPECT_OK(subject->insert(1, stored));
    const auto hits = subject->find(query, 1);
    EXPECT_EQ(hits.size(), 1u);
    return hits.empty() ? NAN : hits[0].distance;
  }
};
SKERRY_IN_EVERY_FORM(DistancesContract);

TEST_P(DistancesContract, L2IsSquared) {
  EXPECT_EQ(distance({.dimension = 2}, std::array{0.0F, 0.0F}, std::array{3.0F, 4.0F}), 25);
}

TEST_P(DistancesContract, IpIsOneMinusDotAndMayBeNegative) {
  const IndexOptions options = {.dimension = 2, .metric = Metric::ip};
  EXPECT_EQ(distance(options, std::array{2.0F, 3.0F}, std::array{4.0F, 5.0F}), -22);
  EXPECT_EQ(distance(options, std::array{0.0F, 0.0F}, std::array{4.0F, 5.0F}), 1);
}

TEST_P(DistancesContract, CosineLiesWithinZeroAndTwo) {
  const IndexOptions options = {.dimension = 3, .metric = Metric::cosine};
  EXPECT_NEAR(distance(options, std::array{1.0F, 1.0F, 0.0F}, std::array{0.0F, 0.0F, 2.0F}), 1,
              1e-6);
  EXPECT_NEAR(distance(options, std::array{1.0F, 1.0F, 0.0F}, std::array{-2.0F, -2.0F, 0.0F}), 2,
              1e-6);
  Random random(8);
  const Table table = random_table(random, Scalar::f32, 50, 3);
  const auto subject = make(options);
  for (Key key = 0; key < 50; ++key) ASSERT_OK(subject->insert(key, table.row(key)));
  for (std::size_t q = 0; q < 50; ++q) {
    Table opposite(Scalar::f32, 1, 3);
    for (std::size_t i = 0; i < 3; ++i) opposite.set(0, i, -component(table.row(q), i));
    for (const VectorView query : {table.row(q), opposite.row(0)}) {
      for (const Hit& hit : subject->find(query, 50, {.exact = true})) {
        EXPECT_GE(hit.distance, 0);
        EXPECT_LE(hit.distance, 2);
      }
    }
  }
}

TEST_P(DistancesContract, CosineIsComputedOnAnyNorm) {
  const IndexOptions options = {.dimension = 24, .metric = Metric::cosine};
  Random random(9);
  const Table shape = random_table(random, Scalar::f32, 12, 24);
  const auto stretched = [&](std::size_t row, double by) {
    Table table(Scalar::f32, 1, 24);
    for (std::size_t i = 0; i < 24; ++i) table.set(0, i, component(shape.row(row), i) * by);
    return table;
  };
  const std::array<double, 6> norms = {1, 1e-30, 1e30, 1e-37, 3e38, 1e-10};
  Model model(Metric::cosine, Scalar::f32, 24);
  const auto subject = make(options);
  for (Key key = 0; key < 12; ++key) {
    const Table vector = stretched(key, norms[key % 6]);
    ASSERT_OK(subject->insert(key, vector.row(0)));
    model.put(key, vector.row(0));
  }
  for (const double norm : norms) {
    SCOPED_TRACE(norm);
    for (std::size_t q = 0; q < 12; ++q) {
      const Table query = stretched(q, norm);
      const auto hits = subject->find(query.row(0), 12);
      EXPECT_TRUE(model.perfect(query.row(0), hits, 12));
      ASSERT_FALSE(hits.empty());
      EXPECT_EQ(hits[0].key, q);
      EXPECT_NEAR(hits[0].distance, 0, 1e-6);
    }
  }
}

TEST_P(DistancesContract, HammingCountsBits) {
  const IndexOptions options = {.dimension = 11, .metric = Metric::hamming, .scalar = Scalar::b1};
  const std::array<std::uint8_t, 2> a = {0b10110011, 0b00000101};
  const std::array<std::uint8_t, 2> b = {0b00110011, 0b00000010};
  EXPECT_EQ(distance(options, VectorView::bits(a.data(), 11), VectorView::bits(b.data(), 11)), 4);
}

TEST_P(DistancesContract, JaccardIsOneMinusSimilarityOnBits) {
  const IndexOptions options = {.dimension = 11, .metric = Metric::jaccard, .scalar = Scalar::b1};
  const std::array<std::uint8_t, 2> a = {0b00001111, 0b00000000};
  const std::array<std::uint8_t, 2> b = {0b00111100, 0b00000110};
  const std::array<std::uint8_t, 2> none = {0, 0};
  const auto bits = [](const auto& bytes) { return VectorView::bits(bytes.data(), 11); };
  EXPECT_FLOAT_EQ(distance(options, bits(a), bits(b)), 1 - 2.0F / 8);
  EXPECT_EQ(distance(options, bits(a), bits(a)), 0);
  EXPECT_EQ(distance(options, bits(a), bits(none)), 1);
  EXPECT_EQ(distance(options, bits(none), bits(none)), 0);
}

TEST_P(DistancesContract, HaversineGivesMetres) {
  if (GetParam().codes != Codes::exact) return;  // has exact codes alone
  const IndexOptions options = {.dimension = 2, .metric = Metric::haversine};
  constexpr double kRadius = 6'371'008.8;
  constexpr double kDegree = kRadius * std::numbers::pi / 180;
  const auto metres = [&](std::array<float, 2> a, std::array<float, 2> b) {
    return distance(options, a, b);
  };
  EXPECT_EQ(metres({51.5F, -0.125F}, {51.5F, -0.125F}), 0);
  EXPECT_NEAR(metres({0, 0}, {1, 0}), kDegree, 1);
  EXPECT_NEAR(metres({0, 10}, {0, 11}), kDegree, 1);
  EXPECT_NEAR(metres({0, 179.5F}, {0, -179.5F}), kDegree, 1);  // across the date line
  EXPECT_NEAR(metres({60, 20}, {60, 21}), kDegree / 2, 10);    // a meridian's degree at 60 north
  EXPECT_NEAR(metres({90, 0}, {-90, 0}), kRadius * std::numbers::pi, 10'000);
  EXPECT_NEAR(metres({48.8566F, 2.3522F}, {51.5074F, -0.1278F}), 343'556, 100);  // Paris, London
}

TEST_P(DistancesContract, CustomIsAFunction) {
  if (GetParam().codes != Codes::exact) return;  // has exact codes alone
  const IndexOptions options = {
      .dimension = 3, .metric = Metric::custom, .custom = custom_distance()};
  EXPECT_EQ(distance(options, std::array{1.0F, 2.0F, 3.0F}, std::array{2.0F, 0.0F, 3.0F}), 1.5F);
}

TEST_P(DistancesContract, MetricsRefuseTypesTheyAreNotDefinedOn) {
  std::unique_ptr<Subject> none;
  for (const Metric metric : kMetrics) {
    for (const Scalar scalar : kScalars) {
      if (lawful(metric, scalar) || metric == Metric::custom) continue;
      SCOPED_TRACE(std::string(skerry::name_of(metric)) + " " +
                   std::string(skerry::name_of(scalar)));
      EXPECT_ERROR(
          create_subject(GetParam().door,
                         GetParam().shape({.dimension = metric == Metric::haversine ? 2U : 8U,
                                           .metric = metric,
                                           .scalar = scalar}),
                         none),
          Code::invalid_argument);
    }
  }
  EXPECT_ERROR_SAYING(
      create_subject(GetParam().door,
                     GetParam().shape({.dimension = 3, .metric = Metric::haversine}), none),
      Code::invalid_argument, 2, 3);
}

}  // namespace
}  // namespace skerry::testing

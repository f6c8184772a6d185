// row_scan_test.cc - do rows that are handed in give what an index with the same rows gives?
#include "index/row_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace skerry {
namespace {

struct Shape {
  Metric metric;
  Scalar scalar;
  std::uint32_t dimension;
  Key rows;
};

// Rows whose distances tie often.
std::vector<std::byte> row_of(const Shape& shape, Key key) {
  std::vector<std::byte> row(vector_bytes(shape.scalar, shape.dimension));
  std::mt19937_64 random(key % 37);
  for (std::size_t i = 0; i < shape.dimension; ++i) {
    const auto value = static_cast<float>(random() % 5);
    if (shape.scalar == Scalar::f32) std::memcpy(row.data() + 4 * i, &value, 4);
    if (shape.scalar == Scalar::u8) row[i] = static_cast<std::byte>(value);
  }
  return row;
}

class RowScanTest : public ::testing::TestWithParam<Shape> {
 protected:
  SearchResult scanned(VectorView query, std::span<Hit> hits, const SearchOptions& wanted = {}) {
    RowScan scan({.dimension = shape_.dimension, .metric = shape_.metric, .scalar = shape_.scalar},
                 query, hits, wanted, {});
    EXPECT_TRUE(scan.reserve().ok());
    for (Key key = 0; key < shape_.rows && !scan.is_exhausted();) {
      for (; key < shape_.rows && !scan.is_full(); ++key) scan.add(key, row_of(shape_, key));
      scan.score([](Key passed) { return passed % 3 != 0; });
      EXPECT_LE(scan.best().size(), hits.size());
    }
    return scan.finish();
  }

  Shape shape_ = GetParam();
};
INSTANTIATE_TEST_SUITE_P(, RowScanTest,
                         ::testing::Values(Shape{Metric::l2, Scalar::f32, 5, 1000},
                                           Shape{Metric::cosine, Scalar::f32, 24, 600},
                                           Shape{Metric::ip, Scalar::u8, 3, 2000},
                                           Shape{Metric::l2, Scalar::f32, 65535, 12}));

TEST_P(RowScanTest, FindsWhatAScanOfAnIndexFinds) {
  const auto engine = std::move(*Engine::create(
      {.dimension = shape_.dimension, .metric = shape_.metric, .scalar = shape_.scalar}));
  for (Key key = 0; key < shape_.rows; ++key) {
    const std::vector<std::byte> row = row_of(shape_, key);
    const MatrixView one(row.data(), shape_.scalar, 1, shape_.dimension);
    ASSERT_TRUE(engine->insert({std::span(&key, 1), one, false}, {}).ok());
  }
  const std::vector<std::byte> asked = row_of(shape_, 5);
  const VectorView query(asked.data(), shape_.scalar, shape_.dimension);
  const auto odd = [](Key key) { return key % 3 != 0; };
  for (const std::size_t k : {std::size_t{1}, std::size_t{10}, std::size_t{3000}}) {
    std::vector<Hit> expected(k);
    std::vector<Hit> found(k);
    const auto truth =
        engine->search(query, expected, {.filter = Filter::where(odd), .exact = true});
    const SearchResult result = scanned(query, found);
    ASSERT_TRUE(truth.ok());
    EXPECT_EQ(result.count, truth->count);
    EXPECT_TRUE(result.exact);
    EXPECT_EQ(found, expected);
  }
  // None farther than the middle one.
  std::vector<Hit> expected(shape_.rows);
  std::vector<Hit> found(shape_.rows);
  const auto all = engine->search(query, expected, {.filter = Filter::where(odd), .exact = true});
  const float middle = expected[all->count / 2].distance;
  const auto truth = engine->search(
      query, expected, {.filter = Filter::where(odd), .max_distance = middle, .exact = true});
  EXPECT_EQ(scanned(query, found, {.max_distance = middle}).count, truth->count);
  EXPECT_TRUE(std::equal(found.begin(), found.begin() + truth->count, expected.begin()));
}

TEST_P(RowScanTest, ABudgetEndsItAndIsNotExceeded) {
  const std::vector<std::byte> asked = row_of(shape_, 5);
  const VectorView query(asked.data(), shape_.scalar, shape_.dimension);
  std::vector<Hit> found(3000);
  const SearchResult result = scanned(query, found, {.budget = 6});
  EXPECT_EQ(result.visited, 6U);
  EXPECT_EQ(result.count, 6U);
  EXPECT_TRUE(result.exhausted);
  EXPECT_FALSE(result.exact);
}

}  // namespace
}  // namespace skerry

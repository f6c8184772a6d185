// duplicates_test.cc - does a graph of copies hold together?
//
// Ten crowds of a thousand identical vectors, vectors that are nearly the same, and vectors of
// zeros (whose cosine distance to everything is 1): everybody is reached, a search for k gets k,
// and they leave one by one. Contract: "k > live", "zero vector, cosine", "results", "filter".
// Seeds are printed.

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kDimension = 8;

class DuplicatesContract : public ContractTest {
 protected:
  void make_subject(Metric metric) {
    subject_ =
        make({.dimension = kDimension, .metric = metric, .M = 8, .ef_construction = 60, .ef = 64});
  }

  void expect_whole(const char* when) const {
    const Result<CheckReport> report = subject_->check();
    ASSERT_OK(report);
    EXPECT_EQ(report->unreachable, 0U) << when;
  }

  // Who is found by a search for `k` at the row's place, all of them at that distance.
  void expect_k_at(const Table& table, std::size_t row, std::size_t k, float distance,
                   std::uint32_t ef = 64) const {
    const std::vector<Hit> hits = subject_->find(table.row(row), k, {.ef = ef});
    EXPECT_EQ(hits.size(), k) << "row " << row;
    for (const Hit& hit : hits) EXPECT_EQ(hit.distance, distance) << "row " << row;
  }

  Random random_{20261128};
  std::unique_ptr<Subject> subject_;
};
SKERRY_IN_EVERY_FORM(DuplicatesContract);

TEST_P(DuplicatesContract, TenCrowdsOfAThousandLeaveOneByOne) {
  constexpr std::size_t kCrowds = 10;
  const std::size_t each = scaled(1000, 10);
  const Table places = random_table(random_, Scalar::f32, kCrowds, kDimension);
  make_subject(Metric::l2);
  std::vector<Key> keys(kCrowds * each);
  std::iota(keys.begin(), keys.end(), Key{0});
  std::shuffle(keys.begin(), keys.end(), random_);
  std::vector<std::size_t> live(kCrowds, each);
  const auto breadth = static_cast<std::uint32_t>(5 * each);
  for (const Key key : keys) ASSERT_OK(subject_->insert(key, places.row(key % kCrowds)));
  expect_whole("when all are there");
  for (std::size_t crowd = 0; crowd < kCrowds; ++crowd) expect_k_at(places, crowd, 50, 0, breadth);
  EXPECT_EQ(subject_->find(places.row(0), keys.size() + 1).size(), keys.size());

  std::shuffle(keys.begin(), keys.end(), random_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::size_t crowd = keys[i] % kCrowds;
    const Result<std::uint64_t> removed = subject_->remove(keys[i]);
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, 1U);
    --live[crowd];
    if (i % (keys.size() / 20) != 0) continue;
    expect_whole("while they leave");
    expect_k_at(places, crowd, std::min<std::size_t>(live[crowd], 10), 0, breadth);
  }
  EXPECT_EQ(subject_->size(), 0U);
  EXPECT_TRUE(subject_->find(places.row(0), 10).empty());
}

TEST_P(DuplicatesContract, WhoIsNearlyTheSameIsFoundByItself) {
  const std::size_t rows = scaled(2000, 10);
  Table table(Scalar::f32, rows, kDimension);
  for (std::size_t row = 0; row < rows; ++row) {
    const double middle = row % 2 == 0 ? 1 : -1;
    for (std::size_t i = 0; i < kDimension; ++i) {
      table.set(row, i, middle + uniform(random_, -1e-3, 1e-3));
    }
  }
  make_subject(Metric::l2);
  // Codes of a byte cannot tell them apart, so a search by them finds one of the crowd.
  const bool by_itself = subject_->options().codes == Codes::exact;
  const auto expect_found = [&](Key key) {
    if (by_itself) return expect_k_at(table, key, 1, 0);
    const std::vector<Hit> hits = subject_->find(table.row(key), 10);
    EXPECT_EQ(hits.size(), 10U);
    for (const Hit& hit : hits) EXPECT_LT(hit.distance, 1e-4F) << "key " << key;
  };
  for (Key key = 0; key < rows; ++key) ASSERT_OK(subject_->insert(key, table.row(key)));
  expect_whole("when all are there");
  for (Key key = 0; key < rows; ++key) expect_found(key);
  for (Key key = 0; key < rows; key += 2) ASSERT_OK(subject_->remove(key));  // one crowd of the two
  expect_whole("when half have left");
  for (Key key = 1; key < rows; key += 2) expect_found(key);
}

TEST_P(DuplicatesContract, ZerosAreAsFarFromEverythingAsTheContractSays) {
  const std::size_t each = scaled(500, 5);
  const Table others = random_table(random_, Scalar::f32, each, kDimension);
  const Table zero(Scalar::f32, 1, kDimension);
  make_subject(Metric::cosine);
  for (Key key = 0; key < each; ++key) {
    ASSERT_OK(subject_->insert(2 * key, zero.row(0)));
    ASSERT_OK(subject_->insert(2 * key + 1, others.row(key)));
  }
  expect_whole("when all are there");
  expect_k_at(zero, 0, 20, 1);
  for (Key key = 0; key < each; ++key) {
    const std::vector<Hit> hits = subject_->find(others.row(key), 1);
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_EQ(hits[0].key, 2 * key + 1);
  }
  EXPECT_EQ(subject_->find(zero.row(0), 4 * each).size(), 2 * each);
  for (Key key = 0; key < each; ++key) ASSERT_OK(subject_->remove(2 * key));
  expect_whole("when the zeros have left");
  EXPECT_EQ(subject_->find(zero.row(0), 4 * each).size(), each);
}

}  // namespace
}  // namespace skerry::testing

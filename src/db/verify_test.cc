// verify_test.cc - each level of verify() on a collection that is whole, and on a poor graph.
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <vector>

#include "base/test_folder.h"
#include "skerry/database.h"

namespace skerry {
namespace {

constexpr std::uint32_t kDimension = 24;
constexpr std::size_t kRows = 2000;

class VerifyTest : public ::testing::Test {
 protected:
  Collection fill(const IndexOptions& index) {
    database_.emplace(*Database::open(folder_.path()));
    Collection collection = *database_->create("docs", {.index = index});
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<float> rows(kRows * kDimension);
    for (float& value : rows) value = normal(random);
    std::vector<Key> keys(kRows);
    for (std::size_t i = 0; i < kRows; ++i) keys[i] = i;
    const MatrixView matrix(rows.data(), Scalar::f32, kRows, kDimension);
    EXPECT_TRUE(collection.upsert(keys, matrix).ok());
    return collection;
  }

  TestFolder folder_;
  std::optional<Database> database_;
};

TEST_F(VerifyTest, QuickCountsFullComparesRecallSearches) {
  const Collection collection = fill({.dimension = kDimension, .flat_below = 0});
  const auto quick = collection.verify({.level = VerifyLevel::quick});
  ASSERT_TRUE(quick.ok()) << quick.status().message();
  EXPECT_EQ(quick->index.live, kRows);
  EXPECT_EQ(quick->vectors_compared, 0u);
  const auto full = collection.verify();
  ASSERT_TRUE(full.ok()) << full.status().message();
  EXPECT_EQ(full->index.live, kRows);
  EXPECT_GT(full->index.links, kRows);
  EXPECT_EQ(full->vectors_compared, kRows);
  EXPECT_EQ(full->samples, 0u);
  const auto recall = collection.verify({.level = VerifyLevel::recall, .samples = 150});
  ASSERT_TRUE(recall.ok()) << recall.status().message();
  EXPECT_EQ(recall->vectors_compared, kRows);
  EXPECT_EQ(recall->samples, 150u);
  EXPECT_EQ(recall->samples_lost, 0u);
  EXPECT_GT(recall->recall_at_10, 0.9);
}

TEST_F(VerifyTest, MoreSamplesThanVectorsAskForEachOnce) {
  const Collection collection = fill({.dimension = kDimension});
  ASSERT_TRUE(database_->open_collection("docs")->remove(Key{0}).ok());
  const auto report = collection.verify({.level = VerifyLevel::recall, .samples = 1'000'000});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->samples, kRows - 1);
}

TEST_F(VerifyTest, APoorGraphIsWholeAndItsRecallTellsOfIt) {
  const Collection collection =
      fill({.dimension = kDimension, .M = 4, .ef_construction = 8, .ef = 10, .flat_below = 0});
  const auto report = collection.verify({.level = VerifyLevel::recall});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->index.unreachable, 0u);
  EXPECT_LT(report->recall_at_10, 0.9);
  EXPECT_GT(report->recall_at_10, 0.1);
}

}  // namespace
}  // namespace skerry

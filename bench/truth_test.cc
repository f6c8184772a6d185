#include "truth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "generate.h"

namespace skerry::bench {
namespace {

Matrix matrix(std::size_t dimension, std::vector<float> values) {
  Matrix made;
  made.dimension = dimension;
  made.rows = values.size() / dimension;
  made.values = std::move(values);
  return made;
}

TEST(Truth, DistancesFollowTheirDefinitions) {
  const float a[] = {3, 4}, b[] = {4, 3}, zero[] = {0, 0};
  EXPECT_DOUBLE_EQ(exact_distance(Metric::l2, a, b, 2), 2);
  EXPECT_DOUBLE_EQ(exact_distance(Metric::ip, a, b, 2), 1 - 24);
  EXPECT_NEAR(exact_distance(Metric::cosine, a, b, 2), 1 - 24.0 / 25, 1e-15);
  EXPECT_DOUBLE_EQ(exact_distance(Metric::cosine, a, zero, 2), 1);
}

// The brute force works in tiles, blocks and float; this one in the plainest way there is.
TEST(Truth, BruteForceAgreesWithSortingEverything) {
  ClusterSet set;
  set.dimension = 21;  // no multiple of any lane count
  set.latent = 5;
  set.clusters = 7;
  Matrix base = generate(set, Stream::base, 333, 1);
  for (std::size_t row = 0; row < base.rows; ++row) {  // norms that differ, for ip and cosine
    for (float& value : std::span(base.row(row), base.dimension)) {
      value *= 1 + static_cast<float>(row % 7);
    }
  }
  const Matrix queries = generate(set, Stream::queries, 19, 1);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    for (const unsigned threads : {1u, 3u}) {
      const Truth truth = find_truth(metric, base, queries, 12, threads);
      ASSERT_EQ(truth.depth, 12u);
      for (std::size_t query = 0; query < queries.rows; ++query) {
        std::vector<std::pair<double, std::uint32_t>> all;
        for (std::uint32_t row = 0; row < base.rows; ++row) {
          all.emplace_back(
              exact_distance(metric, queries.row(query), base.row(row), base.dimension), row);
        }
        std::sort(all.begin(), all.end());
        for (std::size_t i = 0; i < truth.depth; ++i) {
          ASSERT_EQ(truth.of(query)[i], all[i].second) << name_of(metric) << " " << query;
        }
      }
    }
  }
}

TEST(Truth, ASmallBaseIsAllThereIs) {
  const Truth truth =
      find_truth(Metric::l2, matrix(1, {5, 1, 3}), matrix(1, std::vector<float>{0}), 10, 1);
  EXPECT_EQ(truth.depth, 3u);
  EXPECT_EQ(truth.rows, (std::vector<std::uint32_t>{1, 2, 0}));
}

class JudgeTest : public testing::Test {
 protected:
  // Rows 2 and 3 lie at one distance from the query.
  Matrix base_ = matrix(1, {1, 2, 3, -3, 9});
  Matrix queries_ = matrix(1, std::vector<float>{0});
  Truth truth_ = find_truth(Metric::l2, base_, queries_, 5, 1);
};

TEST_F(JudgeTest, CountsWhatIsAmongTheNearest) {
  const Judge judge(Metric::l2, base_, queries_, truth_, 2);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{0, 1}), 1);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{1, 4}), 0.5);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{4}), 0);
  EXPECT_EQ(judge.recall(0, {}), 0);
}

TEST_F(JudgeTest, OfNeighboursAtOneDistanceAnyWillDo) {
  const Judge judge(Metric::l2, base_, queries_, truth_, 3);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{0, 1, 2}), 1);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{0, 1, 3}), 1);
}

TEST_F(JudgeTest, TheSameRowTwiceCountsOnce) {
  const Judge judge(Metric::l2, base_, queries_, truth_, 2);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{0, 0}), 0.5);
}

TEST_F(JudgeTest, RefusesATruthOfOtherDataOrAnotherMetric) {
  Truth beyond = truth_;
  beyond.rows[1] = 5;
  EXPECT_THROW(Judge(Metric::l2, base_, queries_, beyond, 2), std::runtime_error);
  Truth unordered = truth_;
  std::swap(unordered.rows[0], unordered.rows[4]);
  EXPECT_THROW(Judge(Metric::l2, base_, queries_, unordered, 2), std::runtime_error);
  EXPECT_THROW(Judge(Metric::l2, base_, queries_, Truth{1, 1, {0}}, 2), std::runtime_error);
}

TEST(Judge, InnerProductsMayBeNegativeDistances) {
  const Matrix base = matrix(1, {10, 20, 30});
  const Matrix queries = matrix(1, std::vector<float>{5});
  const Truth truth = find_truth(Metric::ip, base, queries, 3, 1);
  const Judge judge(Metric::ip, base, queries, truth, 2);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{2, 1}), 1);
  EXPECT_EQ(judge.recall(0, std::vector<std::uint32_t>{2, 0}), 0.5);
}

}  // namespace
}  // namespace skerry::bench

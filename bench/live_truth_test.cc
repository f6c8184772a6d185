#include "live_truth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "small_set.h"

namespace skerry::bench {
namespace {

Dataset test_set() {
  return small_set({.dimension = 17, .latent = 6, .clusters = 9}, 900, 15);
}

// Distances and not rows: of neighbours at one distance any will do.
void expect_exact(const Dataset& set, const Truth& truth, const std::vector<std::uint32_t>& live,
                  std::size_t k) {
  ASSERT_EQ(truth.depth, std::min(k, live.size()));
  for (std::size_t query = 0; query < set.queries.rows; ++query) {
    std::vector<double> all;
    const auto distance = [&](std::uint32_t row) {
      return exact_distance(set.metric, set.queries.row(query), set.base.row(row),
                            set.base.dimension);
    };
    for (const std::uint32_t row : live) all.push_back(distance(row));
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < truth.depth; ++i) {
      const std::uint32_t row = truth.of(query)[i];
      ASSERT_NE(std::find(live.begin(), live.end(), row), live.end()) << row << " is not live";
      ASSERT_EQ(distance(row), all[i]) << "query " << query << ", neighbour " << i;
    }
  }
}

TEST(LiveTruth, IsThatOfBruteForceWhateverComesAndGoes) {
  const Dataset set = test_set();
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    LiveTruth truth(set, 10, 1);
    std::vector<bool> is_live(set.base.rows);
    for (int step = 0; step < 40; ++step) {
      // Some steps move a few rows, some nearly all; now and then hardly any are left.
      const std::uint32_t moved = 1 + random() % (step % 5 == 0 ? 900 : 60);
      const std::uint32_t share = step % 7 == 3 ? 2 : 60;  // per cent of the moved that come
      for (std::uint32_t i = 0; i < moved; ++i) {
        is_live[random() % set.base.rows] = random() % 100 < share;
      }
      std::vector<std::uint32_t> live;
      for (std::uint32_t row = 0; row < set.base.rows; ++row) {
        if (is_live[row]) live.push_back(row);
      }
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", step " << step);
      expect_exact(set, truth.among(live), live, 10);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LiveTruth, AFewChangesTouchNoOtherRows) {
  const Dataset set = test_set();
  LiveTruth truth(set, 10, 1);
  std::vector<std::uint32_t> live(450);
  std::iota(live.begin(), live.end(), 0u);
  truth.among(live);
  for (std::uint32_t round = 0; round < 9; ++round) {  // a window that moves
    for (std::uint32_t& row : live) row = (row + 23) % 900;
    expect_exact(set, truth.among(live), live, 10);
  }
  EXPECT_LT(truth.remade(), set.queries.rows);
}

TEST(LiveTruth, OfNothingIsNothing) {
  const Dataset set = test_set();
  LiveTruth truth(set, 10, 1);
  EXPECT_EQ(truth.among({}).depth, 0u);
  EXPECT_EQ(truth.among({3, 4}).depth, 2u);
  EXPECT_EQ(truth.among({}).rows.size(), 0u);
  EXPECT_EQ(truth.among({5}).rows, std::vector<std::uint32_t>(set.queries.rows, 5));
}

}  // namespace
}  // namespace skerry::bench

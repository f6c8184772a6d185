#include "generate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace skerry::bench {
namespace {

TEST(Generate, TheSameSeedGivesTheSameRowsWhateverTheThreads) {
  const ClusterSet set;
  const Matrix one = generate(set, Stream::base, 2100, 1);
  const Matrix three = generate(set, Stream::base, 2100, 3);
  EXPECT_EQ(one.values, three.values);
}

TEST(Generate, ASmallerSetIsTheBeginningOfALargerOne) {
  const ClusterSet set;
  const Matrix large = generate(set, Stream::base, 1500, 1);
  Matrix cut_large = large;
  cut(cut_large, 700);
  EXPECT_EQ(cut_large.values, generate(set, Stream::base, 700, 1).values);
}

TEST(Generate, SeedsAndStreamsDiffer) {
  ClusterSet set;
  const Matrix base = generate(set, Stream::base, 50, 1);
  EXPECT_NE(base.values, generate(set, Stream::queries, 50, 1).values);
  set.seed += 1;
  EXPECT_NE(base.values, generate(set, Stream::base, 50, 1).values);
}

TEST(Generate, RowsAreOfLengthOneAndCloseToOthersOfTheirCluster) {
  const ClusterSet set;
  const Matrix base = generate(set, Stream::base, 2000, 1);
  double nearest_sum = 0;
  for (std::size_t row = 0; row < 50; ++row) {
    const auto a = base.span(row);
    EXPECT_NEAR(std::inner_product(a.begin(), a.end(), a.begin(), 0.0), 1, 1e-5);
    double nearest = -1;
    for (std::size_t other = 0; other < base.rows; ++other) {
      if (other == row) continue;
      const auto b = base.span(other);
      nearest = std::max(nearest, std::inner_product(a.begin(), a.end(), b.begin(), 0.0));
    }
    nearest_sum += nearest;
  }
  // Of 2,000 independent vectors of 384 components the nearest has a cosine of about 0.18.
  EXPECT_GT(nearest_sum / 50, 0.4);
}

}  // namespace
}  // namespace skerry::bench

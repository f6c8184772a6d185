#include "curve.h"

#include <gtest/gtest.h>

#include <cmath>

namespace skerry::bench {
namespace {

TEST(Curve, TheMedianIsTheMiddleOrTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Curve, APercentileIsTheNearestRank) {
  std::vector<float> values;
  for (int i = 100; i > 0; --i) values.push_back(static_cast<float>(i));
  EXPECT_EQ(percentile(values, 0.5), 50);
  EXPECT_EQ(percentile(values, 0.99), 99);
  EXPECT_EQ(percentile(values, 1.0), 100);
  EXPECT_EQ(percentile(values, 1e-9), 1);
  std::vector<float> one = {7};
  EXPECT_EQ(percentile(one, 0.5), 7);
}

TEST(Curve, BetweenTwoPointsTheLogarithmIsAStraightLine) {
  const CurvePoint points[] = {{10, 0.90, 10'000}, {20, 0.96, 2500}, {40, 0.99, 1000}};
  const auto half = value_at(points, 0.93);
  ASSERT_TRUE(half.has_value());
  EXPECT_NEAR(half->value, std::sqrt(10'000.0 * 2500.0), 1e-6);
  EXPECT_NEAR(half->ef, 15, 1e-9);
  EXPECT_FALSE(half->at_least);
  const auto exact = value_at(points, 0.96);
  ASSERT_TRUE(exact.has_value());
  EXPECT_NEAR(exact->value, 2500, 1e-6);
}

TEST(Curve, BeyondTheFirstPointTheValueIsABoundAndBeyondTheLastThereIsNone) {
  const CurvePoint points[] = {{10, 0.97, 5000}, {20, 0.98, 4000}};
  const auto bound = value_at(points, 0.95);
  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(bound->value, 5000);
  EXPECT_TRUE(bound->at_least);
  EXPECT_FALSE(value_at(points, 0.99).has_value());
  EXPECT_FALSE(value_at({}, 0.5).has_value());
}

TEST(Curve, ADipInTheRecallDoesNotHideTheFirstCrossing) {
  const CurvePoint points[] = {{10, 0.90, 900}, {20, 0.89, 800}, {30, 0.96, 700}, {40, 0.95, 600}};
  const auto found = value_at(points, 0.95);
  ASSERT_TRUE(found.has_value());
  EXPECT_GT(found->ef, 20);
  EXPECT_LT(found->ef, 30);
}

}  // namespace
}  // namespace skerry::bench

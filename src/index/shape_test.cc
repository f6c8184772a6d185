// shape_test.cc - does the index count the nodes, links and in-links of its graph rightly?
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "skerry/index.h"

namespace skerry {
namespace {

using Vector = std::vector<float>;

constexpr std::uint32_t kDimension = 8;

Vector random_vector(std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  Vector vector(kDimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

Index filled(std::size_t rows, const IndexOptions& options) {
  auto index = Index::create(options);
  EXPECT_TRUE(index.ok()) << index.status().message();
  std::mt19937_64 random(5);
  for (Key key = 0; key < rows; ++key) EXPECT_TRUE(index->upsert(key, random_vector(random)).ok());
  return std::move(*index);
}

std::uint64_t sum(const std::vector<std::uint64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::uint64_t weighted(const std::vector<std::uint64_t>& counts) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) all += i * counts[i];
  return all;
}

TEST(Shape, WithoutAGraphThereIsNothingToCount) {
  for (const std::size_t rows : {0, 1, 100}) {
    const Index index = filled(rows, {.dimension = kDimension});
    const auto shape = index.shape();
    ASSERT_TRUE(shape.ok()) << shape.status().message();
    EXPECT_EQ(shape->nodes, 0U);
    EXPECT_TRUE(shape->levels.empty());
    EXPECT_TRUE(shape->out_degrees.empty());
    EXPECT_TRUE(shape->in_degrees.empty());
  }
}

TEST(Shape, OfThreeNodesEachLinksToBothOthers) {
  const Index index = filled(3, {.dimension = kDimension, .M = 4, .flat_below = 0});
  const auto shape = index.shape();
  ASSERT_TRUE(shape.ok()) << shape.status().message();
  EXPECT_EQ(shape->nodes, 3U);
  EXPECT_EQ(shape->out_degrees, (std::vector<std::uint64_t>{0, 0, 3, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(shape->in_degrees, (std::vector<std::uint64_t>{0, 0, 3}));
  EXPECT_EQ(sum(shape->levels), 3U);
}

TEST(Shape, EveryLiveNodeIsCountedOnce) {
  const Index index = filled(1000, {.dimension = kDimension, .M = 4, .flat_below = 0});
  const auto shape = index.shape();
  ASSERT_TRUE(shape.ok()) << shape.status().message();
  EXPECT_EQ(shape->nodes, 1000U);
  EXPECT_EQ(sum(shape->levels), 1000U);
  EXPECT_EQ(sum(shape->out_degrees), 1000U);
  EXPECT_EQ(sum(shape->in_degrees), 1000U);
  EXPECT_EQ(shape->out_degrees.size(), 9U);
  EXPECT_NE(shape->in_degrees.back(), 0U);
  EXPECT_EQ(shape->levels.size(), index.stats().levels);
  // P(level >= 1) is a quarter.
  EXPECT_NEAR(static_cast<double>(shape->levels[0]), 750, 70);
  // Every link of one is an in-link of another, and check() counts those of the upper levels too.
  EXPECT_EQ(weighted(shape->out_degrees), weighted(shape->in_degrees));
  EXPECT_LT(weighted(shape->out_degrees), index.check()->links);
  EXPECT_EQ(shape->in_degrees[0], 0U) << "whom nobody links to is not found";
}

TEST(Shape, WhatWasRemovedIsNotCounted) {
  Index index = filled(600, {.dimension = kDimension, .M = 4, .flat_below = 0});
  for (Key key = 0; key < 600; key += 2) ASSERT_TRUE(index.remove(key).ok());
  const auto shape = index.shape();
  ASSERT_TRUE(shape.ok()) << shape.status().message();
  EXPECT_EQ(shape->nodes, 300U);
  EXPECT_EQ(sum(shape->levels), 300U);
  EXPECT_EQ(sum(shape->in_degrees), 300U);
  // Links to the departed are still links.
  EXPECT_GE(weighted(shape->out_degrees), weighted(shape->in_degrees));
}

TEST(Shape, BesideWritersEveryCallCountsOneMoment) {
  Index index = filled(200, {.dimension = kDimension, .M = 4, .flat_below = 0});
  std::atomic<bool> is_done{false};
  std::thread writer([&] {
    std::mt19937_64 random(6);
    for (int step = 0; step < 1000; ++step) {
      const Key key = random() % 200;  // replaced: as many live ones at every moment
      EXPECT_TRUE(index.upsert(key, random_vector(random)).ok());
    }
    is_done = true;
  });
  for (bool last = false; !last;) {
    last = is_done;
    const auto shape = index.shape();
    EXPECT_TRUE(shape.ok()) << shape.status().message();
    if (!shape.ok()) break;
    EXPECT_EQ(shape->nodes, 200U);
    EXPECT_EQ(sum(shape->levels), 200U);
    EXPECT_EQ(sum(shape->out_degrees), 200U);
    EXPECT_EQ(sum(shape->in_degrees), 200U);
  }
  writer.join();
}

}  // namespace
}  // namespace skerry

#include "roofline.h"

#include <gtest/gtest.h>

namespace skerry::bench {
namespace {

TEST(Roofline, TheBoundIsTheLargerOfTheTwoSums) {
  const std::vector<Stage> stages = {
      {10, {128, 0, 20}}, {1000, {256, 4, 15}}, {20, {1536, 30, 150}}};
  const Bound bound = bound_of(stages);
  EXPECT_DOUBLE_EQ(bound.compute_us, 4.6);
  EXPECT_DOUBLE_EQ(bound.memory_us, 18.2);
  EXPECT_DOUBLE_EQ(bound.us(), 18.2);
  EXPECT_STREQ(bound.by(), "memory");
  const std::vector<Stage> slow = {{100, {64, 50, 10}}};
  EXPECT_DOUBLE_EQ(bound_of(slow).us(), 5);
  EXPECT_STREQ(bound_of(slow).by(), "compute");
}

TEST(Roofline, StagesAreOfTheMeanSearchAndThereAreNoneOfAScan) {
  SearchResult walk;
  walk.visited = 1010;
  walk.reranked = 10;
  walk.hops = 40;
  walk.bytes = 300'000;
  SearchResult longer = walk;
  longer.visited = 3030;
  longer.reranked = 30;
  SearchCounts counts;
  counts.add(walk);
  counts.add(longer);
  EXPECT_EQ(counts.bytes, 600'000u);
  const TableCosts costs{{128, 0, 10}, {256, 4, 15}, {1536, 30, 150}};
  const std::vector<Stage> stages = stages_of(counts, costs);
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].count, 40);
  EXPECT_EQ(stages[0].cost.bytes, 128u);
  EXPECT_EQ(stages[1].count, 2000);
  EXPECT_EQ(stages[1].cost.bytes, 256u);
  EXPECT_EQ(stages[2].count, 20);
  EXPECT_EQ(stages[2].cost.bytes, 1536u);

  SearchResult scan;
  scan.exact = true;
  scan.visited = 5000;
  counts.add(scan);
  EXPECT_TRUE(stages_of(counts, costs).empty());
}

TEST(Roofline, TheTablesOfAnIndexAreItsLinksItsCodesAndItsVectors) {
  IndexOptions options;
  options.dimension = 100;
  options.M = 8;
  options.codes = Codes::rot4;
  Roofline roofline(1000);
  TableCosts costs = roofline.costs_of(options);
  EXPECT_EQ(costs.links.bytes, 64u);
  EXPECT_EQ(costs.links.compute_ns, 0);
  EXPECT_GT(costs.links.memory_ns, 0);
  EXPECT_EQ(costs.codes.bytes, 64u);
  EXPECT_EQ(costs.codes.memory_ns, costs.links.memory_ns) << "measured once";
  EXPECT_EQ(costs.vectors.bytes, 448u);
  EXPECT_GT(costs.vectors.compute_ns, 0);
  options.codes = Codes::exact;
  costs = roofline.costs_of(options);
  EXPECT_EQ(costs.codes.bytes, costs.vectors.bytes);
  EXPECT_EQ(costs.codes.compute_ns, costs.vectors.compute_ns);
}

}  // namespace
}  // namespace skerry::bench

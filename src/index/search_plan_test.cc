#include "index/search_plan.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

SearchCase a_million() {
  SearchCase given;
  given.live = 1'000'000;
  given.used = 1'000'000;
  given.row_bytes = 1536;
  given.code_bytes = 208;
  given.M = 16;
  given.ef = 64;
  given.may_walk = true;
  return given;
}

SearchCase gated(double share) {
  SearchCase given = a_million();
  given.gated = true;
  given.share = share;
  return given;
}

TEST(SearchPlan, WalksWhenMostPassAndScansWhenItMayNotWalk) {
  EXPECT_EQ(plan_search(a_million()).way, SearchWay::walk);
  EXPECT_EQ(plan_search(gated(0.5)).way, SearchWay::gated_walk);
  SearchCase given = a_million();
  given.may_walk = false;
  EXPECT_EQ(plan_search(given).way, SearchWay::scan);
}

TEST(SearchPlan, ProbesWhereAScanIsCheaperButDear) {
  EXPECT_EQ(plan_search(gated(1e-5)).way, SearchWay::probe);
  SearchCase small = gated(1e-2);
  small.live = small.used = 2000;
  EXPECT_EQ(plan_search(small).way, SearchWay::scan);
}

TEST(SearchPlan, WhoAlwaysWantsTheGraphGetsAScanForAWalkThatWouldMeetAll) {
  SearchCase given = a_million();
  given.live = given.used = 65;
  given.always_walks = true;
  EXPECT_EQ(plan_search(given).way, SearchWay::walk);
  given.ef = 65;
  EXPECT_EQ(plan_search(given).way, SearchWay::scan);
}

TEST(SearchPlan, FewKeysAreLookedUp) {
  EXPECT_EQ(plan_look_up(gated(0), 100).way, SearchWay::look_up);
  EXPECT_EQ(plan_look_up(gated(0), 500'000).way, SearchWay::gated_walk);
  SearchCase given = gated(0);
  given.may_walk = false;
  EXPECT_EQ(plan_look_up(given, 500'000).way, SearchWay::look_up);
}

TEST(SearchPlan, TheWayOfAGatedWalkIsWiderByWhatDoesNotPass) {
  EXPECT_EQ(plan_search(a_million()).breadth_of_way(64), 64U);
  EXPECT_GE(plan_search(gated(0.5)).breadth_of_way(64), 2 * 64U);
}

TEST(WalkDoubt, AProbeGivesUpWhenItsFirstNodesBringNothing) {
  const SearchPlan plan = plan_search(gated(1e-5));
  WalkDoubt poor(plan);
  poor.note(255, 64, 0, false);
  EXPECT_FALSE(poor.gives_up()) << "too early to tell";
  poor.note(1, 64, 0, false);
  EXPECT_TRUE(poor.gives_up());
  WalkDoubt rich(plan);
  rich.note(256, 64, 64, true);
  EXPECT_FALSE(rich.gives_up());
}

TEST(WalkDoubt, AGatedWalkGivesUpWhenItHasCostAScan) {
  const SearchPlan plan = plan_search(gated(0.5));
  WalkDoubt doubt(plan);
  doubt.note(static_cast<std::size_t>(plan.affordable) - 1, 64, 0, false);
  EXPECT_FALSE(doubt.gives_up());
  doubt.note(2, 64, 0, false);
  EXPECT_TRUE(doubt.gives_up());
}

}  // namespace
}  // namespace skerry

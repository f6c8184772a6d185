// The parts of a walk, each against the obvious way to do the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "graph/beam_search.h"
#include "graph/select_neighbours.h"

namespace skerry {
namespace {

TEST(CandidatePool, KeepsTheNearestInOrderLikeASortedList) {
  std::mt19937 random(1);
  for (const std::size_t ef : {1, 2, 7, 64}) {
    CandidatePool pool;
    ASSERT_TRUE(pool.begin(ef).ok());
    std::vector<std::pair<float, Slot>> model;
    std::set<Slot> expanded;
    for (Slot slot = 0; slot < 500; ++slot) {
      const auto distance = static_cast<float>(random() % 100);
      pool.offer(distance, slot);
      model.emplace_back(distance, slot);
      std::stable_sort(model.begin(), model.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      if (model.size() > ef) model.pop_back();
      ASSERT_EQ(pool.size(), model.size());
      for (std::size_t i = 0; i < model.size(); ++i) {
        ASSERT_EQ(pool.distance(i), model[i].first);
        ASSERT_EQ(pool.slot(i), model[i].second);
      }
      ASSERT_EQ(pool.full(), model.size() == ef);
      if (slot % 3 != 0) continue;
      const auto next = std::find_if(model.begin(), model.end(),
                                     [&](const auto& c) { return !expanded.contains(c.second); });
      const float distance_of_next =
          next == model.end() ? std::numeric_limits<float>::infinity() : next->first;
      ASSERT_EQ(pool.next_distance(), distance_of_next);
      const Slot taken = pool.expand().slot;
      ASSERT_EQ(taken, next == model.end() ? kNoSlot : next->second);
      expanded.insert(taken);
    }
  }
}

TEST(CandidatePool, TakesWhatIsNotANumberForInfinitelyFar) {
  CandidatePool pool;
  ASSERT_TRUE(pool.begin(3).ok());
  pool.offer(std::numeric_limits<float>::quiet_NaN(), 1);
  pool.offer(5, 2);
  pool.offer(std::numeric_limits<float>::infinity(), 3);
  ASSERT_EQ(pool.size(), 3U);
  EXPECT_EQ(pool.slot(0), 2U);
  pool.offer(std::numeric_limits<float>::quiet_NaN(), 4);
  EXPECT_EQ(pool.size(), 3U);
  pool.offer(7, 5);
  EXPECT_EQ(pool.slot(1), 5U);
}

TEST(CandidatePool, ReachesNoFartherThanItsAnchorStretched) {
  CandidatePool pool;
  ASSERT_TRUE(pool.begin(100).ok());
  pool.limit_reach(3, 1.5F);
  pool.offer(1000, 0);
  pool.offer(10, 1);
  EXPECT_FALSE(pool.has_reach());
  EXPECT_TRUE(pool.wants(1e9F));
  pool.offer(20, 2);
  EXPECT_TRUE(pool.has_reach());
  EXPECT_EQ(pool.bar(), 1500.0F);
  pool.offer(16, 3);  // now 20 is the third: to 30
  EXPECT_EQ(pool.bar(), 30.0F);
  EXPECT_TRUE(pool.wants(30));
  EXPECT_FALSE(pool.wants(30.1F));
  pool.offer(30.1F, 4);
  EXPECT_EQ(pool.size(), 4U);
  pool.offer(29, 5);
  for (const Slot slot : {1U, 3U, 2U, 5U}) EXPECT_EQ(pool.expand().slot, slot);
  EXPECT_EQ(pool.expand().slot, kNoSlot) << "1000 is in the pool, and beyond the reach";
  pool.offer(1, 6);  // 16 is the third
  EXPECT_EQ(pool.bar(), 24.0F);
  EXPECT_EQ(pool.expand().slot, 6U);
  EXPECT_EQ(pool.expand().slot, kNoSlot);

  // What is at no distance at all is not stretched, nor is an error below it.
  ASSERT_TRUE(pool.begin(10).ok());
  pool.limit_reach(2, 1.5F);
  for (Slot slot = 0; slot < 3; ++slot) pool.offer(0, slot);
  EXPECT_EQ(pool.bar(), 0.0F);
  EXPECT_TRUE(pool.wants(0));
  EXPECT_FALSE(pool.wants(0.1F));
  pool.offer(-1, 4);
  pool.offer(-1, 5);
  EXPECT_EQ(pool.bar(), -1.0F);

  ASSERT_TRUE(pool.begin(10).ok());
  for (Slot slot = 0; slot < 5; ++slot) pool.offer(static_cast<float>(slot), slot);
  EXPECT_TRUE(pool.wants(1e9F)) << "a pool begins without a reach";
}

TEST(VisitedSet, MeetsAllAsOneByOne) {
  std::mt19937 random(3);
  VisitedSet one;
  VisitedSet all;
  for (int search = 0; search < 300; ++search) {
    ASSERT_TRUE(one.begin(500).ok());
    ASSERT_TRUE(all.begin(500).ok());
    for (int list = 0; list < 5; ++list) {
      std::vector<Slot> slots(random() % 40);
      for (Slot& slot : slots) slot = random() % 510;  // some beyond the limit
      std::vector<Slot> expected;
      for (const Slot slot : slots) {
        if (one.meet(slot)) expected.push_back(slot);
      }
      std::vector<Slot> met(slots.size() + 1);
      met.resize(all.meet_all(slots, met.data()));
      ASSERT_EQ(met, expected);
    }
  }
}

TEST(VisitedSet, MeetsEachSlotOnceASearchForThousandsOfSearches) {
  VisitedSet visited;
  for (int search = 0; search < 1000; ++search) {
    const std::size_t slots = 100 + static_cast<std::size_t>(search) % 7 * 100;
    ASSERT_TRUE(visited.begin(slots).ok());
    for (const Slot slot : {3U, 99U, 50U}) {
      ASSERT_FALSE(visited.is_met(slot)) << search;
      ASSERT_TRUE(visited.meet(slot)) << search;
      ASSERT_FALSE(visited.meet(slot));
      ASSERT_TRUE(visited.is_met(slot));
    }
    EXPECT_FALSE(visited.meet(static_cast<Slot>(slots))) << "beyond the limit counts as met";
  }
}

TEST(Levels, FallByAFactorOfMAndRepeat) {
  for (const std::uint32_t M : {2U, 16U, 48U}) {
    std::map<std::uint32_t, int> count;
    constexpr int kSlots = 200'000;
    for (Slot slot = 0; slot < kSlots; ++slot) {
      const std::uint32_t level = level_of(42, slot, M);
      ASSERT_LE(level, kMaxLevel);
      ASSERT_EQ(level, level_of(42, slot, M));
      for (std::uint32_t l = 0; l <= level; ++l) ++count[l];
    }
    EXPECT_NEAR(count[1], kSlots / static_cast<double>(M), 5 * std::sqrt(kSlots / M));
    EXPECT_NEAR(count[2], kSlots / static_cast<double>(M * M), 6 * std::sqrt(kSlots / (M * M)) + 5);
  }
}

// A line of points, each linked to its two neighbours: a walk must go all the way.
struct LineGraph {
  static constexpr std::uint32_t kM = 2;
  explicit LineGraph(Slot count)
      : layer0(std::size_t{count} * 2 * kM), offsets(count), upper(1), points(count) {
    for (Slot slot = 0; slot < count; ++slot) {
      points[slot] = static_cast<float>(slot);
      std::vector<Slot> list;
      if (slot > 0) list.push_back(slot - 1);
      if (slot + 1 < count) list.push_back(slot + 1);
      links().write(slot, 0, list);
    }
  }
  Links links() { return Links(layer0.data(), offsets.data(), upper.data(), kM); }
  Scorer scorer(const float& query) const {
    Scorer scorer;
    scorer.code.query.data = &query;
    scorer.code.kernel = simd::kernels().alike[0][0];
    scorer.rows.base = reinterpret_cast<const std::byte*>(points.data());
    scorer.rows.stride = sizeof(float);
    scorer.rows.dimension = 1;
    scorer.rows.tail = sizeof(float);
    return scorer;
  }

  std::vector<Slot> layer0;
  std::vector<std::uint32_t> offsets;
  std::vector<Slot> upper;
  std::vector<float> points;
};

TEST(Links, AreWrittenReadAndAppended) {
  LineGraph line(5);
  Slot list[4];
  EXPECT_EQ(line.links().read(0, 0, list), 1U);
  line.links().append(0, 0, 1, 4);
  ASSERT_EQ(line.links().read(0, 0, list), 2U);
  EXPECT_EQ(list[1], 4U);
  const Slot full[] = {1, 2, 3, 4};
  line.links().write(0, 0, full);
  EXPECT_EQ(line.links().read(0, 0, list), 4U) << "a full list has no end mark";
  line.links().write(0, 0, {});
  EXPECT_EQ(line.links().read(0, 0, list), 0U);
}

TEST(BeamSearch, WalksFromOneEndToTheOther) {
  LineGraph line(300);
  BeamScratch scratch;
  ASSERT_TRUE(scratch.reserve(2 * LineGraph::kM).ok());
  const float query = 297.2F;
  const Scorer scorer = line.scorer(query);
  std::uint64_t scored = 0;
  const Place end = descend(line.links(), scorer, 0, Place{0, query * query}, 300,
                            ~std::uint64_t{0}, scratch, scored);
  EXPECT_EQ(end.slot, 297U);
  EXPECT_GE(scored, 297U);
  EXPECT_EQ(descend(line.links(), scorer, 0, Place{0, query * query}, 100, ~std::uint64_t{0},
                    scratch, scored)
                .slot,
            99U)
      << "slots beyond the limit are not for this search";

  ASSERT_TRUE(scratch.visited.begin(300).ok());
  ASSERT_TRUE(scratch.pool.begin(3).ok());
  beam_search(line.links(), scorer, 0, Place{0, query * query}, ~std::uint64_t{0}, scratch);
  EXPECT_EQ(scratch.pool.slot(0), 297U);
  EXPECT_EQ(scratch.pool.slot(1), 298U);
  EXPECT_EQ(scratch.pool.slot(2), 296U);

  ASSERT_TRUE(scratch.visited.begin(300).ok());
  ASSERT_TRUE(scratch.pool.begin(3).ok());
  EXPECT_EQ(beam_search(line.links(), scorer, 0, Place{0, query * query}, 20, scratch), 20U)
      << "a budget ends the walk";
  EXPECT_LT(scratch.pool.slot(0), 30U);
}

TEST(BeamSearch, AGateDoesNotStopTheWay) {
  LineGraph line(300);
  BeamScratch scratch;
  CandidatePool answers;
  ASSERT_TRUE(scratch.reserve(2 * LineGraph::kM).ok());
  ASSERT_TRUE(scratch.visited.begin(300).ok());
  ASSERT_TRUE(scratch.pool.begin(300).ok());
  ASSERT_TRUE(answers.begin(2).ok());
  const float query = 250;
  filtered_beam_search(
      line.links(), line.scorer(query), 0, Place{0, query * query}, ~std::uint64_t{0},
      [](Slot slot) { return slot % 100 == 0; }, answers, scratch);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers.slot(0) + answers.slot(1), 300U) << "100 and 200";
}

TEST(SelectNeighbours, RefusesWhoIsNearerToOneTakenThanToTheNode) {
  // The node sits at 0; 1, 2, 3 stand one behind the other, -4 on the other side.
  const std::vector<float> points = {1, 2, 3, -4};
  std::vector<float> queries = points;
  LineGraph line(4);
  line.points = points;
  const std::vector<Candidate> candidates = {{1, 0}, {4, 1}, {9, 2}, {16, 3}};
  Slot taken[4];
  const auto scorer_of = [&](Slot slot) { return line.scorer(queries[slot]); };
  ASSERT_EQ(select_neighbours(candidates, 4, 1, scorer_of, taken), 2U);
  EXPECT_EQ(taken[0], 0U);
  EXPECT_EQ(taken[1], 3U);
  EXPECT_EQ(select_neighbours(candidates, 1, 1, scorer_of, taken), 1U);
}

TEST(SelectNeighbours, TakesWhoIsHardlyNearerToOneTakenWhenAlphaAllowsIt) {
  // From 160 it is 25,600 to the node, 22,500 to 10.
  LineGraph line(2);
  line.points = {10, 160};
  const std::vector<Candidate> candidates = {{100, 0}, {25600, 1}};
  Slot taken[2];
  const auto scorer_of = [&](Slot slot) { return line.scorer(line.points[slot]); };
  EXPECT_EQ(select_neighbours(candidates, 2, 1, scorer_of, taken), 1U);
  EXPECT_EQ(select_neighbours(candidates, 2, 1.1F, scorer_of, taken), 1U);
  EXPECT_EQ(select_neighbours(candidates, 2, 1.15F, scorer_of, taken), 2U);
}

TEST(SelectNeighbours, ComparesWhoIsSettledWithNewcomersOnly) {
  // One behind the other: the first refuses all others, were they not settled beside it.
  LineGraph line(4);
  line.points = {10, 20, 30, -40};
  const std::vector<Candidate> candidates = {{100, 0}, {400, 1}, {900, 2}, {1600, 3}};
  Slot taken[4];
  std::size_t prepared = 0;
  const auto scorer_of = [&](Slot slot) {
    ++prepared;
    return line.scorer(line.points[slot]);
  };
  const auto choose = [&](std::vector<bool> settled) {
    prepared = 0;
    const std::size_t count = select_neighbours(candidates, 4, 1, scorer_of, taken,
                                                [&](std::size_t i) { return settled[i]; });
    return std::vector<Slot>(taken, taken + count);
  };
  EXPECT_EQ(choose({true, true, true, true}), (std::vector<Slot>{0, 1, 2, 3}));
  EXPECT_EQ(prepared, 0U) << "nobody is new";
  EXPECT_EQ(choose({true, true, false, true}), (std::vector<Slot>{0, 1, 3})) << "2 is refused";
  EXPECT_EQ(prepared, 1U);
  EXPECT_EQ(choose({false, true, true, true}), (std::vector<Slot>{0, 3})) << "0 refuses them";
}

TEST(SelectNeighbours, AlphaIsOneWhereDistancesAreNoSquares) {
  EXPECT_GT(alpha_of(Metric::l2), 1);
  EXPECT_GT(alpha_of(Metric::cosine), 1);
  EXPECT_EQ(alpha_of(Metric::ip), 1);
  EXPECT_EQ(alpha_of(Metric::custom), 1);
}

}  // namespace
}  // namespace skerry

// What a model has learned, what it makes of it, and whether a trace tells what narrower walks
// find.
#include "index/recall_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "graph/beam_search.h"
#include "index/walk_trace.h"
#include "quant/exact_codes.h"

namespace skerry {
namespace {

using Rule = RecallModel::Rule;

// As if every walk that ends at the point finds so much.
template <class RecallAt>
RecallModel::Sample sample_of(RecallAt recall_at) {
  RecallModel::Sample sample;
  for (std::size_t c = 0; c < RecallModel::kKs.size(); ++c) {
    sample.is_of[c] = true;
    for (const Rule rule : {RecallModel::kStretch, RecallModel::kEf}) {
      for (std::size_t i = 0; i < RecallModel::kPoints; ++i) {
        const double k = static_cast<double>(RecallModel::kKs[c]);
        sample.found[c][rule][i] = static_cast<std::uint8_t>(std::lround(recall_at(rule, i) * k));
      }
    }
  }
  return sample;
}

TEST(RecallModel, AsksForMoreEffortForMoreRecallBeforeAndAfterItWasTaught) {
  RecallModel model;
  std::mt19937 random(1);
  for (int taught = 0; taught < 300; ++taught) {
    for (const std::size_t k : {1, 10, 40, 100, 1000}) {
      Effort before;
      for (const float target : {0.5F, 0.9F, 0.95F, 0.99F, 0.999F}) {
        const Effort effort = model.effort(k, target);
        ASSERT_GE(effort.stretch, before.stretch) << k << " " << target;
        ASSERT_GE(effort.ef, before.ef) << k << " " << target;
        ASSERT_GT(effort.stretch, 1.0F);
        ASSERT_GE(effort.ef, 10U);
        before = effort;
      }
    }
    const double ease = static_cast<double>(random() % 10);
    model.learn(sample_of(
        [&](Rule, std::size_t i) { return 1 - std::pow(0.7, static_cast<double>(i) + ease / 5); }));
  }
}

TEST(RecallModel, KnowsWhereItsSamplesHaveReachedTheTargetAndForgetsOldOnes) {
  RecallModel model;
  const auto teach = [&](std::size_t first_whole) {
    for (int i = 0; i < 2000; ++i) {
      model.learn(
          sample_of([&](Rule, std::size_t point) { return point >= first_whole ? 1.0 : 0.5; }));
    }
  };
  for (const std::size_t first_whole : {20U, 5U, 12U}) {
    teach(first_whole);
    for (const std::size_t k : {10, 100}) {
      const Effort effort = model.effort(k, 0.99F);
      EXPECT_GT(effort.stretch, RecallModel::stretch_at(first_whole - 1.0));
      EXPECT_LE(effort.stretch, RecallModel::stretch_at(first_whole) * 1.001);
      EXPECT_GE(effort.ef, std::floor(RecallModel::ef_at(first_whole - 1.0)));
      EXPECT_LE(effort.ef, RecallModel::ef_at(first_whole) + 1);
    }
  }
}

TEST(RecallModel, WhatCannotBeReachedIsAllThatThereIs) {
  RecallModel model;
  for (int i = 0; i < 2000; ++i) model.learn(sample_of([](Rule, std::size_t) { return 0.5; }));
  const Effort effort = model.effort(10, 0.9F);
  EXPECT_FLOAT_EQ(effort.stretch, 9);
  EXPECT_EQ(effort.ef, 1000U);
}

TEST(RecallModel, ComesBackFromItsStateAndTakesNoOther) {
  RecallModel model;
  EXPECT_EQ(model.state().samples, 0);
  for (int i = 0; i < 100; ++i) {
    model.learn(sample_of(
        [](Rule, std::size_t point) { return 1 - std::pow(0.8, static_cast<double>(point)); }));
  }
  const RecallModel::State state = model.state();
  RecallModel other;
  ASSERT_TRUE(other.adopt(state));
  for (const float target : {0.9F, 0.99F}) {
    EXPECT_EQ(other.effort(10, target).stretch, model.effort(10, target).stretch);
    EXPECT_EQ(other.effort(10, target).ef, model.effort(10, target).ef);
  }
  const auto refuses = [&](auto spoil) {
    RecallModel::State bad = state;
    spoil(bad);
    EXPECT_FALSE(other.adopt(bad));
    EXPECT_EQ(other.effort(10, 0.9F).stretch, model.effort(10, 0.9F).stretch);
  };
  refuses([](auto& bad) { bad.samples = -1; });
  refuses([](auto& bad) { bad.samples = std::numeric_limits<float>::quiet_NaN(); });
  refuses([](auto& bad) { bad.samples = 1e9F; });
  refuses([](auto& bad) { bad.recall[0][1][7] = 2; });
  refuses([](auto& bad) { bad.recall[1][0][7] = -1; });
  refuses([](auto& bad) { bad.recall[1][1][31] = std::numeric_limits<float>::quiet_NaN(); });
  refuses([](auto& bad) { bad.recall[0][0][31] = 0.1F; });
}

// -- the trace of a walk over a graph of near neighbours on a line of points ----------------------

class WalkTraceTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kM = 4;
  static constexpr Slot kPoints = 3000;
  static constexpr std::size_t kDimension = 4;
  static constexpr std::uint32_t kWide = 600;

  WalkTraceTest() : codes_(Metric::l2, Scalar::f32, kDimension, {}) {
    for (float& value : rows_) value = static_cast<float>(random_() % 1000);
    // Some of the nearest of a few hundred, and some anywhere.
    for (Slot slot = 0; slot < kPoints; ++slot) {
      std::vector<std::pair<float, Slot>> near;
      for (int i = 0; i < 300; ++i) {
        const auto other = static_cast<Slot>(random_() % kPoints);
        if (other != slot) near.emplace_back(distance(row(slot), other), other);
      }
      std::sort(near.begin(), near.end());
      for (std::uint32_t i = 0; i < 2 * kM; ++i) lists_[slot * 2 * kM + i] = near[i].second;
    }
    EXPECT_TRUE(beam_.reserve(2 * kM).ok());
    EXPECT_TRUE(trace_.reserve(kWide, 2 * kM).ok());
    scratch_.resize(codes_.scratch_bytes() + 64);
  }

  const float* row(Slot slot) const { return &rows_[slot * kDimension]; }
  float distance(const float* query, Slot slot) const {
    float sum = 0;
    for (std::size_t i = 0; i < kDimension; ++i) {
      sum += (query[i] - row(slot)[i]) * (query[i] - row(slot)[i]);
    }
    return sum;
  }

  template <class Stop>
  void walk(const std::vector<float>& query, std::size_t ef, float stretch, std::size_t k,
            Stop stop) {
    const Scorer scorer{codes_.prepare(VectorView(query), scratch_.data()),
                        codes_.rows(reinterpret_cast<const std::byte*>(rows_.data()))};
    ASSERT_TRUE(beam_.visited.begin(kPoints).ok());
    ASSERT_TRUE(beam_.pool.begin(ef).ok());
    if (stretch > 0) beam_.pool.limit_reach(k, stretch);
    const Place entry{7, distance(query.data(), 7)};
    beam_search(Links(lists_.data(), nullptr, nullptr, kM), scorer, 0, entry, ~std::uint64_t{0},
                beam_, stop);
  }
  std::vector<Slot> pool(std::size_t most) const {
    std::vector<Slot> slots;
    for (std::size_t i = 0; i < std::min(most, beam_.pool.size()); ++i) {
      slots.push_back(beam_.pool.slot(i));
    }
    return slots;
  }

  std::mt19937 random_{12};
  ExactCodes codes_;
  std::vector<float> rows_ = std::vector<float>(std::size_t{kPoints} * kDimension);
  std::vector<Slot> lists_ = std::vector<Slot>(std::size_t{kPoints} * 2 * kM);
  std::vector<std::byte> scratch_;
  BeamScratch beam_;
  WalkTrace trace_;
};

TEST_F(WalkTraceTest, TellsWhatNarrowerWalksFind) {
  std::ptrdiff_t compared = 0;
  std::ptrdiff_t told = 0;
  std::ptrdiff_t found = 0;
  for (int q = 0; q < 40; ++q) {
    std::vector<float> query(kDimension);
    for (float& value : query) value = static_cast<float>(random_() % 1000);
    trace_.begin(7, false);
    walk(query, kWide, 0, 0, [&](const BeamStep& step) {
      trace_.note(beam_, step.count);
      return false;
    });
    const std::vector<Slot> wide = pool(200);
    const std::set<Slot> truth(wide.begin(), wide.begin() + 10);
    const RecallModel::Sample sample = trace_.judge(wide, wide);
    ASSERT_TRUE(sample.is_of[0]);
    ASSERT_TRUE(sample.is_of[1]);
    const auto compare = [&](std::uint8_t tells) {
      const std::vector<Slot> narrow = pool(10);
      const auto finds = std::count_if(narrow.begin(), narrow.end(),
                                       [&](Slot slot) { return truth.contains(slot); });
      // A narrow walk asks one node at its last step where the wide one asked two.
      EXPECT_LE(finds, tells);
      ++compared;
      told += tells;
      found += finds;
    };
    const GoOn go_on;
    for (std::size_t i = 0; i < RecallModel::kPoints; i += 3) {
      const auto ef = static_cast<std::size_t>(std::ceil(RecallModel::ef_at(i)));
      if (ef < kWide) {
        walk(query, ef, 0, 0, go_on);
        compare(sample.found[0][RecallModel::kEf][i]);
      }
      walk(query, kWide, static_cast<float>(RecallModel::stretch_at(i)), 10, go_on);
      compare(sample.found[0][RecallModel::kStretch][i]);
    }
  }
  EXPECT_GE(compared, 600);
  EXPECT_LE(told - found, told / 50) << compared;
}

TEST_F(WalkTraceTest, KnowsNothingOfFewNeighboursOrOfAWalkThatIsTooLong) {
  std::vector<float> query(kDimension, 500);
  const auto noted = [&](const BeamStep& step) {
    trace_.note(beam_, step.count);
    return false;
  };
  trace_.begin(7, false);
  walk(query, 300, 0, 0, noted);
  std::vector<Slot> wide = pool(200);
  wide.resize(40);
  RecallModel::Sample sample = trace_.judge(wide, wide);
  EXPECT_TRUE(sample.is_of[0]);
  EXPECT_FALSE(sample.is_of[1]);
  wide.resize(9);
  EXPECT_FALSE(trace_.judge(wide, wide).is_of[0]);

  WalkTrace small;
  ASSERT_TRUE(small.reserve(16, 2 * kM).ok());
  small.begin(7, false);
  walk(query, kWide, 0, 0, [&](const BeamStep& step) {
    small.note(beam_, step.count);
    return false;
  });
  wide = pool(200);
  sample = small.judge(wide, wide);
  EXPECT_FALSE(sample.is_of[0]);
  EXPECT_FALSE(sample.is_of[1]);
}

TEST_F(WalkTraceTest, ANeighbourThatCodesPutBehindIsFoundByNoWalk) {
  std::vector<float> query(kDimension, 500);
  trace_.begin(7, true);
  walk(query, kWide, 0, 0, [&](const BeamStep& step) {
    trace_.note(beam_, step.count);
    return false;
  });
  const std::vector<Slot> seen = pool(200);
  std::vector<Slot> truth = seen;
  std::swap(truth[0], truth[rerank_count(10, true)]);  // the first that is not scored again
  const RecallModel::Sample sample = trace_.judge(truth, seen);
  for (const Rule rule : {RecallModel::kStretch, RecallModel::kEf}) {
    EXPECT_EQ(sample.found[0][rule][RecallModel::kPoints - 1], 9);
  }
}

}  // namespace
}  // namespace skerry

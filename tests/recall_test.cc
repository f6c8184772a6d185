// recall_test.cc - does it still find what is near, on real embeddings, after a life of changes?
//
// The sets are those of data/ (its README says where they come from). Recall counts a hit as right
// when it lies within the distance of the true 10th. Floors leave a margin below what a graph of
// these options reaches; nothing here is timed.

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "formats/reader.h"
#include "formats/truth.h"
#include "gtest/gtest.h"
#include "skerry/index.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

struct Set {
  const char* name;
  const char* base;  // the file's ending
  Metric metric;
  Scalar scalar;
};

constexpr std::array kSets = {
    Set{"capdocs-minilm-384-cos", "fbin", Metric::cosine, Scalar::f32},
    Set{"glove6b-100-cos", "fbin", Metric::cosine, Scalar::f32},
    Set{"fashion-mnist-5k-784-l2", "u8bin", Metric::l2, Scalar::u8},
};

struct Case {
  Set set;
  Codes codes;
};

std::string name_of(const Case& test) {
  std::string name = std::string(test.set.name) + "_" + std::string(skerry::name_of(test.codes));
  std::ranges::replace(name, '-', '_');
  return name;
}

void PrintTo(const Case& test, std::ostream* out) {
  *out << name_of(test);
}

class RecallTest : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::size_t kWanted = 10;

  void SetUp() override {
    const auto read = [&](const std::string& ending, formats::Batch& out) {
      formats::InputOptions input;
      input.path = std::string(SKERRY_DATA_DIR "/") + GetParam().set.name + "." + ending;
      const auto outcome = formats::read_all(input, out);
      ASSERT_TRUE(outcome.ok()) << outcome.text;
    };
    read(std::string("base.") + GetParam().set.base, base_);
    read("query.fbin", queries_);
    rows_ = kSanitized ? std::min<std::size_t>(base_.rows, 800) : base_.rows;
    searches_ = std::min<std::size_t>(queries_.rows, kSanitized ? 50 : 300);
    make(0);
  }

  void make(std::uint32_t flat_below) {
    auto made = Index::create({.dimension = base_.dimension,
                               .metric = GetParam().set.metric,
                               .scalar = GetParam().set.scalar,
                               .codes = GetParam().codes,
                               .M = 16,
                               .ef_construction = 100,
                               .flat_below = flat_below});
    ASSERT_OK(made);
    index_.emplace(*std::move(made));
  }

  VectorView row(std::size_t i) const { return base_.matrix().row(i); }
  VectorView query(std::size_t i) const { return queries_.matrix().row(i); }

  void fill() {
    std::vector<Key> keys(rows_);
    std::iota(keys.begin(), keys.end(), Key{0});
    const MatrixView all = base_.matrix();
    ASSERT_OK(index_->upsert(
        keys, MatrixView(all.row(0).data(), all.scalar(), rows_, all.dimension()), {.threads = 2}));
  }

  // Of the ten nearest by an exact scan, the share that a walk with `ef` finds.
  double recall(std::uint32_t ef) { return recall(SearchOptions{.ef = ef}); }
  double recall(const SearchOptions& options) {
    std::size_t found = 0;
    visited_ = 0;
    for (std::size_t q = 0; q < searches_; ++q) {
      std::array<Hit, kWanted> truth, hits;
      const auto scanned = index_->search(query(q), truth, {.exact = true});
      const auto walked = index_->search(query(q), hits, options);
      EXPECT_OK(scanned);
      EXPECT_OK(walked);
      if (!scanned.ok() || !walked.ok()) return 0;
      EXPECT_EQ(scanned->count, kWanted);
      EXPECT_EQ(walked->count, kWanted);
      visited_ += walked->visited;
      const float last = truth[kWanted - 1].distance;
      found += static_cast<std::size_t>(std::count_if(
          hits.begin(), hits.end(), [&](const Hit& hit) { return hit.distance <= last; }));
    }
    return static_cast<double>(found) / static_cast<double>(searches_ * kWanted);
  }

  void expect_recall(double floor) {
    EXPECT_GE(recall(64), floor);
    EXPECT_GE(recall(256), std::min(floor + 0.01, 0.995));
    const auto report = index_->check();
    ASSERT_OK(report);
    EXPECT_EQ(report->live, index_->size());
    EXPECT_EQ(report->unreachable, 0u);
  }

  formats::Batch base_, queries_;
  std::size_t rows_ = 0;
  std::size_t searches_ = 0;
  std::uint64_t visited_ = 0;  // by all walks of the last recall()
  Random random_{8};
  std::optional<Index> index_;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Set& set : kSets) {
    cases.push_back({set, Codes::exact});
    // Bytes are their own codes.
    if (set.scalar != Scalar::f32) continue;
    cases.push_back({set, Codes::sq8});
    cases.push_back({set, Codes::rot4});
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(, RecallTest, ::testing::ValuesIn(all_cases()),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(RecallTest, OfAFreshGraph) {
  fill();
  expect_recall(0.98);
}

// Of the index's own vectors it knows the recall as they come; these queries are not among them.
TEST_P(RecallTest, ATargetIsReachedAndMoreOfItCostsMore) {
  fill();
  for (int life = 0; life < 2; ++life) {
    std::uint64_t before = 0;
    for (const float target : {0.9F, 0.95F, 0.98F, 0.995F}) {
      EXPECT_GE(recall(SearchOptions{.recall_target = target}), target - 0.015F) << life;
      EXPECT_GE(visited_, before);
      before = visited_;
    }
    recall(SearchOptions{.recall_target = 0.9F});
    EXPECT_LT(visited_, before) << life;
    for (std::size_t i = 0; i < rows_ / 5; ++i) {
      ASSERT_OK(index_->upsert(below(random_, rows_), row(below(random_, rows_))));
    }
  }
}

TEST_P(RecallTest, AnExactSearchAgreesWithTheShippedTruth) {
  // The shipped truth is of the whole set. Under a sanitizer that many are not linked, and scanned.
  if (kSanitized) make(std::numeric_limits<std::uint32_t>::max());
  rows_ = base_.rows;
  fill();
  formats::Truth truth;
  const auto outcome = formats::read_truth(
      std::string(SKERRY_DATA_DIR "/") + GetParam().set.name + ".gt.ibin", truth);
  ASSERT_TRUE(outcome.ok()) << outcome.text;
  for (std::size_t q = 0; q < searches_; ++q) {
    std::array<Hit, kWanted> hits;
    ASSERT_OK(index_->search(query(q), hits, {.exact = true}));
    const float last = truth.distances[q * truth.k + kWanted - 1];
    for (const Hit& hit : hits) EXPECT_LE(hit.distance, last + 1e-5F * std::max(1.0F, last));
  }
}

TEST_P(RecallTest, AfterAFifthWasUpdatedAndATenthRemoved) {
  fill();
  for (std::size_t i = 0; i < rows_ / 5; ++i) {
    ASSERT_OK(index_->upsert(below(random_, rows_), row(below(random_, rows_))));
  }
  for (Key key = 0; key < rows_; key += 10) ASSERT_OK(index_->remove(key));
  EXPECT_EQ(index_->size(), rows_ - (rows_ + 9) / 10);
  expect_recall(0.975);
}

TEST_P(RecallTest, AfterFiveRoundsOfAFifthReplaced) {
  fill();
  Key next = rows_;
  std::vector<Key> live(rows_);
  std::iota(live.begin(), live.end(), Key{0});
  for (int round = 0; round < 5; ++round) {
    std::shuffle(live.begin(), live.end(), random_);
    for (std::size_t i = 0; i < rows_ / 5; ++i) {
      ASSERT_OK(index_->remove(live[i]));
      live[i] = next++;
      ASSERT_OK(index_->insert(live[i], row(below(random_, rows_))));
    }
  }
  EXPECT_EQ(index_->size(), rows_);
  expect_recall(0.97);
}

TEST_P(RecallTest, AfterEverythingWasRemovedAndFilledAgain) {
  fill();
  std::vector<Key> keys(rows_);
  std::iota(keys.begin(), keys.end(), Key{0});
  std::shuffle(keys.begin(), keys.end(), random_);
  for (const Key key : keys) ASSERT_OK(index_->remove(key));
  ASSERT_OK(index_->check());
  fill();
  expect_recall(0.98);
}

}  // namespace
}  // namespace skerry::testing

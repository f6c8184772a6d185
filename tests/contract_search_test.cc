// contract_search_test.cc - how many hits, in which order, and how exact?
//
// Contract: "results", "k = 0", "k > live", "k > ef", "empty collection", range search, budgets
// and batch search.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

class SearchContract : public ContractTest {
 protected:
  static constexpr std::uint32_t kDimension = 12;

  // `rows` random vectors under the keys 0, 7, 14, ...
  void fill(std::size_t rows, std::uint64_t seed = 1) {
    subject_ = make({.dimension = kDimension});
    Random random(seed);
    table_ = random_table(random, Scalar::f32, rows + 1, kDimension);
    std::vector<Key> keys(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      keys[i] = 7 * i;
      model_.put(keys[i], table_.row(i));
    }
    ASSERT_OK(subject_->upsert(keys, table_.matrix(0, rows)));
  }
  VectorView query() const { return table_.row(table_.rows() - 1); }

  std::unique_ptr<Subject> subject_;
  Table table_;
  Model model_{Metric::l2, Scalar::f32, kDimension};
};
SKERRY_IN_EVERY_FORM(SearchContract);

TEST_P(SearchContract, NearestFirstWithExactDistances) {
  fill(500);
  for (std::size_t q = 0; q < 50; ++q) {
    const auto hits = subject_->find(table_.row(q), 20);
    EXPECT_EQ(hits.size(), 20u);
    EXPECT_TRUE(model_.honest(table_.row(q), hits));
    if (!GetParam().graph) {
      EXPECT_TRUE(model_.perfect(table_.row(q), hits, 20));
    }
  }
}

TEST_P(SearchContract, ExactSearchIsPerfect) {
  fill(500);
  std::vector<Hit> hits(20);
  for (std::size_t q = 0; q < 50; ++q) {
    const auto result = subject_->search(table_.row(q), hits, {.exact = true});
    ASSERT_OK(result);
    EXPECT_TRUE(result->exact);
    EXPECT_FALSE(result->exhausted);
    ASSERT_EQ(result->count, 20u);
    EXPECT_TRUE(model_.perfect(table_.row(q), hits, 20));
  }
}

TEST_P(SearchContract, TiesGoByKeyAscending) {
  const auto subject = make({.dimension = 4});
  // Four places with fifty vectors each, the keys dealt out in a shuffled order.
  std::vector<Key> keys(200);
  for (std::size_t i = 0; i < 200; ++i) keys[i] = (i * 77) % 200;
  for (const Key key : keys) {
    const auto place = static_cast<float>(key % 4);
    ASSERT_OK(subject->insert(key, std::array{place, 0.0F, 0.0F, 0.0F}));
  }
  const std::array query = {0.0F, 0.0F, 0.0F, 0.0F};
  const auto hits = subject->find(query, 120, {.exact = true});
  ASSERT_EQ(hits.size(), 120u);
  for (std::size_t i = 0; i < 120; ++i) {
    const std::size_t place = i / 50;
    EXPECT_EQ(hits[i], (Hit{(i % 50) * 4 + place, static_cast<float>(place * place)})) << i;
  }
  const auto walked = subject->find(query, 120);
  ASSERT_EQ(walked.size(), 120u);
  EXPECT_TRUE(std::ranges::is_sorted(walked, [](const Hit& a, const Hit& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
  }));
}

TEST_P(SearchContract, ZeroKGivesZeroResultsAndNoError) {
  fill(50);
  const auto result = subject_->search(query(), {});
  ASSERT_OK(result);
  EXPECT_EQ(result->count, 0u);
  std::vector<std::uint32_t> counts(3, 9);
  ASSERT_OK(subject_->search_batch(table_.matrix(0, 3), {}, counts));
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST_P(SearchContract, KBeyondLiveGivesAllLive) {
  fill(300);
  EXPECT_TRUE(model_.perfect(query(), subject_->find(query(), 301), 301));
  EXPECT_TRUE(model_.perfect(query(), subject_->find(query(), 5000), 5000));
}

TEST_P(SearchContract, EfRisesToK) {
  fill(400);
  for (const std::size_t k : {2U, 50U, 399U, 400U}) {
    const auto hits = subject_->find(query(), k, {.ef = 1});
    EXPECT_EQ(hits.size(), k);
    EXPECT_TRUE(model_.honest(query(), hits));
  }
}

TEST_P(SearchContract, AnEmptyCollectionGivesZeroResults) {
  fill(40);
  const auto empty = make({.dimension = kDimension});
  std::vector<std::uint32_t> counts(2, 9);
  std::vector<Hit> hits(6);
  EXPECT_TRUE(empty->find(query(), 3).empty());
  EXPECT_TRUE(empty->find(query(), 3, {.exact = true}).empty());
  ASSERT_OK(empty->search_batch(table_.matrix(0, 2), hits, counts));
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{0, 0}));
  ASSERT_OK(empty->check());

  const auto all = subject_->keys();
  ASSERT_OK(subject_->remove(all));
  EXPECT_TRUE(subject_->find(query(), 3).empty());
  ASSERT_OK(subject_->check());
}

TEST_P(SearchContract, AnUnreachableKeyIsNeverAccepted) {
  fill(400);
  const auto report = subject_->check();
  ASSERT_OK(report);
  EXPECT_EQ(report->live, 400u);
  EXPECT_EQ(report->unreachable, 0u);
}

TEST_P(SearchContract, MaxDistanceKeepsWhatIsNotFarther) {
  fill(400);
  const auto ranking = model_.ranking(query());
  for (const std::size_t within : {0U, 1U, 10U, 100U, 400U}) {
    SCOPED_TRACE(within);
    // Half way between the last that belongs and the first that does not.
    const double bound = within == 0 ? ranking[0].distance / 2
                         : within == 400
                             ? ranking[399].distance * 2
                             : (ranking[within - 1].distance + ranking[within].distance) / 2;
    const auto limit = static_cast<float>(bound);
    const auto hits = subject_->find(query(), 400, {.max_distance = limit, .exact = true});
    EXPECT_EQ(hits.size(), within);
    EXPECT_TRUE(model_.honest(query(), hits));
    const auto walked = subject_->find(query(), 400, {.max_distance = limit});
    EXPECT_EQ(walked.size(), within);  // ef has risen to 400, so the walk sees everything
    for (const Hit& hit : walked) EXPECT_LE(hit.distance, limit);
    const auto three = subject_->find(query(), 3, {.max_distance = limit});
    EXPECT_EQ(three.size(), std::min<std::size_t>(3, within));
  }
}

TEST_P(SearchContract, MaxDistanceIsInclusive) {
  const auto subject = make({.dimension = 2});
  for (Key key = 0; key < 10; ++key) {
    ASSERT_OK(subject->insert(key, std::array{static_cast<float>(key), 0.0F}));
  }
  const std::array zero = {0.0F, 0.0F};
  EXPECT_EQ(subject->find(zero, 10, {.max_distance = 9}).size(), 4u);
  EXPECT_EQ(subject->find(zero, 10, {.max_distance = 0}).size(), 1u);
  EXPECT_EQ(subject->find(zero, 10, {.max_distance = -1}).size(), 0u);
}

TEST_P(SearchContract, AMaxDistanceThatIsNotANumberIsRefused) {
  fill(10);
  std::vector<Hit> hits(3);
  EXPECT_ERROR(
      subject_->search(query(), hits, {.max_distance = std::numeric_limits<float>::quiet_NaN()}),
      Code::invalid_argument);
}

TEST_P(SearchContract, ARecallTargetIsAPartOfAllOrIsRefused) {
  fill(400);
  std::vector<Hit> hits(10);
  for (const float bad : {-0.1F, 1.0F, 7.0F, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    EXPECT_ERROR(subject_->search(query(), hits, {.recall_target = bad}), Code::invalid_argument);
  }
  for (const float target : {0.001F, 0.9F, 0.9999F}) {
    for (const std::size_t k : {1, 10, 150, 400}) {
      EXPECT_EQ(subject_->find(query(), k, {.recall_target = target}).size(), k) << target;
      const auto odd = [](Key key) { return key % 2 == 1; };
      EXPECT_EQ(subject_
                    ->find(query(), std::min<std::size_t>(k, 200),
                           {.recall_target = target, .filter = Filter::where(odd)})
                    .size(),
                std::min<std::size_t>(k, 200))
          << target;
    }
  }
}

TEST_P(SearchContract, ABudgetEndsTheSearchAndTheResultSaysSo) {
  fill(800);
  std::vector<Hit> hits(10);
  const auto free = subject_->search(query(), hits);
  ASSERT_OK(free);
  EXPECT_FALSE(free->exhausted);
  ASSERT_GT(free->visited, 100u);
  const auto poor = subject_->search(query(), hits, {.budget = 40});
  ASSERT_OK(poor);
  EXPECT_TRUE(poor->exhausted);
  EXPECT_FALSE(poor->exact);
  // What codes have chosen is scored once more on the exact rows.
  const bool twice = GetParam().codes != Codes::exact;
  EXPECT_LE(poor->visited, 40u + (twice ? poor->count : 0));
  EXPECT_TRUE(model_.honest(query(), std::span(hits).first(poor->count)));
  const auto rich = subject_->search(query(), hits, {.budget = 1'000'000});
  ASSERT_OK(rich);
  EXPECT_FALSE(rich->exhausted);
  EXPECT_EQ(rich->count, 10u);
}

TEST_P(SearchContract, ASearchTellsWhatItCost) {
  fill(800);
  std::vector<Hit> hits(10);
  const auto walk = subject_->search(query(), hits);
  ASSERT_OK(walk);
  const bool has_codes = GetParam().graph && GetParam().codes != Codes::exact;
  EXPECT_EQ(walk->hops > 0, GetParam().graph);
  EXPECT_LT(walk->hops, walk->visited);
  // k at least; k, half as many again, and ten at most.
  EXPECT_GE(walk->reranked, has_codes ? 10u : 0u);
  EXPECT_LE(walk->reranked, has_codes ? 25u : 0u);
  constexpr std::size_t kVector = kDimension * sizeof(float);
  const std::size_t code = has_codes ? kDimension / 2 : kVector;  // at least
  const std::uint64_t least =
      walk->hops * 4 + (walk->visited - walk->reranked) * code + walk->reranked * kVector;
  EXPECT_GE(walk->bytes, least);
  EXPECT_LE(walk->bytes, walk->hops * 64 * 4 + walk->visited * 64);

  const auto scan = subject_->search(query(), hits, {.exact = true});
  ASSERT_OK(scan);
  EXPECT_EQ(scan->visited, 800u);
  EXPECT_EQ(scan->hops, 0u);
  EXPECT_EQ(scan->reranked, 0u);
  EXPECT_GE(scan->bytes, 800 * kVector);

  std::vector<Hit> all(3 * hits.size());
  std::vector<std::uint32_t> counts(3);
  SearchResult sum;
  for (std::size_t row = 0; row < 3; ++row) {
    const auto one = subject_->search(table_.row(row), hits);
    ASSERT_OK(one);
    sum.visited += one->visited;
    sum.hops += one->hops;
    sum.reranked += one->reranked;
    sum.bytes += one->bytes;
  }
  const auto batch = subject_->search_batch(table_.matrix(0, 3), all, counts, {.threads = 2});
  ASSERT_OK(batch);
  EXPECT_EQ(batch->visited, sum.visited);
  EXPECT_EQ(batch->hops, sum.hops);
  EXPECT_EQ(batch->reranked, sum.reranked);
  EXPECT_EQ(batch->bytes, sum.bytes);
}

TEST_P(SearchContract, BatchSearchEqualsSingleSearches) {
  fill(300);
  constexpr std::size_t kQueries = 70;
  constexpr std::size_t kWanted = 6;
  const auto odd = [](Key key) { return key % 2 == 1; };
  for (const SearchOptions& base :
       {SearchOptions{}, SearchOptions{.ef = 9}, SearchOptions{.max_distance = 2.5F},
        SearchOptions{.exact = true}, SearchOptions{.filter = Filter::where(odd)}}) {
    std::vector<Hit> single(kQueries * kWanted);
    std::vector<std::uint32_t> single_counts(kQueries);
    std::uint64_t total = 0;
    for (std::size_t q = 0; q < kQueries; ++q) {
      const auto result =
          subject_->search(table_.row(q), std::span(single).subspan(q * kWanted, kWanted), base);
      ASSERT_OK(result);
      single_counts[q] = result->count;
      total += result->count;
    }
    for (const std::uint32_t threads : {1U, 2U, 3U, 0U}) {
      SearchOptions options = base;
      options.threads = threads;
      std::vector<Hit> hits(kQueries * kWanted);
      std::vector<std::uint32_t> counts(kQueries);
      const auto result = subject_->search_batch(table_.matrix(0, kQueries), hits, counts, options);
      ASSERT_OK(result);
      EXPECT_EQ(result->count, total);
      EXPECT_EQ(counts, single_counts);
      for (std::size_t q = 0; q < kQueries; ++q) {
        for (std::size_t i = 0; i < counts[q]; ++i) {
          EXPECT_EQ(hits[q * kWanted + i], single[q * kWanted + i]) << "query " << q;
        }
      }
    }
  }
}

TEST_P(SearchContract, ABatchNeedsACountForEveryRow) {
  fill(20);
  std::vector<Hit> hits(8);
  std::vector<std::uint32_t> counts(3);
  EXPECT_ERROR_SAYING(subject_->search_batch(table_.matrix(0, 4), hits, counts),
                      Code::invalid_argument, 4, 3);
  const auto none = subject_->search_batch(table_.matrix(0, 0), {}, {});
  ASSERT_OK(none);
  EXPECT_EQ(none->count, 0u);
}

TEST_P(SearchContract, RecallOfTheWalkIsHigh) {
  fill(800);
  std::size_t found = 0;
  for (std::size_t q = 0; q < 100; ++q) {
    found += model_.found(table_.row(q), subject_->find(table_.row(q), 10), 10);
  }
  EXPECT_GE(found, 970u);  // of 1000
}

}  // namespace
}  // namespace skerry::testing

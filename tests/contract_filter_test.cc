// contract_filter_test.cc - does a filter keep its word at every share of matches?
//
// Contract: "filter: fewer than k results only if fewer than k live entries match (or the caller
// set a budget, and then the result says so)" and "filter callback: may read any collection;
// writing from inside is invalid_argument, not a deadlock".

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

class FilterContract : public ContractTest {
 protected:
  static constexpr std::uint32_t kDimension = 10;

  void fill(std::size_t rows) {
    subject_ = make({.dimension = kDimension, .ef_construction = 80});
    Random random(2);
    table_ = clustered_table(random, rows + 20, kDimension, 12);
    std::vector<Key> keys(rows);
    std::iota(keys.begin(), keys.end(), Key{0});
    for (const Key key : keys) model_.put(key, table_.row(key));
    ASSERT_OK(subject_->upsert(keys, table_.matrix(0, rows)));
  }
  VectorView query(std::size_t q) const { return table_.row(table_.rows() - 1 - q); }

  // Twenty searches under each way to say the same set.
  void expect_k_of(const Model::Passes& passes, std::size_t k) {
    std::vector<Key> listed, others;
    for (const auto& [key, bytes] : model_.rows()) (passes(key) ? listed : others).push_back(key);
    const auto predicate = [&](Key key) { return passes(key); };
    const std::size_t expected = std::min(k, listed.size());
    std::size_t found = 0;
    for (std::size_t q = 0; q < 20; ++q) {
      for (const Filter& filter :
           {Filter::where(predicate), Filter::only(listed), Filter::except(others)}) {
        const auto hits = subject_->find(query(q), k, {.filter = filter});
        EXPECT_EQ(hits.size(), expected);
        EXPECT_TRUE(model_.honest(query(q), hits, passes));
        found += model_.found(query(q), hits, k, passes);
        const auto exact = subject_->find(query(q), k, {.filter = filter, .exact = true});
        EXPECT_TRUE(model_.perfect(query(q), exact, k, passes));
      }
    }
    EXPECT_GE(found, 60 * expected * 19 / 20) << "recall under 0.95";
  }

  std::unique_ptr<Subject> subject_;
  Table table_;
  Model model_{Metric::l2, Scalar::f32, kDimension};
};
SKERRY_IN_EVERY_FORM(FilterContract);

TEST_P(FilterContract, KResultsWheneverKMatchAtEveryShare) {
  const std::size_t rows = scaled(3000);
  fill(rows);
  for (const std::size_t one_in : {1U, 2U, 10U, 100U, 1000U}) {
    SCOPED_TRACE(one_in);
    expect_k_of([&](Key key) { return key % one_in == 0; }, 10);
  }
}

TEST_P(FilterContract, OneMatchingKeyIsFound) {
  const std::size_t rows = scaled(2000);
  fill(rows);
  for (const Key wanted : {Key{0}, Key{rows / 2}, Key{rows - 1}}) {
    expect_k_of([&](Key key) { return key == wanted; }, 10);
  }
}

TEST_P(FilterContract, MatchesThatAllLieFarAwayAreFound) {
  fill(scaled(2000));
  // The half that is farthest from every query's own place: routing must cross the other half.
  const auto ranking = model_.ranking(query(0));
  std::vector<Key> far;
  for (std::size_t i = ranking.size() / 2; i < ranking.size(); ++i) far.push_back(ranking[i].key);
  std::ranges::sort(far);
  expect_k_of([&](Key key) { return std::ranges::binary_search(far, key); }, 20);
}

TEST_P(FilterContract, NoMatchGivesZeroResults) {
  fill(300);
  const auto never = [](Key) { return false; };
  const std::vector<Key> absent = {100'000, 100'001};
  std::vector<Key> all(300);
  std::iota(all.begin(), all.end(), Key{0});
  EXPECT_TRUE(subject_->find(query(0), 5, {.filter = Filter::where(never)}).empty());
  EXPECT_TRUE(subject_->find(query(0), 5, {.filter = Filter::only({})}).empty());
  EXPECT_TRUE(subject_->find(query(0), 5, {.filter = Filter::only(absent)}).empty());
  EXPECT_TRUE(subject_->find(query(0), 5, {.filter = Filter::except(all)}).empty());
  EXPECT_EQ(subject_->find(query(0), 5, {.filter = Filter::except({})}).size(), 5u);
}

TEST_P(FilterContract, ListsMayRepeatAndNameAbsentKeysInAnyOrder) {
  fill(300);
  const std::vector<Key> list = {250, 3, 99'999, 3, 250, 17, ~Key{0}};
  const auto named = [](Key key) { return key == 250 || key == 3 || key == 17; };
  EXPECT_TRUE(model_.perfect(query(0), subject_->find(query(0), 9, {.filter = Filter::only(list)}),
                             9, named));
  const auto hits = subject_->find(query(0), 300, {.filter = Filter::except(list)});
  EXPECT_EQ(hits.size(), 297u);
  EXPECT_TRUE(model_.honest(query(0), hits, [&](Key key) { return !named(key); }));
}

TEST_P(FilterContract, RemovedKeysDoNotMatch) {
  fill(400);
  std::vector<Key> allowed;
  for (Key key = 0; key < 400; key += 4) allowed.push_back(key);
  for (Key key = 0; key < 400; key += 8) {
    ASSERT_OK(subject_->remove(key));
    model_.erase(key);
  }
  const auto hits = subject_->find(query(0), 400, {.filter = Filter::only(allowed)});
  EXPECT_EQ(hits.size(), 50u);
  EXPECT_TRUE(model_.honest(query(0), hits, [](Key key) { return key % 8 == 4; }));
}

TEST_P(FilterContract, RangeAndFilterHoldTogether) {
  fill(400);
  const auto even = [](Key key) { return key % 2 == 0; };
  const auto ranking = model_.ranking(query(0), even);
  const auto limit = static_cast<float>((ranking[29].distance + ranking[30].distance) / 2);
  const auto hits = subject_->find(
      query(0), 400, {.filter = Filter::where(even), .max_distance = limit, .exact = true});
  EXPECT_EQ(hits.size(), 30u);
  EXPECT_TRUE(model_.honest(query(0), hits, even));
}

TEST_P(FilterContract, ABudgetMayReturnFewerAndSaysSo) {
  fill(800);
  const auto rare = [](Key key) { return key % 100 == 0; };
  std::vector<Hit> hits(8);
  const auto result =
      subject_->search(query(0), hits, {.filter = Filter::where(rare), .budget = 20});
  ASSERT_OK(result);
  EXPECT_LE(result->visited, 20u + (GetParam().codes != Codes::exact ? result->count : 0));
  EXPECT_TRUE(result->exhausted || result->count == 8);
  EXPECT_TRUE(model_.honest(query(0), std::span(hits).first(result->count), rare));
}

TEST_P(FilterContract, ACallbackMayReadAnyCollection) {
  fill(300);
  const auto other = make({.dimension = 2});
  for (Key key = 0; key < 300; key += 3) {
    ASSERT_OK(other->insert(key, std::array{static_cast<float>(key), 0.0F}));
  }
  std::atomic<int> failures = 0;
  const auto join = [&](Key key) {
    std::array<Hit, 1> nearest;
    const auto there = other->search(std::array{static_cast<float>(key), 0.0F}, nearest);
    std::array<float, kDimension> own{};
    const auto here = subject_->get(key, own);
    std::array<Hit, 2> again;
    const auto nested = subject_->search(own, again);
    if (!there.ok() || !here.ok() || !nested.ok() || nested->count != 2) ++failures;
    return there.ok() && nearest[0].distance == 0 && other->contains(key);
  };
  const auto hits = subject_->find(query(0), 10, {.filter = Filter::where(join)});
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(hits.size(), 10u);
  EXPECT_TRUE(model_.honest(query(0), hits, [](Key key) { return key % 3 == 0; }));
}

TEST_P(FilterContract, WritingFromInsideACallbackIsInvalidArgument) {
  fill(60);
  const auto other = make({.dimension = 2});
  const std::vector<float> vector(kDimension, 1.0F);
  const std::vector<Key> keys = {1, 2};
  const std::vector<float> rows(2 * kDimension, 1.0F);
  int calls = 0;
  const auto meddle = [&](Key key) {
    ++calls;
    EXPECT_ERROR(subject_->insert(1000, vector), Code::invalid_argument);
    EXPECT_ERROR(subject_->upsert(key, vector), Code::invalid_argument);
    EXPECT_ERROR(subject_->upsert(keys, MatrixView(rows, kDimension)), Code::invalid_argument);
    EXPECT_ERROR(subject_->remove(key), Code::invalid_argument);
    EXPECT_ERROR(subject_->remove(keys), Code::invalid_argument);
    EXPECT_ERROR(other->upsert(1, std::array{1.0F, 1.0F}), Code::invalid_argument);
    return true;
  };
  EXPECT_EQ(subject_->find(query(0), 5, {.filter = Filter::where(meddle)}).size(), 5u);
  EXPECT_GT(calls, 0);
  EXPECT_EQ(subject_->size(), 60u);
  EXPECT_EQ(other->size(), 0u);
  // And the ban is lifted with the search.
  EXPECT_OK(subject_->insert(1000, vector));
}

TEST_P(FilterContract, FiltersOfNamesAreRefusedWhereKeysAreNumbers) {
  fill(20);
  const std::vector<std::string_view> names = {"a"};
  std::vector<Hit> hits(3);
  EXPECT_ERROR(subject_->search(query(0), hits, {.filter = Filter::only_names(names)}),
               Code::invalid_argument);
}

}  // namespace
}  // namespace skerry::testing

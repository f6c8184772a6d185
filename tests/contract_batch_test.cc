// contract_batch_test.cc - is a batch all or nothing, and does the last of a key win?
//
// Contract: "the same key twice in a batch" and "a batch with one bad item".

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

class BatchContract : public ContractTest {
 protected:
  static constexpr std::uint32_t kDimension = 6;

  void SetUp() override {
    subject_ = make({.dimension = kDimension});
    Random random(4);
    table_ = random_table(random, Scalar::f32, 1000, kDimension);
  }
  void expect_row(Key key, std::size_t row) {
    std::vector<std::byte> got(table_.row_bytes());
    ASSERT_OK(subject_->get_bytes(key, got));
    EXPECT_TRUE(std::ranges::equal(got, table_.bytes(row))) << "key " << key;
  }
  // As many keys as `rows`, from 0 on.
  static std::vector<Key> counted(std::size_t rows) {
    std::vector<Key> keys(rows);
    std::iota(keys.begin(), keys.end(), Key{0});
    return keys;
  }

  std::unique_ptr<Subject> subject_;
  Table table_;
};
SKERRY_IN_EVERY_FORM(BatchContract);

TEST_P(BatchContract, EveryRowIsStored) {
  ASSERT_OK(subject_->insert(counted(500), table_.matrix(0, 500)));
  EXPECT_EQ(subject_->size(), 500u);
  for (Key key = 0; key < 500; ++key) {
    expect_row(key, key);
    EXPECT_EQ(subject_->find(table_.row(key), 1), (std::vector<Hit>{{key, 0}}));
  }
  ASSERT_OK(subject_->check());
}

TEST_P(BatchContract, OfAKeyThatComesTwiceTheLastWins) {
  const std::vector<Key> keys = {5, 6, 5, 7, 5, 6};
  ASSERT_OK(subject_->upsert(keys, table_.matrix(0, 6)));
  EXPECT_EQ(subject_->keys(), (std::vector<Key>{5, 6, 7}));
  expect_row(5, 4);
  expect_row(6, 5);
  expect_row(7, 3);
  EXPECT_EQ(subject_->find(table_.row(0), 10).size(), 3u);
  EXPECT_EQ(subject_->find(table_.row(4), 1), (std::vector<Hit>{{5, 0}}));
  ASSERT_OK(subject_->check());
}

TEST_P(BatchContract, OfANewKeyThatIsInsertedTwiceTheLastWins) {
  const std::vector<Key> keys = {1, 2, 1};
  ASSERT_OK(subject_->insert(keys, table_.matrix(0, 3)));
  EXPECT_EQ(subject_->size(), 2u);
  expect_row(1, 2);
}

TEST_P(BatchContract, OneBadVectorAndNothingIsChangedAndTheMessageNamesTheRow) {
  ASSERT_OK(subject_->upsert(counted(10), table_.matrix(0, 10)));
  for (const std::size_t bad_row : {0U, 7U, 19U}) {
    SCOPED_TRACE(bad_row);
    Table rows(Scalar::f32, 20, kDimension);
    for (std::size_t r = 0; r < 20; ++r) {
      for (std::size_t i = 0; i < kDimension; ++i) rows.set(r, i, component(table_.row(r + 50), i));
    }
    rows.set(bad_row, 4, std::numeric_limits<double>::quiet_NaN());
    EXPECT_ERROR_SAYING(subject_->upsert(counted(20), rows.matrix()), Code::invalid_argument,
                        bad_row, 4);
    EXPECT_ERROR_SAYING(subject_->insert(std::vector<Key>(20, 77), rows.matrix()),
                        Code::invalid_argument, bad_row, 4);
    EXPECT_EQ(subject_->keys(), counted(10));
    for (Key key = 0; key < 10; ++key) expect_row(key, key);
  }
  ASSERT_OK(subject_->check());
}

TEST_P(BatchContract, OnePresentKeyAndNothingIsInsertedAndTheMessageNamesTheRow) {
  ASSERT_OK(subject_->insert(13, table_.row(0)));
  EXPECT_ERROR_SAYING(subject_->insert(counted(20), table_.matrix(1, 20)), Code::already_exists,
                      13);
  EXPECT_EQ(subject_->keys(), (std::vector<Key>{13}));
  expect_row(13, 0);
}

TEST_P(BatchContract, KeysAndRowsMustBeAsMany) {
  EXPECT_ERROR_SAYING(subject_->upsert(counted(3), table_.matrix(0, 4)), Code::invalid_argument, 3,
                      4);
  EXPECT_ERROR_SAYING(subject_->insert(counted(5), table_.matrix(0, 4)), Code::invalid_argument, 5,
                      4);
  EXPECT_EQ(subject_->size(), 0u);
}

TEST_P(BatchContract, AnEmptyBatchIsNoError) {
  EXPECT_OK(subject_->upsert(std::span<const Key>(), table_.matrix(0, 0)));
  EXPECT_OK(subject_->insert(std::span<const Key>(), table_.matrix(0, 0)));
  EXPECT_EQ(subject_->size(), 0u);
}

TEST_P(BatchContract, ABatchMixesNewAndPresentKeys) {
  ASSERT_OK(subject_->upsert(counted(100), table_.matrix(0, 100)));
  std::vector<Key> keys(100);
  std::iota(keys.begin(), keys.end(), Key{50});
  ASSERT_OK(subject_->upsert(keys, table_.matrix(200, 100)));
  EXPECT_EQ(subject_->size(), 150u);
  for (Key key = 0; key < 150; ++key) expect_row(key, key < 50 ? key : 150 + key);
  ASSERT_OK(subject_->check());
}

TEST_P(BatchContract, ThreadsLinkABatchThatSearchesAsWell) {
  Random random(5);
  const std::size_t rows = scaled(4000);
  const Table table = clustered_table(random, rows, kDimension, 20);
  for (const std::uint32_t threads : {2U, 0U}) {
    SCOPED_TRACE(threads);
    const auto subject = make({.dimension = kDimension, .M = 8, .ef_construction = 60});
    ASSERT_OK(subject->upsert(counted(rows), table.matrix(), {.threads = threads}));
    EXPECT_EQ(subject->size(), rows);
    const auto report = subject->check();
    ASSERT_OK(report);
    EXPECT_EQ(report->live, rows);
    EXPECT_EQ(report->unreachable, 0u);
    std::size_t found = 0;
    for (std::size_t q = 0; q < 100; ++q) {
      const auto hits = subject->find(table.row(q * rows / 100), 1);
      found += hits.size() == 1 && hits[0].distance == 0;
    }
    EXPECT_GE(found, 98u);
  }
}

}  // namespace
}  // namespace skerry::testing

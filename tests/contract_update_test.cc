// contract_update_test.cc - is a write seen at once, whole, and by everybody?
//
// Contract: "upsert of a present key", "insert of a present key", "remove of an absent key", "a
// removed key", "read after write", "capacity".

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/reference.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

class UpdateContract : public ContractTest {
 protected:
  static constexpr std::uint32_t kDimension = 8;

  void fill(std::size_t rows) {
    subject_ = make({.dimension = kDimension, .M = 8, .ef_construction = 60});
    table_ = random_table(random_, Scalar::f32, 2 * rows, kDimension);
    for (Key key = 0; key < rows; ++key) put(key, key);
  }
  void put(Key key, std::size_t row) {
    ASSERT_OK(subject_->upsert(key, table_.row(row)));
    model_.put(key, table_.row(row));
  }
  void erase(Key key) {
    const auto removed = subject_->remove(key);
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, model_.erase(key) ? 1u : 0u);
  }
  // The vector is found at its own place, where nothing else lies.
  void expect_found(Key key, std::size_t row) {
    const auto hits = subject_->find(table_.row(row), 1);
    ASSERT_EQ(hits.size(), 1u);
    EXPECT_EQ(hits[0], (Hit{key, 0}));
  }
  void expect_agreement() {
    EXPECT_EQ(subject_->size(), model_.size());
    std::vector<Key> keys;
    for (const auto& [key, bytes] : model_.rows()) keys.push_back(key);
    EXPECT_EQ(subject_->keys(), keys);
    for (std::size_t q = 0; q < 10; ++q) {
      const VectorView query = table_.row(q * 3 % table_.rows());
      EXPECT_TRUE(model_.perfect(query, subject_->find(query, 10, {.exact = true}), 10));
      EXPECT_TRUE(model_.honest(query, subject_->find(query, 10)));
      EXPECT_EQ(subject_->find(query, model_.size() + 1).size(), model_.size());
    }
    const auto report = subject_->check();
    ASSERT_OK(report);
    EXPECT_EQ(report->live, model_.size());
    EXPECT_EQ(report->unreachable, 0u);
  }

  Random random_{3};
  std::unique_ptr<Subject> subject_;
  Table table_;
  Model model_{Metric::l2, Scalar::f32, kDimension};
};
SKERRY_IN_EVERY_FORM(UpdateContract);

TEST_P(UpdateContract, UpsertOfAPresentKeyReplacesTheVector) {
  fill(100);
  put(40, 150);
  expect_found(40, 150);
  const auto old_place = subject_->find(table_.row(40), 1);
  ASSERT_EQ(old_place.size(), 1u);
  EXPECT_GT(old_place[0].distance, 0);
  EXPECT_EQ(subject_->size(), 100u);
  expect_agreement();
}

TEST_P(UpdateContract, UpsertOfTheSameVectorChangesNothing) {
  fill(100);
  for (int round = 0; round < 5; ++round) put(40, 40);
  expect_found(40, 40);
  expect_agreement();
}

TEST_P(UpdateContract, InsertOfAPresentKeyIsAlreadyExistsAndNothingChanged) {
  fill(50);
  EXPECT_ERROR(subject_->insert(7, table_.row(60)), Code::already_exists);
  expect_found(7, 7);
  expect_agreement();
}

TEST_P(UpdateContract, RemoveOfAnAbsentKeyIsNoErrorAndCountsWhatExisted) {
  fill(50);
  const auto none = subject_->remove(1000);
  ASSERT_OK(none);
  EXPECT_EQ(*none, 0u);
  const auto some = subject_->remove(std::vector<Key>{1, 1000, 2, 1, 3, 2000});
  ASSERT_OK(some);
  EXPECT_EQ(*some, 3u);
  for (const Key key : {1, 2, 3}) model_.erase(key);
  const auto empty = subject_->remove(std::vector<Key>{});
  ASSERT_OK(empty);
  EXPECT_EQ(*empty, 0u);
  expect_agreement();
}

TEST_P(UpdateContract, ARemovedKeyIsNeverReturnedAgain) {
  fill(300);
  for (Key key = 0; key < 300; key += 2) {
    erase(key);
    for (const Hit& hit : subject_->find(table_.row(key), 20)) {
      ASSERT_TRUE(model_.contains(hit.key)) << "ghost " << hit.key;
    }
    EXPECT_FALSE(subject_->contains(key));
  }
  expect_agreement();
}

TEST_P(UpdateContract, ARemovedKeyMayBeInsertedAgain) {
  fill(100);
  for (int round = 0; round < 20; ++round) {
    erase(5);
    EXPECT_FALSE(subject_->contains(5));
    const std::size_t row = 100 + static_cast<std::size_t>(round);
    ASSERT_OK(subject_->insert(5, table_.row(row)));
    model_.put(5, table_.row(row));
    expect_found(5, row);
  }
  expect_agreement();
}

TEST_P(UpdateContract, AWriteThatReturnedIsSeenByLaterSearches) {
  fill(20);
  for (std::size_t row = 20; row < 40; ++row) {
    for (Key key = 0; key < 20; ++key) {
      put(key, row);
      expect_found(key, row);
      put(key, key);
      expect_found(key, key);
    }
  }
}

TEST_P(UpdateContract, AWriteThatReturnedIsSeenByOtherThreads) {
  fill(100);
  for (Key key = 0; key < 20; ++key) {
    put(key, 100 + key);
    std::thread([&] { expect_found(key, 100 + key); }).join();
    erase(key);
    std::thread([&] {
      EXPECT_FALSE(subject_->contains(key));
      for (const Hit& hit : subject_->find(table_.row(100 + key), 5)) EXPECT_NE(hit.key, key);
    }).join();
  }
}

TEST_P(UpdateContract, EverythingMayBeRemovedAndFilledAgain) {
  fill(200);
  for (int round = 0; round < 3; ++round) {
    auto keys = subject_->keys();
    std::shuffle(keys.begin(), keys.end(), random_);
    for (const Key key : keys) erase(key);
    EXPECT_EQ(subject_->size(), 0u);
    EXPECT_TRUE(subject_->find(table_.row(0), 5).empty());
    ASSERT_OK(subject_->check());
    for (Key key = 0; key < 200; ++key) put(key, 200 + key);
    expect_agreement();
  }
}

TEST_P(UpdateContract, EverythingMayBeRemovedInOneBatch) {
  fill(200);
  const auto keys = subject_->keys();
  const auto removed = subject_->remove(keys);
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 200u);
  model_.clear();
  EXPECT_TRUE(subject_->find(table_.row(0), 5).empty());
  for (Key key = 0; key < 50; ++key) put(key, key);
  expect_agreement();
}

TEST_P(UpdateContract, ManyUpdatesLeaveOneVectorAKey) {
  fill(60);
  for (std::size_t i = 0; i < scaled(1500); ++i) put(below(random_, 60), below(random_, 120));
  expect_agreement();
}

TEST_P(UpdateContract, ManyIdenticalVectorsStayReachable) {
  fill(40);
  for (Key key = 100; key < 400; ++key) put(key, key % 3);  // more copies than a list has room for
  expect_agreement();
  for (Key key = 100; key < 400; key += 2) erase(key);
  expect_agreement();
}

TEST_P(UpdateContract, SpaceOfRemovedVectorsIsUsedAgain) {
  fill(200);
  for (Key key = 0; key < 200; ++key) put(key, 200 + key);
  const std::uint64_t before = subject_->stats().vector_bytes;
  for (std::size_t round = 0; round < scaled(20); ++round) {
    for (Key key = 0; key < 200; ++key) put(key, (key + round) % 400);
  }
  // Twenty times the live bytes were written; slots are reused, so the memory stays.
  EXPECT_LE(subject_->stats().vector_bytes, 3 * before);
  expect_agreement();
}

TEST_P(UpdateContract, NeitherSizeNorReserveIsDeclared) {
  subject_ = make({.dimension = kDimension, .M = 4, .ef_construction = 20});
  const std::size_t rows = scaled(5000);
  table_ = random_table(random_, Scalar::f32, rows, kDimension);
  std::vector<Key> keys(rows);
  std::iota(keys.begin(), keys.end(), Key{0});
  ASSERT_OK(subject_->upsert(keys, table_.matrix()));
  EXPECT_EQ(subject_->size(), rows);
  expect_found(rows - 1, rows - 1);
}

TEST(IndexReserve, IsAHint) {
  auto index = Index::create({.dimension = 4});
  ASSERT_OK(index);
  ASSERT_OK(index->reserve(0));
  ASSERT_OK(index->reserve(10'000));
  ASSERT_OK(index->insert(1, std::array{1.0F, 2.0F, 3.0F, 4.0F}));
  ASSERT_OK(index->reserve(1));  // less than there is: nothing to do
  EXPECT_EQ(index->size(), 1u);
  ASSERT_OK(index->check());
}

// Payloads belong to collections alone.
class PayloadContract : public ::testing::Test {
 protected:
  PayloadContract() {
    auto opened = Database::open(folder_ / "db", {.durability = Durability::none});
    EXPECT_OK(opened);
    database_.emplace(*std::move(opened));
    auto made = database_->create("docs", {.index = {.dimension = 2}});
    EXPECT_OK(made);
    docs_.emplace(*std::move(made));
  }
  static Payload bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }
  std::string payload(Key key) const {
    std::array<std::byte, 64> room;
    const auto size = docs_->get_payload(key, room);
    EXPECT_OK(size);
    if (!size.ok()) return "?";
    return {reinterpret_cast<const char*>(room.data()), std::min(*size, room.size())};
  }

  TempDir folder_;
  std::optional<Database> database_;
  std::optional<Collection> docs_;
};
constexpr std::array kVector = {1.0F, 2.0F};

TEST_F(PayloadContract, UpsertReplacesThePayloadWithTheVector) {
  ASSERT_OK(docs_->insert(1, kVector, bytes("first")));
  EXPECT_EQ(payload(1), "first");
  ASSERT_OK(docs_->upsert(1, kVector, bytes("second, longer")));
  EXPECT_EQ(payload(1), "second, longer");
  ASSERT_OK(docs_->upsert(1, kVector));  // none: the old one goes
  EXPECT_EQ(payload(1), "");
}

TEST_F(PayloadContract, ARefusedInsertLeavesThePayload) {
  ASSERT_OK(docs_->insert(1, kVector, bytes("first")));
  EXPECT_ERROR(docs_->insert(1, kVector, bytes("second")), Code::already_exists);
  EXPECT_EQ(payload(1), "first");
}

TEST_F(PayloadContract, ARemovedKeyHasNoPayloadEvenWhenItComesBack) {
  ASSERT_OK(docs_->insert(1, kVector, bytes("first")));
  ASSERT_OK(docs_->remove(1));
  std::array<std::byte, 8> room;
  EXPECT_ERROR(docs_->get_payload(1, room), Code::not_found);
  ASSERT_OK(docs_->insert(1, kVector));
  EXPECT_EQ(payload(1), "");
}

TEST_F(PayloadContract, BatchesCarryOnePayloadARow) {
  const std::vector<Key> keys = {1, 2, 1};
  const std::vector<float> rows = {1, 1, 2, 2, 3, 3};
  const std::vector<Payload> payloads = {bytes("a"), bytes("b"), bytes("c")};
  ASSERT_OK(docs_->upsert(keys, MatrixView(rows, 2), payloads));
  EXPECT_EQ(payload(1), "c");  // the last row of the key
  EXPECT_EQ(payload(2), "b");
  EXPECT_ERROR_SAYING(docs_->upsert(keys, MatrixView(rows, 2), std::span(payloads).first(2)),
                      Code::invalid_argument, 3, 2);
}

TEST_F(PayloadContract, AShortBufferGetsWhatFitsAndTheWholeLength) {
  ASSERT_OK(docs_->insert(1, kVector, bytes("abcdef")));
  std::array<std::byte, 3> room;
  const auto size = docs_->get_payload(1, room);
  ASSERT_OK(size);
  EXPECT_EQ(*size, 6u);
  EXPECT_EQ(std::memcmp(room.data(), "abc", 3), 0);
}

TEST_F(PayloadContract, PayloadsSurviveReopening) {
  const std::string large(100'000, 'x');
  ASSERT_OK(docs_->insert(1, kVector, bytes(large)));
  ASSERT_OK(docs_->insert(2, kVector, bytes("small")));
  docs_.reset();
  ASSERT_OK(database_->close());
  database_.reset();
  auto opened = Database::open(folder_ / "db");
  ASSERT_OK(opened);
  auto docs = opened->open_collection("docs");
  ASSERT_OK(docs);
  std::vector<std::byte> room(large.size());
  const auto size = docs->get_payload(1, room);
  ASSERT_OK(size);
  ASSERT_EQ(*size, large.size());
  EXPECT_EQ(std::memcmp(room.data(), large.data(), large.size()), 0);
  const auto verified = docs->verify();
  ASSERT_OK(verified);
  EXPECT_EQ(verified->payloads, 2u);
}

}  // namespace
}  // namespace skerry::testing

// contract_keys_test.cc - does every key work, number or name?
//
// Contract: "key: unsigned 64-bit, any value; a collection may instead be created with byte-string
// keys (1-480 bytes: names, UUIDs)", and what contains, size and iteration say of them.

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr Key kLast = std::numeric_limits<Key>::max();

class KeysContract : public ContractTest {};
SKERRY_IN_EVERY_FORM(KeysContract);

TEST_P(KeysContract, AnyValueIsLawful) {
  const auto subject = make({.dimension = 2});
  const std::vector<Key> keys = {0, 1, 1ULL << 31, 1ULL << 32, 1ULL << 63, kLast - 1, kLast};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ASSERT_OK(subject->insert(keys[i], std::array{static_cast<float>(i), 0.0F}));
  }
  EXPECT_EQ(subject->size(), keys.size());
  EXPECT_EQ(subject->keys(), keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(subject->contains(keys[i]));
    const auto hits = subject->find(std::array{static_cast<float>(i), 0.0F}, 1);
    ASSERT_EQ(hits.size(), 1u);
    EXPECT_EQ(hits[0], (Hit{keys[i], 0}));
    std::array<float, 2> got{};
    ASSERT_OK(subject->get(keys[i], got));
    EXPECT_EQ(got, (std::array{static_cast<float>(i), 0.0F}));
  }
  for (const Key key : keys) {
    const auto removed = subject->remove(key);
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, 1u);
    EXPECT_FALSE(subject->contains(key));
  }
  EXPECT_EQ(subject->size(), 0u);
}

TEST_P(KeysContract, AnyValueSurvivesReopening) {
  const auto subject = make({.dimension = 2});
  ASSERT_OK(subject->insert(0, std::array{1.0F, 2.0F}));
  ASSERT_OK(subject->insert(kLast, std::array{3.0F, 4.0F}));
  ASSERT_OK(subject->reopen());
  EXPECT_EQ(subject->keys(), (std::vector<Key>{0, kLast}));
  const auto hits = subject->find(std::array{1.0F, 2.0F}, 2);
  EXPECT_EQ(hits, (std::vector<Hit>{{0, 0}, {kLast, 8}}));
}

TEST_P(KeysContract, ForEachVisitsEveryLiveKeyOnce) {
  const auto subject = make({.dimension = 3});
  Random random(1);
  const Table table = random_table(random, Scalar::f32, 100, 3);
  std::vector<Key> live;
  for (Key key = 0; key < 100; ++key) {
    ASSERT_OK(subject->insert(key, table.row(key)));
    if (key % 3 == 0) {
      ASSERT_OK(subject->remove(key));
      continue;
    }
    ASSERT_OK(subject->upsert(key, table.row(99 - key)));
    live.push_back(key);
  }
  EXPECT_EQ(subject->keys(), live);
}

TEST_P(KeysContract, ForEachStopsWhenTheVisitorSaysSo) {
  const auto subject = make({.dimension = 1});
  for (Key key = 0; key < 10; ++key) ASSERT_OK(subject->insert(key, std::array{1.0F}));
  int visits = 0;
  EXPECT_OK(subject->for_each([&](Key) { return ++visits < 3; }));
  EXPECT_EQ(visits, 3);
}

TEST_P(KeysContract, AnAbsentKeyIsNotFound) {
  const auto subject = make({.dimension = 2});
  ASSERT_OK(subject->insert(1, std::array{1.0F, 2.0F}));
  std::array<float, 2> floats{};
  std::array<std::byte, 8> bytes{};
  EXPECT_FALSE(subject->contains(2));
  EXPECT_ERROR(subject->get(2, floats), Code::not_found);
  EXPECT_ERROR(subject->get_bytes(2, bytes), Code::not_found);
}

TEST_P(KeysContract, SizeCountsLiveKeys) {
  const auto subject = make({.dimension = 1});
  EXPECT_EQ(subject->size(), 0u);
  for (Key key = 0; key < 20; ++key) ASSERT_OK(subject->upsert(key % 10, std::array{1.0F}));
  EXPECT_EQ(subject->size(), 10u);
  ASSERT_OK(subject->remove(3));
  ASSERT_OK(subject->remove(3));
  EXPECT_EQ(subject->size(), 9u);
  EXPECT_EQ(subject->stats().live, 9u);
}

// Byte strings are keys of collections alone.
class NamedKeysContract : public ContractTest {
 protected:
  NamedKeysContract() {
    Result<Database> opened = Database::open(folder_ / "db", {.durability = Durability::none});
    EXPECT_OK(opened);
    if (opened.ok()) database_.emplace(*std::move(opened));
  }
  Collection make_named() {
    Result<Collection> made = database_->create(
        "names", {.index = GetParam().shape({.dimension = 2}), .byte_keys = true});
    EXPECT_OK(made);
    return *std::move(made);
  }
  void reopen() {
    EXPECT_OK(database_->close());
    database_.reset();
    Result<Database> opened = Database::open(folder_ / "db", {.durability = Durability::none});
    EXPECT_OK(opened);
    if (opened.ok()) database_.emplace(*std::move(opened));
  }

  static std::vector<std::string> all_names(const Collection& names) {
    std::vector<std::string> all;
    EXPECT_OK(names.for_each_name([&](std::string_view name) {
      all.emplace_back(name);
      return true;
    }));
    std::sort(all.begin(), all.end());
    return all;
  }

  TempDir folder_;
  std::optional<Database> database_;
};
INSTANTIATE_TEST_SUITE_P(, NamedKeysContract,
                         ::testing::Values(Form{Door::collection, Codes::exact, false},
                                           Form{Door::collection, Codes::sq8, true}),
                         [](const auto& info) { return name_of(info.param); });

constexpr std::array<float, 2> kHere = {0, 0};
constexpr std::array<float, 2> kThere = {3, 4};

TEST_P(NamedKeysContract, NamesOfOneTo480BytesAreKeys) {
  Collection names = make_named();
  const std::vector<std::string> kept = {std::string("\0", 1), std::string("a\0b", 3), "x",
                                         std::string(480, 'z'), "\xff\xfe"};
  for (const auto& name : kept) ASSERT_OK(names.insert(name, kHere));
  EXPECT_EQ(names.size(), kept.size());
  for (const auto& name : kept) EXPECT_TRUE(names.contains(name));
  EXPECT_FALSE(names.contains("a"));
  auto sorted = kept;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(all_names(names), sorted);

  EXPECT_ERROR(names.insert(std::string_view(""), kHere), Code::invalid_argument);
  EXPECT_ERROR_SAYING(names.insert(std::string(481, 'z'), kHere), Code::invalid_argument, 480, 481);
  EXPECT_EQ(names.size(), kept.size());
}

TEST_P(NamedKeysContract, TiesGoByUnsignedBytes) {
  Collection names = make_named();
  const std::vector<std::string> ascending = {
      std::string("\0", 1), "A", "a", "ab", "b", "\x80", "\xff"};
  for (const std::size_t i : {3, 6, 0, 5, 2, 4, 1}) {
    ASSERT_OK(names.insert(ascending[i], kThere));
  }
  std::vector<NamedHit> hits(10);
  const auto found = names.search(kHere, hits, {.exact = true});
  ASSERT_OK(found);
  ASSERT_EQ(found->count, ascending.size());
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    EXPECT_EQ(hits[i].name.view(), ascending[i]);
    EXPECT_EQ(hits[i].distance, 25);
  }
}

TEST_P(NamedKeysContract, EveryCallTakesNames) {
  Collection names = make_named();
  const std::vector<std::string_view> batch = {"b", "a", "c", "a"};
  const std::vector<float> rows = {1, 1, 0, 9, 2, 2, 3, 4};
  ASSERT_OK(names.upsert(batch, MatrixView(rows, 2)));
  std::array<float, 2> got{};
  ASSERT_OK(names.get("a", got));
  EXPECT_EQ(got, kThere);  // the last row of the two
  EXPECT_ERROR(names.insert("a", kHere), Code::already_exists);
  EXPECT_ERROR_SAYING(names.insert(std::vector<std::string_view>{"d", "c"},
                                   MatrixView(std::vector<float>{1, 1, 2, 2}, 2)),
                      Code::already_exists, 1);
  EXPECT_FALSE(names.contains("d"));

  const auto removed = names.remove(std::vector<std::string_view>{"b", "absent", "b"});
  ASSERT_OK(removed);
  EXPECT_EQ(*removed, 1u);
  EXPECT_EQ(all_names(names), (std::vector<std::string>{"a", "c"}));

  std::vector<NamedHit> hits(4);
  std::vector<std::uint32_t> counts(2);
  const std::vector<float> queries = {3, 4, 2, 2};
  ASSERT_OK(names.search_batch(MatrixView(queries, 2), hits, counts));
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{2, 2}));
  EXPECT_EQ(hits[0].name.view(), "a");
  EXPECT_EQ(hits[2].name.view(), "c");

  reopen();
  auto again = database_->open_collection("names");
  ASSERT_OK(again);
  EXPECT_EQ(all_names(*again), (std::vector<std::string>{"a", "c"}));
  EXPECT_TRUE(again->contains("a"));
}

TEST_P(NamedKeysContract, FiltersTakeNames) {
  Collection names = make_named();
  for (const auto* name : {"ant", "bee", "cat", "cow", "dog"}) ASSERT_OK(names.insert(name, kHere));
  std::vector<NamedHit> hits(5);
  const auto found = [&](Filter filter) {
    const auto result = names.search(kHere, hits, {.filter = filter});
    EXPECT_OK(result);
    std::vector<std::string> all;
    for (std::uint32_t i = 0; result.ok() && i < result->count; ++i) {
      all.emplace_back(hits[i].name.view());
    }
    return all;
  };
  const auto begins_with_c = [](std::string_view name) { return name.starts_with('c'); };
  const std::vector<std::string_view> list = {"dog", "absent", "ant", "dog"};
  EXPECT_EQ(found(Filter::where_name(begins_with_c)), (std::vector<std::string>{"cat", "cow"}));
  EXPECT_EQ(found(Filter::only_names(list)), (std::vector<std::string>{"ant", "dog"}));
  EXPECT_EQ(found(Filter::except_names(list)), (std::vector<std::string>{"bee", "cat", "cow"}));
}

TEST_P(NamedKeysContract, TheOtherKindOfKeyIsInvalidArgument) {
  Collection names = make_named();
  EXPECT_ERROR(names.insert(Key{1}, kHere), Code::invalid_argument);
  EXPECT_ERROR(names.upsert(Key{1}, kHere), Code::invalid_argument);
  EXPECT_ERROR(names.remove(Key{1}), Code::invalid_argument);
  std::vector<Hit> hits(1);
  EXPECT_ERROR(names.search(kHere, hits), Code::invalid_argument);

  auto numbers = database_->create("numbers", {.index = GetParam().shape({.dimension = 2})});
  ASSERT_OK(numbers);
  EXPECT_ERROR(numbers->insert("one", kHere), Code::invalid_argument);
  EXPECT_ERROR(numbers->upsert("one", kHere), Code::invalid_argument);
  EXPECT_ERROR(numbers->remove("one"), Code::invalid_argument);
  std::vector<NamedHit> named(1);
  EXPECT_ERROR(numbers->search(kHere, named), Code::invalid_argument);
  EXPECT_EQ(names.size() + numbers->size(), 0u);
}

}  // namespace
}  // namespace skerry::testing

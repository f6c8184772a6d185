// snapshot_test.cc - is a snapshot the collection as it was, for as long as it is held?
//
// Contract: "a Snapshot the caller holds is counted and its age shown", "the map grows by itself",
// "a filter's callback may read any collection; writing from inside is invalid_argument", "after
// fork a handle returns an error", "every method from any thread at once".

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/reference.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

const DatabaseOptions kSynced = {.durability = Durability::interval};
constexpr CollectionOptions kNumbers = {.index = {.dimension = 3}};
constexpr CollectionOptions kNames = {.index = {.dimension = 3}, .byte_keys = true};

std::array<float, 3> vector_of(double value) {
  return {static_cast<float>(value), static_cast<float>(-value), 1};
}

Payload as_payload(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A key's bytes and payload, whichever door is asked.
template <class Door, class Key>
std::string row_of(const Door& door, Key key) {
  std::array<float, 3> floats{};
  std::array<std::byte, 12> bytes{};
  std::array<std::byte, 4096> payload{};
  EXPECT_OK(door.get(key, floats));
  EXPECT_OK(door.get_bytes(key, bytes));
  EXPECT_EQ(std::memcmp(floats.data(), bytes.data(), bytes.size()), 0);
  const Result<std::size_t> size = door.get_payload(key, payload);
  EXPECT_OK(size);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) +
         std::string(reinterpret_cast<const char*>(payload.data()), size.value_or(0));
}

template <class Door>
std::map<Key, std::string> contents(const Door& door) {
  std::map<Key, std::string> all;
  EXPECT_OK(door.for_each([&](Key key) {
    EXPECT_TRUE(all.emplace(key, row_of(door, key)).second) << "visited twice: " << key;
    return true;
  }));
  EXPECT_EQ(all.size(), door.size());
  return all;
}

template <class Door>
std::map<std::string, std::string> named_contents(const Door& door) {
  std::map<std::string, std::string> all;
  EXPECT_OK(door.for_each_name([&](std::string_view name) {
    EXPECT_TRUE(all.emplace(name, row_of(door, name)).second) << "visited twice: " << name;
    return true;
  }));
  EXPECT_EQ(all.size(), door.size());
  return all;
}

template <class Door>
std::vector<Hit> found(const Door& door, VectorView query, std::size_t k,
                       SearchOptions options = {}) {
  std::vector<Hit> hits(k);
  options.exact = true;
  const Result<SearchResult> result = door.search(query, hits, options);
  EXPECT_OK(result);
  hits.resize(result.ok() ? result->count : 0);
  EXPECT_TRUE(!result.ok() || result->exact);
  return hits;
}

using NamedHits = std::vector<std::pair<std::string, float>>;

template <class Door>
NamedHits named(const Door& door, VectorView query, std::size_t k, SearchOptions options = {}) {
  std::vector<NamedHit> hits(k);
  options.exact = true;
  const Result<SearchResult> result = door.search(query, hits, options);
  EXPECT_OK(result);
  NamedHits all;
  for (std::size_t i = 0; result.ok() && i < result->count; ++i) {
    all.emplace_back(hits[i].name.view(), hits[i].distance);
  }
  return all;
}

class SnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  // Without syncs, for speed. It keeps a read of its own: those that count readers ask for kSynced.
  void open(const DatabaseOptions& options = {.durability = Durability::none}) {
    database_.reset();
    Result<Database> opened = Database::open(home_ / "db", options);
    ASSERT_OK(opened);
    database_.emplace(*std::move(opened));
  }

  Collection make(const CollectionOptions& options = kNumbers, std::string_view name = "docs") {
    Result<Collection> made = database_->open_or_create(name, options);
    EXPECT_OK(made);
    return *made;
  }

  DatabaseStats stats() const {
    const Result<DatabaseStats> stats = database_->stats();
    EXPECT_OK(stats);
    return stats.value_or({});
  }

  TempDir home_;
  std::optional<Database> database_;
};

Snapshot snapshot_of(const Collection& collection) {
  Result<Snapshot> snapshot = collection.snapshot();
  EXPECT_OK(snapshot);
  return *std::move(snapshot);
}

// `count` keys in one commit.
void fill(Collection& docs, Key first, std::size_t count, double value, Payload payload = {}) {
  std::vector<Key> keys(count);
  std::vector<float> rows;
  for (std::size_t i = 0; i < count; ++i) {
    keys[i] = first + i;
    const auto row = vector_of(value + static_cast<double>(i));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const std::vector<Payload> payloads(payload.empty() ? 0 : count, payload);
  ASSERT_OK(docs.upsert(keys, MatrixView(rows, 3), payloads));
}

// -- what it holds
// ----------------------------------------------------------------------------------

TEST_F(SnapshotTest, IsTheCollectionAsItWasWhateverIsWrittenAfterwards) {
  Collection docs = make();
  ASSERT_OK(docs.upsert(0, vector_of(1)));
  ASSERT_OK(docs.upsert(~Key{0}, vector_of(2), as_payload("the last")));
  fill(docs, 5, 3000, 10, as_payload("first"));  // several blocks of any walk
  const Snapshot then = snapshot_of(docs);
  const auto before = contents(docs);
  EXPECT_EQ(then.size(), 3002u);
  EXPECT_EQ(then.sequence(), docs.stats()->index.sequence);
  EXPECT_EQ(contents(then), before);

  fill(docs, 5, 3000, 7000, as_payload("second"));
  EXPECT_EQ(*docs.remove(0), 1u);
  fill(docs, 100'000, 50, 1);
  EXPECT_EQ(contents(then), before);
  EXPECT_TRUE(*then.contains(0));
  EXPECT_FALSE(*then.contains(100'000));
  EXPECT_FALSE(*then.contains(3));
  std::array<float, 3> vector{};
  EXPECT_ERROR(then.get(100'000, vector), Code::not_found);
  EXPECT_ERROR(then.get_payload(100'000, {}), Code::not_found);

  const Snapshot now = snapshot_of(docs);
  EXPECT_EQ(contents(now), contents(docs));
  EXPECT_EQ(now.size(), docs.size());
  EXPECT_GT(now.sequence(), then.sequence());
  EXPECT_EQ(contents(then), before);
}

TEST_F(SnapshotTest, WalksNumbersAscendingAndStopsWhenTold) {
  Collection docs = make();
  fill(docs, 1'000'000, 1500, 1);
  fill(docs, 0, 1500, 1);
  const Snapshot then = snapshot_of(docs);
  std::vector<Key> keys;
  ASSERT_OK(then.for_each([&](Key key) {
    keys.push_back(key);
    return keys.size() < 2000;
  }));
  EXPECT_EQ(keys.size(), 2000u);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_EQ(keys.back(), 1'000'499u);
}

TEST_F(SnapshotTest, ByteStringKeysAndTheirPayloads) {
  Collection docs = make(kNames);
  for (int i = 0; i < 1500; ++i) {
    ASSERT_OK(
        docs.upsert("name " + std::to_string(i), vector_of(i), as_payload(std::to_string(i))));
  }
  ASSERT_OK(docs.upsert(std::string(kMaxKeyBytes, '\xff'), vector_of(-1)));
  const Snapshot then = snapshot_of(docs);
  const auto before = named_contents(docs);
  ASSERT_EQ(before.size(), 1501u);
  for (int i = 0; i < 1500; i += 2) EXPECT_EQ(*docs.remove("name " + std::to_string(i)), 1u);
  ASSERT_OK(docs.upsert("name 4", vector_of(999)));  // the name has another number now
  ASSERT_OK(docs.upsert("name 5", vector_of(998)));
  EXPECT_EQ(named_contents(then), before);
  EXPECT_TRUE(*then.contains("name 0"));
  EXPECT_FALSE(*then.contains("name"));
  EXPECT_FALSE(*then.contains(std::string(kMaxKeyBytes + 1, 'x')));
  EXPECT_FALSE(*then.contains(""));
  std::array<float, 3> vector{};
  EXPECT_ERROR(then.get("name", vector), Code::not_found);
}

TEST_F(SnapshotTest, OfAnEmptyCollectionIsEmpty) {
  Collection docs = make();
  const Snapshot then = snapshot_of(docs);
  ASSERT_OK(docs.insert(1, vector_of(1)));
  EXPECT_EQ(then.size(), 0u);
  EXPECT_EQ(then.sequence(), 0u);
  EXPECT_TRUE(contents(then).empty());
  EXPECT_TRUE(found(then, vector_of(1), 5).empty());
}

// -- search
// -----------------------------------------------------------------------------------------

struct Kind {
  const char* name;
  IndexOptions options;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class SnapshotSearch : public SnapshotTest, public ::testing::WithParamInterface<Kind> {};
INSTANTIATE_TEST_SUITE_P(
    , SnapshotSearch,
    ::testing::Values(
        Kind{"l2_f32", {.dimension = 20, .codes = Codes::sq8, .M = 8, .flat_below = 0}},
        Kind{"cosine_f16", {.dimension = 9, .metric = Metric::cosine, .scalar = Scalar::f16}},
        Kind{"ip_bf16", {.dimension = 7, .metric = Metric::ip, .scalar = Scalar::bf16}},
        Kind{"l2_i8", {.dimension = 2, .scalar = Scalar::i8, .M = 8, .flat_below = 0}},
        Kind{"cosine_u8", {.dimension = 40, .metric = Metric::cosine, .scalar = Scalar::u8}},
        Kind{"hamming", {.dimension = 21, .metric = Metric::hamming, .scalar = Scalar::b1}},
        Kind{"jaccard", {.dimension = 64, .metric = Metric::jaccard, .scalar = Scalar::b1}},
        Kind{"haversine", {.dimension = 2, .metric = Metric::haversine}},
        Kind{"custom", {.dimension = 5, .metric = Metric::custom, .custom = custom_distance()}}),
    [](const auto& info) { return info.param.name; });

// Bit for bit, in the same order, while the collection has become another.
TEST_P(SnapshotSearch, IsWhatAnExactSearchAnsweredThen) {
  const IndexOptions& options = GetParam().options;
  Random random(11);
  Collection docs = make({.index = options});
  const auto table = [&](std::size_t rows) {
    return options.metric == Metric::haversine
               ? random_places(random, rows)
               : random_table(random, options.scalar, rows, options.dimension);
  };
  const Table rows = table(700);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    ASSERT_OK(docs.upsert(i * 17 % 1009, rows.row(i % 500)));  // some vectors are there twice
  }
  const Table queries = table(4);
  const auto odd = [](Key key) { return key % 2 == 1; };
  std::vector<Key> listed = {0, 17, 34, 51, 51, 2000, 17 * 600 % 1009};
  std::vector<std::vector<Hit>> before;
  const auto ask = [&](const auto& door, auto&& use) {
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      const VectorView query = queries.row(q);
      for (const std::size_t k : {std::size_t{0}, std::size_t{10}, std::size_t{2000}}) {
        use(found(door, query, k));
        use(found(door, query, k, {.filter = Filter::where(odd)}));
        use(found(door, query, k, {.filter = Filter::only(listed)}));
        use(found(door, query, k, {.filter = Filter::except(listed)}));
      }
      const float third = found(door, query, 3)[2].distance;
      use(found(door, query, 2000, {.max_distance = third}));
    }
  };
  ask(docs, [&](std::vector<Hit> hits) { before.push_back(std::move(hits)); });
  ASSERT_GT(before.size(), 40u);
  const Snapshot then = snapshot_of(docs);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    ASSERT_OK(docs.upsert(i, queries.row(i % queries.rows())));
  }
  std::size_t at = 0;
  ask(then, [&](const std::vector<Hit>& hits) {
    EXPECT_EQ(hits, before[at]) << "search " << at;
    ++at;
  });
  EXPECT_EQ(at, before.size());
}

TEST_F(SnapshotTest, SearchOfByteStringKeysIsWhatAnExactSearchAnsweredThen) {
  Collection docs = make(kNames);
  // Vectors that many names share: ties go by the names' bytes, not by when they came.
  for (int i = 0; i < 1300; ++i) {
    ASSERT_OK(docs.upsert("name " + std::to_string(i * 7 % 1300), vector_of(i % 5)));
  }
  ASSERT_OK(docs.upsert("\xff", vector_of(0)));
  ASSERT_OK(docs.upsert("A", vector_of(0)));
  const auto short_names = [](std::string_view name) { return name.size() < 7; };
  const std::vector<std::string_view> listed = {"name 1", "name 7", "name 7", "nobody", "", "A"};
  std::vector<NamedHits> before;
  const auto ask = [&](const auto& door, auto&& use) {
    for (const std::size_t k :
         {std::size_t{0}, std::size_t{3}, std::size_t{400}, std::size_t{5000}}) {
      use(named(door, vector_of(0.2), k));
      use(named(door, vector_of(3), k, {.filter = Filter::where_name(short_names)}));
      use(named(door, vector_of(3), k, {.filter = Filter::only_names(listed)}));
      use(named(door, vector_of(3), k, {.filter = Filter::except_names(listed)}));
      use(named(door, vector_of(3), k, {.max_distance = 2}));
    }
  };
  ask(docs, [&](NamedHits hits) { before.push_back(std::move(hits)); });
  const Snapshot then = snapshot_of(docs);
  for (int i = 0; i < 1300; i += 3) EXPECT_EQ(*docs.remove("name " + std::to_string(i)), 1u);
  for (int i = 1; i < 1300; i += 3) {
    ASSERT_OK(docs.upsert("name " + std::to_string(i), vector_of(0.2)));
  }
  std::size_t at = 0;
  ask(then, [&](const NamedHits& hits) {
    EXPECT_EQ(hits, before[at]) << "search " << at;
    ++at;
  });
  EXPECT_EQ(at, before.size());
}

TEST_F(SnapshotTest, ABudgetEndsASearchAndItSaysSo) {
  Collection docs = make();
  fill(docs, 0, 1000, 0);
  const Snapshot then = snapshot_of(docs);
  std::vector<Hit> hits(1000);
  const auto result = then.search(vector_of(1), hits, {.budget = 300});
  ASSERT_OK(result);
  EXPECT_EQ(result->visited, 300u);
  EXPECT_EQ(result->count, 300u);
  EXPECT_TRUE(result->exhausted);
  EXPECT_FALSE(result->exact);
}

TEST_F(SnapshotTest, WhatItIsNotIsRefused) {
  Collection numbers = make(kNumbers, "numbers");
  Collection names = make(kNames, "names");
  ASSERT_OK(numbers.insert(1, vector_of(1)));
  ASSERT_OK(names.insert("one", vector_of(1)));
  const Snapshot of_numbers = snapshot_of(numbers);
  const Snapshot of_names = snapshot_of(names);
  const auto refused = [](const auto& outcome) { EXPECT_ERROR(outcome, Code::invalid_argument); };
  std::array<float, 3> floats{};
  std::array<float, 2> short_floats{};
  std::array<std::byte, 11> short_bytes{};
  std::array<Hit, 1> hits;
  std::array<NamedHit, 1> named_hits;
  const auto any = [](Key) { return true; };
  const auto any_name = [](std::string_view) { return true; };
  const float bad[3] = {0, std::numeric_limits<float>::quiet_NaN(), 0};
  const SearchOptions by_name{.filter = Filter::where_name(any_name)};
  const SearchOptions by_key{.filter = Filter::where(any)};
  const SearchOptions no_distance{.max_distance = std::numeric_limits<float>::quiet_NaN()};
  refused(of_numbers.contains("one"));
  refused(of_numbers.get("one", floats));
  refused(of_numbers.get_payload("one", {}));
  refused(of_numbers.for_each_name(any_name));
  refused(of_numbers.search(vector_of(1), named_hits));
  refused(of_numbers.search(vector_of(1), hits, by_name));
  refused(of_names.contains(1));
  refused(of_names.get(1, floats));
  refused(of_names.for_each(any));
  refused(of_names.search(vector_of(1), hits));
  refused(of_names.search(vector_of(1), named_hits, by_key));
  EXPECT_ERROR_SAYING(of_numbers.get(1, short_floats), Code::invalid_argument, 3, 2);
  EXPECT_ERROR_SAYING(of_numbers.get_bytes(1, short_bytes), Code::invalid_argument, 12, 11);
  EXPECT_ERROR_SAYING(of_numbers.search(short_floats, hits), Code::invalid_argument, 3, 2);
  EXPECT_ERROR_SAYING(of_numbers.search(bad, hits), Code::invalid_argument, 1);
  EXPECT_ERROR_SAYING(of_numbers.search(vector_of(1), hits, no_distance), Code::invalid_argument,
                      "max_distance");
  EXPECT_ERROR_SAYING(of_numbers.search(vector_of(1), hits, {.ef = 2'000'000}),
                      Code::invalid_argument, "ef");
}

// -- how long
// ---------------------------------------------------------------------------------------

TEST_F(SnapshotTest, TheMapGrowsWhileItIsHeldAndItStaysByteForByte) {
  for (const Durability durability : {Durability::interval, Durability::none}) {
    database_.reset();
    std::filesystem::remove_all(home_ / "db");
    open({.durability = durability, .map_bytes = 1 << 18});
    Collection docs = make();
    const std::string payload(2000, 'p');
    fill(docs, 0, 100, 0, as_payload(payload));
    const Snapshot then = snapshot_of(docs);
    const auto before = contents(docs);
    const auto nearest = found(docs, vector_of(50), 20);
    for (int round = 1; round <= 20; ++round) {
      fill(docs, 0, 100, 1000 * round,
           as_payload(std::string(2000, static_cast<char>('a' + round))));
      ASSERT_EQ(contents(then), before) << "round " << round;
    }
    EXPECT_GE(stats().grown, 3u);
    std::vector<Key> keys(100);
    for (Key key = 0; key < keys.size(); ++key) keys[key] = key;
    ASSERT_OK(docs.remove(keys));
    // What these commits free is used again at once; the snapshot's pages are not.
    for (int round = 0; round < 80; ++round) fill(docs, 500, 40, round, as_payload(payload));
    EXPECT_EQ(contents(then), before);
    EXPECT_EQ(found(then, vector_of(50), 20), nearest);
    ASSERT_OK(docs.verify());
  }
}

TEST_F(SnapshotTest, ItIsCountedAndItsAgeShown) {
  open(kSynced);
  Collection docs = make();
  EXPECT_EQ(stats().snapshots, 0u);
  EXPECT_EQ(stats().oldest_snapshot, 0);
  EXPECT_EQ(stats().readers, 0u);
  std::optional<Snapshot> first = snapshot_of(docs);
  ASSERT_OK(docs.insert(1, vector_of(1)));
  Snapshot second = snapshot_of(docs);
  const double at_least = first->age();
  EXPECT_GT(at_least, 0);
  const DatabaseStats now = stats();
  EXPECT_EQ(now.snapshots, 2u);
  EXPECT_EQ(now.readers, 2u);
  EXPECT_EQ(now.oldest_reader, 1u);
  EXPECT_GE(now.oldest_snapshot, at_least);
  EXPECT_LE(now.oldest_snapshot, first->age());
  first.reset();
  EXPECT_EQ(stats().snapshots, 1u);
  EXPECT_EQ(stats().readers, 1u);
  EXPECT_EQ(stats().oldest_reader, 0u);
  const double oldest = stats().oldest_snapshot;
  EXPECT_LE(oldest, second.age());
  Snapshot moved = std::move(second);  // still one
  EXPECT_EQ(stats().snapshots, 1u);
  moved = snapshot_of(docs);  // the one that it was goes
  EXPECT_EQ(stats().snapshots, 1u);
}

TEST_F(SnapshotTest, MoreThanMaxReadersIsBusyUntilOneIsLetGo) {
  open(kSynced);
  const std::uint64_t places = stats().max_readers;
  Collection docs = make();
  ASSERT_OK(docs.insert(1, vector_of(1)));
  std::vector<Snapshot> all;
  Result<Snapshot> last = docs.snapshot();
  for (; last.ok() && all.size() < places; last = docs.snapshot()) all.push_back(*std::move(last));
  EXPECT_ERROR(last, Code::busy);
  EXPECT_EQ(all.size(), places);
  EXPECT_OK(docs.insert(2, vector_of(2)));  // a writer needs no place
  std::array<Hit, 1> hits;
  EXPECT_OK(docs.search(vector_of(1), hits));  // nor does a search
  EXPECT_EQ(all.back().size(), 1u);
  all.pop_back();
  EXPECT_EQ(snapshot_of(docs).size(), 2u);
}

TEST_F(SnapshotTest, CompactIsBusyUntilItIsLetGo) {
  Collection docs = make();
  fill(docs, 0, 100, 0);
  {
    const Snapshot then = snapshot_of(docs);
    EXPECT_ERROR_SAYING(database_->compact(), Code::busy, "snapshot");
    EXPECT_EQ(contents(then), contents(docs));
  }
  EXPECT_OK(database_->compact());
  EXPECT_EQ(contents(snapshot_of(docs)), contents(docs));
}

TEST_F(SnapshotTest, ABackupIsMadeBesideIt) {
  Collection docs = make();
  fill(docs, 0, 100, 0);
  const Snapshot then = snapshot_of(docs);
  const auto before = contents(docs);
  fill(docs, 0, 100, 500);
  ASSERT_OK(database_->backup(home_ / "copy"));
  EXPECT_EQ(contents(then), before);
}

// Every call that reads the store.
void expect_closed(const Snapshot& snapshot) {
  std::array<float, 3> floats{};
  std::array<std::byte, 12> bytes{};
  std::array<Hit, 1> hits;
  EXPECT_ERROR(snapshot.contains(1), Code::closed);
  EXPECT_ERROR(snapshot.get(1, floats), Code::closed);
  EXPECT_ERROR(snapshot.get_bytes(1, bytes), Code::closed);
  EXPECT_ERROR(snapshot.get_payload(1, bytes), Code::closed);
  EXPECT_ERROR(snapshot.for_each([](Key) { return true; }), Code::closed);
  EXPECT_ERROR(snapshot.search(vector_of(1), hits), Code::closed);
  EXPECT_ERROR(snapshot.search(vector_of(1), std::span<Hit>()), Code::closed);
}

TEST_F(SnapshotTest, AfterCloseEveryCallIsClosed) {
  Collection docs = make();
  ASSERT_OK(docs.insert(1, vector_of(1)));
  const Snapshot then = snapshot_of(docs);
  ASSERT_OK(database_->close());
  expect_closed(then);
  EXPECT_EQ(then.size(), 1u);
  EXPECT_ERROR(docs.snapshot(), Code::closed);
  // It is not in the way of the next, and the next is not its own.
  open();
  Collection again = make();
  expect_closed(then);
  EXPECT_EQ(stats().snapshots, 0u);
  EXPECT_EQ(stats().readers, 0u);
  EXPECT_OK(database_->compact());
  EXPECT_EQ(contents(snapshot_of(again)).size(), 1u);
}

TEST_F(SnapshotTest, OutlivesEveryOtherHandle) {
  std::optional<Snapshot> then;
  {
    Collection docs = make();
    ASSERT_OK(docs.insert(1, vector_of(1)));
    then = snapshot_of(docs);
  }
  EXPECT_EQ(contents(*then).size(), 1u);
  database_.reset();  // which closes it
  expect_closed(*then);
}

TEST_F(SnapshotTest, AHandleThatWasMovedFromIsClosed) {
  Collection docs = make();
  ASSERT_OK(docs.insert(1, vector_of(1)));
  Snapshot then = snapshot_of(docs);
  const Snapshot moved = std::move(then);
  expect_closed(then);
  EXPECT_EQ(then.size(), 0u);
  EXPECT_EQ(then.sequence(), 0u);
  EXPECT_EQ(then.age(), 0);
  EXPECT_EQ(contents(moved).size(), 1u);
}

TEST_F(SnapshotTest, OutlivesADropOfItsCollection) {
  Collection docs = make();
  fill(docs, 0, 2000, 0, as_payload("payload"));
  const Snapshot then = snapshot_of(docs);
  const auto before = contents(docs);
  const auto nearest = found(docs, vector_of(70), 30);
  ASSERT_OK(database_->drop("docs"));
  EXPECT_ERROR(docs.snapshot(), Code::closed);
  Collection again = make();  // of the same name
  for (int round = 0; round < 10; ++round) fill(again, 0, 2000, 100 * round);
  EXPECT_EQ(contents(then), before);
  EXPECT_EQ(found(then, vector_of(70), 30), nearest);
  EXPECT_EQ(contents(snapshot_of(again)), contents(again));
}

TEST_F(SnapshotTest, AfterAForkTheChildsIsClosedAndTheParentsGoesOn) {
  open({});  // commits: has no thread of its own, which a fork would lose
  Collection docs = make();
  fill(docs, 0, 200, 0, as_payload("payload"));
  Snapshot then = snapshot_of(docs);
  const auto before = contents(docs);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::array<float, 3> vector{};
    std::array<Hit, 1> hits;
    if (then.get(1, vector).code() != Code::closed) ::_exit(1);
    if (then.search(vector_of(1), hits).status().code() != Code::closed) ::_exit(2);
    if (then.for_each([](Key) { return true; }).code() != Code::closed) ::_exit(3);
    if (docs.snapshot().status().code() != Code::closed) ::_exit(4);
    { const Snapshot gone = std::move(then); }  // takes nothing from the parent
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status);
  EXPECT_EQ(stats().snapshots, 1u);
  EXPECT_EQ(stats().readers, 1u);
  for (int round = 0; round < 10; ++round) fill(docs, 0, 200, 300 * round, as_payload("other"));
  EXPECT_EQ(contents(then), before);
}

TEST_F(SnapshotTest, OfADatabaseThatWasOpenedReadOnly) {
  {
    Collection docs = make();
    fill(docs, 0, 100, 0, as_payload("payload"));
  }
  open({.read_only = true});
  Result<Collection> docs = database_->open_collection("docs");
  ASSERT_OK(docs);
  const Snapshot then = snapshot_of(*docs);
  EXPECT_EQ(contents(then), contents(*docs));
  EXPECT_EQ(stats().snapshots, 1u);
}

// -- callbacks and threads
// --------------------------------------------------------------------------

TEST_F(SnapshotTest, AFunctionThatItCallsMayWriteUntilTheMapGrowsAndReadTheSnapshot) {
  open({.durability = Durability::none, .map_bytes = 1 << 18});
  Collection docs = make();
  fill(docs, 0, 60, 0, as_payload("old"));
  const Snapshot then = snapshot_of(docs);
  const auto before = contents(docs);
  const std::string payload(30'000, 'x');
  std::size_t visited = 0;
  ASSERT_OK(then.for_each([&](Key key) {
    ++visited;
    EXPECT_OK(docs.upsert(key, vector_of(9), as_payload(payload)));
    EXPECT_OK(docs.insert(1000 + key, vector_of(9)));
    EXPECT_EQ(row_of(then, key), before.at(key));
    EXPECT_ERROR(database_->compact(), Code::busy);
    return true;
  }));
  EXPECT_EQ(visited, 60u);
  EXPECT_GE(stats().grown, 2u);
  EXPECT_EQ(contents(then), before);
}

TEST_F(SnapshotTest, AFilterMayReadAnythingAndNotWrite) {
  Collection docs = make();
  fill(docs, 0, 600, 0);
  const Snapshot then = snapshot_of(docs);
  fill(docs, 0, 300, 5000);
  std::size_t asked = 0;
  const auto unchanged = [&](Key key) {
    if (asked++ == 0) {
      EXPECT_ERROR(docs.insert(7000, vector_of(1)), Code::invalid_argument);
      EXPECT_EQ(found(then, vector_of(3), 1)[0].key, 3u);
      std::array<Hit, 1> hits;
      EXPECT_OK(docs.search(vector_of(3), hits));
    }
    std::array<float, 3> was{}, is{};
    EXPECT_OK(then.get(key, was));
    EXPECT_OK(docs.get(key, is));
    return was == is;
  };
  const std::vector<Hit> hits = found(then, vector_of(0), 5, {.filter = Filter::where(unchanged)});
  EXPECT_EQ(asked, 600u);
  ASSERT_EQ(hits.size(), 5u);
  EXPECT_EQ(hits[0].key, 300u);
  EXPECT_OK(docs.insert(7000, vector_of(1)));
}

TEST_F(SnapshotTest, AWalkThatClosesTheDatabaseIsToldSo) {
  Collection docs = make();
  fill(docs, 0, 5000, 0);
  const Snapshot then = snapshot_of(docs);
  std::size_t visited = 0;
  EXPECT_ERROR(then.for_each([&](Key) {
    if (visited++ == 0) {
      EXPECT_OK(database_->close());
    }
    return true;
  }),
               Code::closed);
  EXPECT_LT(visited, 5000u);
}

TEST_F(SnapshotTest, ThreadsShareItBesideWriters) {
  open({.durability = Durability::none, .map_bytes = 1 << 18});
  Collection docs = make();
  fill(docs, 0, 500, 0, as_payload("old"));
  const Snapshot then = snapshot_of(docs);
  const auto before = contents(docs);
  const auto nearest = found(docs, vector_of(200), 10);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> rounds{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      do {
        if (i == 0) {
          EXPECT_EQ(contents(then), before);
        }
        EXPECT_EQ(found(then, vector_of(200), 10), nearest);
        EXPECT_EQ(snapshot_of(docs).size(), 500u);  // others come and go
        rounds.fetch_add(1);
      } while (!stop.load());
    });
  }
  const std::string payload(3000, 'n');
  for (std::size_t i = 0; i < scaled(40, 4) || rounds.load() < 6; ++i) {
    fill(docs, 0, 500, static_cast<double>(1000 * i), as_payload(payload));
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(stats().grown, 2u);
  EXPECT_EQ(stats().snapshots, 1u);
  EXPECT_EQ(contents(then), before);
}

TEST_F(SnapshotTest, ACloseBesideCallsEndsThemAsClosed) {
  Collection docs = make();
  fill(docs, 0, 3000, 0);
  const Snapshot then = snapshot_of(docs);
  std::atomic<std::size_t> started{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (Status status; status.ok();) {
        std::array<Hit, 3> hits;
        status = then.search(vector_of(5), hits).status();
        if (!status.ok()) {
          EXPECT_ERROR(status, Code::closed);
        }
        started.fetch_add(1);
      }
    });
  }
  while (started.load() < 3) std::this_thread::yield();
  EXPECT_OK(database_->close());
  for (std::thread& thread : threads) thread.join();
  expect_closed(then);
}

}  // namespace
}  // namespace skerry::testing

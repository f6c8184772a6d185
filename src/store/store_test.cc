// store_test.cc - does the store keep what it was given, and say what is wrong with its files?
#include "store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <numeric>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/test_folder.h"

namespace skerry::store {
namespace {

const CollectionOptions kOptions{.index = {.dimension = 4, .metric = Metric::cosine, .M = 12}};

std::unique_ptr<Store> opened(const std::filesystem::path& folder,
                              const EnvironmentOptions& options = {}) {
  Result<std::unique_ptr<Store>> store = Store::open(folder, options);
  EXPECT_TRUE(store.ok()) << store.error().message();
  return store.ok() ? std::move(*store) : nullptr;
}

// Options of a collection whose vectors have so many bytes.
CollectionOptions of_bytes(std::uint32_t bytes) {
  return {.index = {.dimension = bytes, .scalar = Scalar::u8}};
}

// Puts a vector of `size` bytes of `fill` under each of the keys, as one logged request.
Status put(Store& store, std::uint32_t collection, std::vector<Key> keys, std::size_t size,
           char fill, Bytes payload = {}) {
  return store.commit([&](Commit& commit) -> Status {
    Status status = commit.turn_to(collection);
    for (const Key key : keys) {
      if (!status.ok()) return status;
      const Result<Transaction::Room> room = commit.put_vector(key);
      if (!room.ok()) return room.error();
      std::memset(room->bytes, fill, size);
      status = commit.put_payload(key, payload, room->fresh);
    }
    return status.ok() ? commit.log(LogKind::upserts, keys).status() : status;
  });
}

Counters counters_of(const Store& store, std::uint32_t collection) {
  Counters counters;
  EXPECT_TRUE(store
                  .read([&](const Reading& reading) {
                    const Result<Counters> found = reading.counters(collection);
                    if (found.ok()) counters = *found;
                    return found.status();
                  })
                  .ok());
  return counters;
}

std::map<Key, std::string> vectors_of(const Store& store, std::uint32_t collection) {
  std::map<Key, std::string> all;
  EXPECT_TRUE(store
                  .read([&](const Reading& reading) {
                    return reading.each_vector(collection, 0, [&](Key key, Bytes bytes) {
                      all[key] = text_of(bytes);
                      return true;
                    });
                  })
                  .ok());
  return all;
}

// Records that any table has of a collection.
std::size_t records_of(const Store& store, std::uint32_t collection) {
  std::size_t records = 0;
  const Status status = store.environment().read([&](const Transaction& transaction) {
    const CollectionKey prefix(collection);
    for (const Table table : {Table::counters, Table::vectors, Table::places, Table::payloads,
                              Table::names, Table::names_by_id, Table::log, Table::dropped}) {
      Cursor cursor(transaction, table);
      bool found = cursor.seek(prefix);
      for (; found && cursor.starts_with(prefix); found = cursor.next()) ++records;
    }
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return records;
}

TEST(Store, WhatWasCommittedIsThereAfterReopening) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  Identity identity = {};
  {
    const auto store = opened(folder.path());
    identity = store->identity();
    const Result<CollectionRecord> record = store->create_collection("a", kOptions);
    ASSERT_TRUE(record.ok());
    EXPECT_EQ(record->id, 1U);
    ASSERT_TRUE(put(*store, 1, {7, ~Key{0}, 0}, 16, 'x', bytes_of("payload")).ok());
    EXPECT_EQ(store->create_collection("a", kOptions).error().code(), Code::already_exists);
  }
  const auto store = opened(folder.path());
  EXPECT_EQ(store->identity(), identity);
  EXPECT_NE(identity[0], 0U);
  const Counters counters = counters_of(*store, 1);
  EXPECT_EQ(counters.sequence, 3U);
  EXPECT_EQ(counters.live, 3U);
  EXPECT_EQ(counters.payloads, 3U);
  EXPECT_EQ(counters.log_entries, 3U);
  EXPECT_EQ(counters_of(*store, 0).sequence, 3U);
  const std::map<Key, std::string> expected = {
      {0, std::string(16, 'x')}, {7, std::string(16, 'x')}, {~Key{0}, std::string(16, 'x')}};
  EXPECT_EQ(vectors_of(*store, 1), expected);
  ASSERT_TRUE(store
                  ->read([&](const Reading& reading) {
                    const Result<CollectionRecord> record = reading.collection("a");
                    EXPECT_TRUE(record.ok());
                    EXPECT_EQ(record->options.index.dimension, 4U);
                    EXPECT_EQ(record->options.index.metric, Metric::cosine);
                    EXPECT_EQ(record->options.index.M, 12U);
                    EXPECT_EQ(record->options.index.seed, kOptions.index.seed);
                    EXPECT_EQ(text_of(*reading.payload(1, 7)), "payload");
                    EXPECT_EQ(reading.payload(1, 8).error().code(), Code::not_found);
                    EXPECT_EQ(reading.collection("b").error().code(), Code::not_found);
                    return reading.each_change(
                        1, 0, [&](std::uint64_t sequence, LogKind kind, Bytes keys) {
                          EXPECT_EQ(sequence, 3U);
                          EXPECT_EQ(kind, LogKind::upserts);
                          EXPECT_EQ(keys.size(), 24U);
                          EXPECT_EQ(get_le<Key>(keys.data()), 7U);
                          return true;
                        });
                  })
                  .ok());
}

TEST(Store, AFailedCommitLeavesNothing) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  const Status status = store->commit([&](Commit& commit) -> Status {
    EXPECT_TRUE(commit.turn_to(1).ok());
    const Result<Transaction::Room> room = commit.put_vector(1);
    EXPECT_TRUE(room.ok());
    std::memset(room->bytes, 0, 16);
    return Status(Code::cancelled, "on second thoughts");
  });
  EXPECT_EQ(status.code(), Code::cancelled);
  EXPECT_TRUE(vectors_of(*store, 1).empty());
  EXPECT_EQ(counters_of(*store, 1).live, 0U);
}

TEST(Store, ReplacingAndRemovingKeepTheCounts) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  ASSERT_TRUE(put(*store, 1, {1, 2}, 16, 'a', bytes_of("p")).ok());
  ASSERT_TRUE(put(*store, 1, {2}, 16, 'b').ok());  // its payload goes
  EXPECT_EQ(counters_of(*store, 1).live, 2U);
  EXPECT_EQ(counters_of(*store, 1).payloads, 1U);
  EXPECT_EQ(vectors_of(*store, 1)[2], std::string(16, 'b'));
  ASSERT_TRUE(store
                  ->commit([](Commit& commit) -> Status {
                    EXPECT_TRUE(commit.turn_to(1).ok());
                    EXPECT_TRUE(*commit.remove(1));
                    EXPECT_FALSE(*commit.remove(1));
                    EXPECT_FALSE(*commit.contains(1));
                    EXPECT_TRUE(*commit.contains(2));
                    return commit.log(LogKind::removals, std::vector<Key>{1}).status();
                  })
                  .ok());
  EXPECT_EQ(counters_of(*store, 1).live, 1U);
  EXPECT_EQ(counters_of(*store, 1).payloads, 0U);
  EXPECT_EQ(counters_of(*store, 1).sequence, 4U);
}

TEST(Store, NamesHaveIdsThatAreNeverUsedTwice) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  const std::string longest(kMaxKeyBytes, '\xFF');
  ASSERT_TRUE(store
                  ->commit([&](Commit& commit) -> Status {
                    EXPECT_TRUE(commit.turn_to(1).ok());
                    EXPECT_EQ(*commit.find_name("x"), 0U);
                    EXPECT_EQ(*commit.add_name("x"), 1U);
                    EXPECT_EQ(*commit.find_name("x"), 1U);
                    EXPECT_TRUE(commit.remove_name("x", 1).ok());
                    EXPECT_EQ(*commit.find_name("x"), 0U);
                    EXPECT_EQ(*commit.add_name("x"), 2U);
                    EXPECT_EQ(*commit.add_name(longest), 3U);
                    return commit.log(LogKind::upserts, std::vector<Key>{2, 3}).status();
                  })
                  .ok());
  std::map<Key, std::string> names;
  ASSERT_TRUE(store
                  ->read([&](const Reading& reading) {
                    return reading.each_name(1, 0, [&](Key id, std::string_view name) {
                      names[id] = name;
                      return true;
                    });
                  })
                  .ok());
  EXPECT_EQ(names, (std::map<Key, std::string>{{2, "x"}, {3, longest}}));
}

TEST(Store, TheMapGrowsByItself) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path(), {.map_bytes = 1 << 20});
    ASSERT_TRUE(store->create_collection("a", of_bytes(1536)).ok());
    std::vector<Key> keys(4000);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
    ASSERT_TRUE(put(*store, 1, keys, 1536, 'g').ok());  // 6 MB in one commit
    const Result<EnvironmentStats> stats = store->environment().stats();
    ASSERT_TRUE(stats.ok());
    EXPECT_GE(stats->grown, 3U);
    EXPECT_GE(stats->map_bytes, 8U << 20);
    EXPECT_GE(stats->used_bytes, 6U << 20);
    EXPECT_EQ(counters_of(*store, 1).live, 4000U);
  }
  // A map that is smaller than the store is no hindrance to opening it.
  const auto store = opened(folder.path(), {.map_bytes = 1 << 20});
  EXPECT_EQ(vectors_of(*store, 1).size(), 4000U);
}

TEST(Store, TheMapGrowsWhileReadersRead) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path(), {.map_bytes = 1 << 20});
  ASSERT_TRUE(store->create_collection("a", of_bytes(1536)).ok());
  ASSERT_TRUE(put(*store, 1, {1}, 1536, 'r').ok());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load()) {
        const Status status = store->read([](const Reading& reading) {
          Result<HeapReader> heap = reading.heap(1);
          EXPECT_TRUE(heap.ok());
          const Result<Bytes> bytes = heap->vector(1);
          EXPECT_TRUE(bytes.ok());
          EXPECT_EQ(static_cast<char>((*bytes)[1535]), 'r');
          return bytes.status();
        });
        EXPECT_TRUE(status.ok()) << status.message();
        reads.fetch_add(1);
      }
    });
  }
  for (Key key = 2; key < 2000; key += 50) {
    std::vector<Key> keys(50);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = key + i;
    ASSERT_TRUE(put(*store, 1, keys, 1536, 'w').ok());
  }
  while (reads.load() == 0) std::this_thread::yield();
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(store->environment().stats()->grown, 2U);
}

TEST(Store, TheLogIsTrimmed) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  ASSERT_TRUE(store->create_collection("b", kOptions).ok());
  for (Key key = 0; key < 5; ++key) ASSERT_TRUE(put(*store, 1, {key, key + 10}, 16, 'a').ok());
  ASSERT_TRUE(put(*store, 2, {1}, 16, 'b').ok());
  ASSERT_TRUE(store->trim_log(1, 7).ok());  // requests end at 2, 4, 6, 8, 10
  EXPECT_EQ(counters_of(*store, 1).trimmed, 6U);
  EXPECT_EQ(counters_of(*store, 1).log_entries, 4U);
  ASSERT_TRUE(store->trim_log(1, 10).ok());
  EXPECT_EQ(counters_of(*store, 1).trimmed, 10U);
  EXPECT_EQ(counters_of(*store, 1).log_entries, 0U);
  EXPECT_EQ(counters_of(*store, 2).log_entries, 1U);
}

TEST(Store, ADroppedCollectionLeavesNoRows) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  ASSERT_TRUE(store->create_collection("b", kOptions).ok());
  std::vector<Key> keys(20000);  // more than one transaction removes
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
  ASSERT_TRUE(put(*store, 1, keys, 16, 'a').ok());
  ASSERT_TRUE(put(*store, 2, {1, 2}, 16, 'b').ok());
  EXPECT_EQ(store->drop_collection("a")->id, 1U);
  EXPECT_EQ(store->drop_collection("a").error().code(), Code::not_found);
  EXPECT_GE(records_of(*store, 1), 20000U);
  ASSERT_TRUE(store->remove_rows(1).ok());
  EXPECT_EQ(records_of(*store, 1), 0U);
  EXPECT_EQ(vectors_of(*store, 2).size(), 2U);
  const Result<CollectionRecord> again = store->create_collection("a", kOptions);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->id, 3U);
}

TEST(Store, AnInterruptedDropIsFinishedAtTheNextOpen) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path());
    ASSERT_TRUE(store->create_collection("a", kOptions).ok());
    ASSERT_TRUE(put(*store, 1, {1, 2, 3}, 16, 'a').ok());
    EXPECT_EQ(store->drop_collection("a")->id, 1U);
    EXPECT_EQ(vectors_of(*store, 1).size(), 3U);
  }
  EXPECT_EQ(records_of(*opened(folder.path()), 1), 0U);
}

TEST(Store, RowsThatNobodyReadsGoWithTheNameWhenTheyAreFew) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path());
    ASSERT_TRUE(store->create_collection("few", kOptions).ok());
    ASSERT_TRUE(store->create_collection("many", kOptions).ok());
    std::vector<Key> keys(20000);
    std::iota(keys.begin(), keys.end(), Key{0});
    ASSERT_TRUE(put(*store, 1, {1, 2, 3}, 16, 'a').ok());
    ASSERT_TRUE(put(*store, 2, keys, 16, 'a').ok());
    const std::uint64_t commits = store->environment().stats()->commits;
    EXPECT_FALSE(store->drop_collection("few", 1, Store::Rows::go_if_few)->has_rows);
    EXPECT_EQ(store->environment().stats()->commits, commits + 1);
    EXPECT_EQ(records_of(*store, 1), 0U);
    EXPECT_TRUE(store->drop_collection("many", 2, Store::Rows::go_if_few)->has_rows);
    EXPECT_GE(records_of(*store, 2), 10000U);
  }
  EXPECT_EQ(records_of(*opened(folder.path()), 2), 0U);
}

TEST(Store, CompactingGivesSpaceBackAndLosesNothing) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", of_bytes(1000)).ok());
  ASSERT_TRUE(store->create_collection("b", kOptions).ok());
  std::vector<Key> keys(5000);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
  ASSERT_TRUE(put(*store, 1, keys, 1000, 'a').ok());
  ASSERT_TRUE(put(*store, 2, {1, 2}, 16, 'b').ok());
  EXPECT_EQ(store->drop_collection("a")->id, 1U);
  ASSERT_TRUE(store->remove_rows(1).ok());
  const std::uint64_t before = store->environment().stats()->disk_bytes;
  ASSERT_TRUE(store->environment().compact().ok());
  const std::uint64_t after = store->environment().stats()->disk_bytes;
  EXPECT_LT(after, before / 10);
  EXPECT_EQ(vectors_of(*store, 2).size(), 2U);
  ASSERT_TRUE(put(*store, 2, {3}, 16, 'b').ok());
  EXPECT_EQ(vectors_of(*store, 2).size(), 3U);
}

TEST(Store, ACopyIsAStoreWithAnIdentityOfItsOwn) {
  TestFolder folder;
  TestFolder copy;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  ASSERT_TRUE(put(*store, 1, {1, 2}, 16, 'a').ok());
  ASSERT_TRUE(store->environment().copy_to(copy / "data.mdb").ok());
  ASSERT_TRUE(Store::renew_identity(copy.path()).ok());
  const auto other = opened(copy.path());
  EXPECT_NE(other->identity(), store->identity());
  EXPECT_EQ(vectors_of(*other, 1), vectors_of(*store, 1));
}

TEST(Store, ClosedIsClosed) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  store->environment().close();
  EXPECT_EQ(store->create_collection("a", kOptions).error().code(), Code::closed);
  EXPECT_EQ(store->read([](const Reading&) { return Status(); }).code(), Code::closed);
  EXPECT_EQ(store->environment().sync().code(), Code::closed);
  EXPECT_EQ(store->environment().compact().code(), Code::closed);
}

TEST(Store, AReadOnlyStoreTakesNoWrites) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path());
    ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  }
  const auto store = opened(folder.path(), {.read_only = true});
  EXPECT_EQ(put(*store, 1, {1}, 16, 'a').code(), Code::read_only);
  EXPECT_EQ(store->environment().compact().code(), Code::read_only);
  EXPECT_TRUE(vectors_of(*store, 1).empty());
}

TEST(Store, EveryDurabilityKeepsWhatItWasGiven) {
  for (const Durability durability : {Durability::commit, Durability::interval, Durability::none}) {
    TestFolder folder;
    ASSERT_TRUE(Store::create(folder.path()).ok());
    {
      const auto store = opened(folder.path(), {.durability = durability});
      ASSERT_TRUE(store->create_collection("a", kOptions).ok());
      ASSERT_TRUE(put(*store, 1, {1}, 16, 'a').ok());
      ASSERT_TRUE(store->environment().sync().ok());
    }
    EXPECT_EQ(vectors_of(*opened(folder.path()), 1).size(), 1U);
  }
}

// -- missing, empty, damaged and foreign are different answers ------------------------------------

Code code_of_open(const std::filesystem::path& folder) {
  return Store::open(folder, {}).error().code();
}

TEST(Store, MissingAndEmptyAreToldApart) {
  TestFolder folder;
  const Status missing = Store::open(folder.path(), {}).error();
  EXPECT_EQ(missing.message(), "corruption: store/data.mdb is missing");
  std::ofstream(folder / "data.mdb").close();
  const Status empty = Store::open(folder.path(), {}).error();
  EXPECT_EQ(empty.message(), "corruption: store/data.mdb is empty");
}

TEST(Store, GarbageAndACutFileAreCorruption) {
  TestFolder folder;
  {
    std::ofstream file(folder / "data.mdb");
    for (int i = 0; i < 20000; ++i) file << "not a store ";
  }
  EXPECT_EQ(code_of_open(folder.path()), Code::corruption);

  TestFolder other;
  ASSERT_TRUE(Store::create(other.path()).ok());
  {
    const auto store = opened(other.path());
    ASSERT_TRUE(store->create_collection("a", of_bytes(1000)).ok());
    std::vector<Key> keys(2000);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
    ASSERT_TRUE(put(*store, 1, keys, 1000, 'a').ok());
  }
  const std::uintmax_t size = std::filesystem::file_size(other / "data.mdb");
  std::filesystem::resize_file(other / "data.mdb", size / 2);
  EXPECT_EQ(code_of_open(other.path()), Code::corruption);
  std::filesystem::resize_file(other / "data.mdb", 100);
  EXPECT_EQ(code_of_open(other.path()), Code::corruption);
}

// Reads everything there is, or says why not.
Status read_all(const std::filesystem::path& folder) {
  Result<std::unique_ptr<Store>> store = Store::open(folder, {.read_only = true});
  if (!store.ok()) return store.error();
  return (*store)->read([](const Reading& reading) {
    std::size_t bytes = 0;
    return reading.each_vector(1, 0, [&](Key, Bytes vector) {
      for (const std::byte byte : vector) bytes += std::to_integer<std::size_t>(byte);
      return bytes > 0;
    });
  });
}

TEST(Store, AFileCutAnywhereIsSaidToBeCut) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path());
    ASSERT_TRUE(store->create_collection("a", of_bytes(9000)).ok());
    for (Key key = 0; key < 30; ++key) {
      ASSERT_TRUE(put(*store, 1, {key}, 9000, 'a').ok());
    }
  }
  const std::uintmax_t size = std::filesystem::file_size(folder / "data.mdb");
  TestFolder cut;
  std::size_t refused = 0;
  for (std::uintmax_t left = size - 4096; left >= 4096; left -= 4096) {
    std::filesystem::copy_file(folder / "data.mdb", cut / "data.mdb",
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut / "data.mdb", left);
    const Status status = read_all(cut.path());
    // What is whole without its last pages had them free.
    EXPECT_TRUE(status.ok() || status.code() == Code::corruption) << status.message();
    if (!status.ok()) ++refused;
  }
  EXPECT_GE(refused, size / 4096 - 6);
}

TEST(Store, AWipedPageIsCorruptionOrUnused) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path());
    ASSERT_TRUE(store->create_collection("a", of_bytes(1000)).ok());
    std::vector<Key> keys(300);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
    ASSERT_TRUE(put(*store, 1, keys, 1000, 'a').ok());
  }
  const std::uintmax_t pages = std::filesystem::file_size(folder / "data.mdb") / 4096;
  TestFolder wiped;
  std::size_t refused = 0;
  for (std::uintmax_t page = 2; page < pages; ++page) {
    std::filesystem::copy_file(folder / "data.mdb", wiped / "data.mdb",
                               std::filesystem::copy_options::overwrite_existing);
    {
      std::fstream file(wiped / "data.mdb", std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(page * 4096));
      file << std::string(4096, page % 2 == 0 ? '\0' : '\xEE');
    }
    const Status status = read_all(wiped.path());
    EXPECT_TRUE(status.ok() || status.code() == Code::corruption) << status.message();
    if (!status.ok()) ++refused;
  }
  EXPECT_GE(refused, 75U);  // the leaves of the vectors alone
}

TEST(Store, ATurnedBitInAPayloadOrInItsKeyIsCorruptionAndNotAnAbsentPayload) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  {
    const auto store = opened(folder.path());
    ASSERT_TRUE(store->create_collection("a", kOptions).ok());
    ASSERT_TRUE(put(*store, 1, {5, 7, 9}, 16, 'a', bytes_of("payload")).ok());
  }
  std::ifstream file(folder / "data.mdb", std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(file), {});
  // A row as LMDB keeps it: the value right behind the key.
  const std::size_t row = whole.find(std::string("\0\0\0\1\0\0\0\0\0\0\0\7payload", 19));
  ASSERT_NE(row, std::string::npos);
  for (const std::size_t at : {std::size_t{11}, std::size_t{12}, std::size_t{18}}) {
    TestFolder bent;
    std::string bytes = whole;
    bytes[row + at] ^= 1;
    std::ofstream(bent / "data.mdb", std::ios::binary) << bytes;
    const auto store = opened(bent.path());
    const Status status =
        store->read([](const Reading& reading) { return reading.payload(1, 7).status(); });
    EXPECT_EQ(status.code(), Code::corruption) << "byte " << at << ": " << status.message();
  }
}

TEST(Store, WhatLmdbRefusesSaysWhoseMoveItIs) {
  EXPECT_EQ(status_of_lmdb(MDB_MAP_FULL).code(), Code::storage_full);
  EXPECT_EQ(status_of_lmdb(MDB_TXN_FULL).code(), Code::storage_full);
  EXPECT_EQ(status_of_lmdb(MDB_READERS_FULL).code(), Code::busy);
  EXPECT_EQ(status_of_lmdb(MDB_PANIC).code(), Code::io_error);
  EXPECT_EQ(status_of_lmdb(ENOSPC).code(), Code::storage_full);
  EXPECT_EQ(status_of_lmdb(ENOMEM).code(), Code::out_of_memory);
}

TEST(Store, AnotherProgramsEnvironmentIsIncompatible) {
  TestFolder folder;
  MDB_env* env = nullptr;
  ASSERT_EQ(mdb_env_create(&env), 0);
  ASSERT_EQ(mdb_env_open(env, folder.path().c_str(), 0, 0644), 0);
  MDB_txn* txn = nullptr;
  ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
  MDB_dbi dbi = 0;
  ASSERT_EQ(mdb_dbi_open(txn, nullptr, 0, &dbi), 0);
  MDB_val key = {4, const_cast<char*>("some")};
  MDB_val value = {4, const_cast<char*>("data")};
  ASSERT_EQ(mdb_put(txn, dbi, &key, &value, 0), 0);
  ASSERT_EQ(mdb_txn_commit(txn), 0);
  mdb_env_close(env);
  const Status status = Store::open(folder.path(), {}).error();
  EXPECT_EQ(status.message(), "incompatible: not a Skerry store");
}

TEST(Store, ANewerFormatIsRefusedByName) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  MDB_env* env = nullptr;
  ASSERT_EQ(mdb_env_create(&env), 0);
  ASSERT_EQ(mdb_env_set_maxdbs(env, 16), 0);
  ASSERT_EQ(mdb_env_open(env, folder.path().c_str(), 0, 0644), 0);
  MDB_txn* txn = nullptr;
  ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
  MDB_dbi dbi = 0;
  ASSERT_EQ(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
  Format format;
  format.version = kVersion + 1;
  auto bytes = encode(format);
  MDB_val key = {6, const_cast<char*>("format")};
  MDB_val value = {bytes.size(), bytes.data()};
  ASSERT_EQ(mdb_put(txn, dbi, &key, &value, 0), 0);
  ASSERT_EQ(mdb_txn_commit(txn), 0);
  mdb_env_close(env);
  const Status status = Store::open(folder.path(), {}).error();
  EXPECT_EQ(status.code(), Code::incompatible);
  EXPECT_NE(status.message().find("newer version"), std::string::npos);
}

// The descriptor through which LMDB writes its root and waits for the device; -1 when there is
// none.
int root_descriptor(const std::filesystem::path& folder) {
  for (int fd = 0; fd < 1024; ++fd) {
    std::error_code error;
    const std::filesystem::path link = "/proc/self/fd/" + std::to_string(fd);
    if (std::filesystem::read_symlink(link, error) != folder / "data.mdb") continue;
    const int flags = fcntl(fd, F_GETFL);
    if ((flags & O_DSYNC) != 0 && (flags & O_ACCMODE) == O_WRONLY) return fd;
  }
  return -1;
}

TEST(Store, ARootThatCannotBeWrittenChangesNothingAndEverythingGoesOn) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  ASSERT_TRUE(put(*store, 1, {1}, 16, 'a').ok());
  const int root = root_descriptor(std::filesystem::canonical(folder.path()));
  ASSERT_GE(root, 0);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(dup2(full, root), root);
  ASSERT_EQ(close(full), 0);

  EXPECT_EQ(put(*store, 1, {2}, 16, 'b').code(), Code::storage_full);
  EXPECT_EQ(vectors_of(*store, 1), (std::map<Key, std::string>{{1, std::string(16, 'a')}}));
  EXPECT_TRUE(put(*store, 1, {3}, 16, 'c').ok());
  EXPECT_EQ(vectors_of(*store, 1).size(), 2U);
  EXPECT_EQ(counters_of(*store, 1).sequence, 2U);
  EXPECT_TRUE(store->environment().sync().ok());
}

// The folder as it is now, with a root that was kept before the machine was started anew.
void copy_as_after_power_loss(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy(from, to);
  const std::filesystem::path file = to / "synced.root";
  std::string bytes(256, 0);
  std::ifstream(file, std::ios::binary).read(bytes.data(), 256);
  bytes[16] ^= 1;  // in the boot's number
  const auto all = std::as_writable_bytes(std::span(bytes));
  put_le(&all[252], crc32c(all.first(252)));
  std::ofstream(file, std::ios::binary) << bytes;
}

TEST(Store, WithoutSyncsPowerLossGoesBackToTheLastOne) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const EnvironmentOptions none{.durability = Durability::none};
  const std::filesystem::path root = folder.path() / "synced.root";
  TestFolder copies;
  const std::filesystem::path killed = copies.path() / "killed";
  const std::filesystem::path lost = copies.path() / "lost";
  {
    const auto store = opened(folder.path(), none);
    ASSERT_TRUE(store->create_collection("a", kOptions).ok());
    ASSERT_TRUE(put(*store, 1, {1, 2}, 16, 'a').ok());
    EXPECT_TRUE(std::filesystem::exists(root));
    ASSERT_TRUE(store->environment().sync().ok());
    EXPECT_FALSE(std::filesystem::exists(root));
    // Many small commits: without the kept root they would use the pages of that moment again.
    for (Key key = 1; key < 60; ++key) ASSERT_TRUE(put(*store, 1, {key}, 16, 'b').ok());
    std::filesystem::copy(folder.path(), killed);
    copy_as_after_power_loss(folder.path(), lost);
  }
  {
    const auto store = opened(killed);
    EXPECT_EQ(vectors_of(*store, 1).size(), 59U);
    EXPECT_FALSE(std::filesystem::exists(killed / "synced.root"));
  }
  EXPECT_EQ(Store::open(lost, {.read_only = true}).error().code(), Code::corruption);
  for (int i = 0; i < 2; ++i) {
    const auto store = opened(lost);
    const std::string row(16, 'a');
    EXPECT_EQ(vectors_of(*store, 1), (std::map<Key, std::string>{{1, row}, {2, row}}));
    EXPECT_EQ(counters_of(*store, 1).sequence, 2U);
    EXPECT_FALSE(std::filesystem::exists(lost / "synced.root"));
  }
  const auto store = opened(lost);
  EXPECT_TRUE(put(*store, 1, {3}, 16, 'c').ok());
}

TEST(Store, ADamagedKeptRootIsCorruption) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  std::ofstream(folder.path() / "synced.root") << std::string(256, 'x');
  EXPECT_EQ(Store::open(folder.path(), {}).error().code(), Code::corruption);
}

TEST(Store, WhatIsNeverSyncedDoesNotGrowForEver) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path(), {.durability = Durability::none});
  ASSERT_TRUE(store->create_collection("a", of_bytes(4000)).ok());
  // Each commit writes 4 MB again: 120 of them would be 480 MB if no page were used twice. 4 MB and
  // 64 are what the file may have.
  std::vector<Key> keys(1000);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
  for (int i = 0; i < 120; ++i) ASSERT_TRUE(put(*store, 1, keys, 4000, 'a').ok());
  const Result<EnvironmentStats> stats = store->environment().stats();
  ASSERT_TRUE(stats.ok());
  EXPECT_LT(stats->disk_bytes, std::uint64_t{90} << 20);
}

// A file-size limit stands for a full disk: writes fail in the same call and in the same way.
TEST(Store, AFullDiskIsStorageFullAndReadsAndLaterWritesGoOn) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    Result<std::unique_ptr<Store>> store = Store::open(folder.path(), {});
    if (!store.ok()) _exit(1);
    if (!(*store)->create_collection("a", of_bytes(1000)).ok()) _exit(2);
    if (!put(**store, 1, {1}, 1000, 'a').ok()) _exit(3);
    const rlimit limit = {4 << 20, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(4);
    std::vector<Key> keys(8000);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = 100 + i;
    const Status status = put(**store, 1, keys, 1000, 'b');  // 8 MB
    if (status.code() != Code::storage_full) _exit(5);
    if (vectors_of(**store, 1).size() != 1) _exit(6);
    if (!put(**store, 1, {2}, 1000, 'c').ok()) _exit(7);  // a small one still fits
    const rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) _exit(8);
    if (!put(**store, 1, keys, 1000, 'd').ok()) _exit(9);
    if (vectors_of(**store, 1).size() != 8002) _exit(10);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Store, AReadInsideAReadSeesTheSameSnapshot) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  const Status status = store->read([&](const Reading&) {
    std::thread([&] { EXPECT_TRUE(put(*store, 1, {1}, 16, 'x').ok()); }).join();
    EXPECT_EQ(counters_of(*store, 1).live, 0U);
    return Status();
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(counters_of(*store, 1).live, 1U);
}

// Whether a thread of this process waits for something.
bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string number, name, state;
  file >> number >> name >> state;
  return state == "S";
}

TEST(Store, AReadInsideAReadDoesNotWaitForWhoWaitsForItToMoveTheMap) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path(), {.map_bytes = 1 << 18});
  ASSERT_TRUE(store->create_collection("a", kOptions).ok());
  ASSERT_TRUE(put(*store, 1, {1}, 16, 'x').ok());
  std::atomic<pid_t> mover{0};
  std::atomic<bool> is_full{false};
  std::thread thread;
  const Status status = store->read([&](const Reading&) {
    thread = std::thread([&] {
      mover = ::gettid();
      const std::vector<std::byte> large(1 << 20);
      const Status written = store->environment().write([&](Transaction& transaction) {
        const Status step = transaction.put(Table::payloads, RowKey(1, 1), large);
        is_full = is_full || step.code() == Code::storage_full;
        return step;
      });
      EXPECT_TRUE(written.ok()) << written.message();
    });
    while (!is_full || !sleeps(mover)) std::this_thread::yield();
    EXPECT_EQ(store->environment().stats()->grown, 0U);  // reads too
    EXPECT_EQ(counters_of(*store, 1).live, 1U);
    return Status();
  });
  thread.join();
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(store->environment().stats()->grown, 3U);
}

TEST(StoreDeathTest, AWriteInsideAReadIsOurMistake) {
  TestFolder folder;
  ASSERT_TRUE(Store::create(folder.path()).ok());
  const auto store = opened(folder.path());
  EXPECT_DEATH(static_cast<void>(store->read([&](const Reading&) {
                 return store->create_collection("a", kOptions).status();
               })),
               "broken invariant");
}

}  // namespace
}  // namespace skerry::store

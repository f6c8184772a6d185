// held_read_test.cc - does a read that a caller holds stay what it was, and end when it must?
#include "store/held_read.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "store/store.h"

namespace skerry::store {
namespace {

constexpr std::uint32_t kBytes = 1000;  // a vector

std::unique_ptr<Store> made(const TestFolder& folder, const EnvironmentOptions& options = {}) {
  EXPECT_TRUE(Store::create(folder.path()).ok());
  Result<std::unique_ptr<Store>> store = Store::open(folder.path(), options);
  EXPECT_TRUE(store.ok()) << store.error().message();
  const CollectionOptions rows{.index = {.dimension = kBytes, .scalar = Scalar::u8}};
  EXPECT_TRUE((*store)->create_collection("a", rows).ok());
  return std::move(*store);
}

// Vectors full of `fill`, one commit, and payloads of the same.
Status put(Store& store, Key first, Key count, char fill) {
  return store.commit([&](Commit& commit) -> Status {
    Status status = commit.turn_to(1);
    std::vector<Key> keys;
    const std::string payload(300, fill);
    for (Key key = first; key < first + count && status.ok(); ++key) {
      const Result<Transaction::Room> room = commit.put_vector(key);
      if (!room.ok()) return room.error();
      std::memset(room->bytes, fill, kBytes);
      status = commit.put_payload(key, bytes_of(payload), room->fresh);
      keys.push_back(key);
    }
    return status.ok() ? commit.log(LogKind::upserts, keys).status() : status;
  });
}

Status remove(Store& store, Key first, Key count) {
  return store.commit([&](Commit& commit) -> Status {
    Status status = commit.turn_to(1);
    std::vector<Key> keys;
    for (Key key = first; key < first + count && status.ok(); ++key) {
      status = commit.remove(key).status();
      keys.push_back(key);
    }
    return status.ok() ? commit.log(LogKind::removals, keys).status() : status;
  });
}

// Every vector and its payload, as the held read sees them.
std::map<Key, std::string> contents(const HeldRead& held) {
  std::map<Key, std::string> all;
  const Status status = Store::read(held, [&](const Reading& reading) -> Status {
    Status step = reading.check(1);
    if (step.ok()) {
      step = reading.each_vector(1, 0, [&](Key key, Bytes vector) {
        all[key] = text_of(vector);
        return true;
      });
    }
    if (!step.ok()) return step;
    return reading.each_payload(1, [&](Key key, Bytes payload) {
      all[key] += text_of(payload);
      return true;
    });
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return all;
}

std::unique_ptr<HeldRead> hold(const Store& store) {
  Result<std::unique_ptr<HeldRead>> held = store.environment().hold();
  EXPECT_TRUE(held.ok()) << held.error().message();
  return std::move(*held);
}

Code code_of(const HeldRead& held) {
  return held.read([](const Transaction&) { return Status(); }).code();
}

TEST(HeldRead, StaysByteForByteWhileTheMapGrowsAndEverythingIsReplacedAndRemoved) {
  for (const Durability durability : {Durability::commit, Durability::none}) {
    TestFolder folder;
    const auto store = made(folder, {.durability = durability, .map_bytes = 1 << 18});
    ASSERT_TRUE(put(*store, 0, 100, 'a').ok());
    const auto held = hold(*store);
    const std::map<Key, std::string> before = contents(*held);
    ASSERT_EQ(before.size(), 100U);
    // Each round frees what the one before it wrote, and takes it again.
    for (int round = 0; round < 30; ++round) {
      ASSERT_TRUE(put(*store, 0, 100 + 20 * round, static_cast<char>('b' + round % 20)).ok());
      ASSERT_EQ(contents(*held), before) << "round " << round;
    }
    EXPECT_GE(store->environment().stats()->grown, 3U);
    ASSERT_TRUE(remove(*store, 0, 700).ok());
    for (int round = 0; round < 30; ++round) {
      ASSERT_TRUE(put(*store, 1000, 50, static_cast<char>('A' + round % 20)).ok());
    }
    EXPECT_EQ(contents(*held), before);
  }
}

TEST(HeldRead, WhatItKeptIsUsedAgainWhenItIsLetGo) {
  TestFolder folder;
  const auto store = made(folder);
  const auto churn = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) ASSERT_TRUE(put(*store, 0, 200, 'x').ok());
  };
  churn(5);
  auto held = hold(*store);
  const std::uint64_t before = store->environment().stats()->file_bytes;
  churn(20);  // some 300 KB each, of which nothing newer than the held read can be used again
  const std::uint64_t pinned = store->environment().stats()->file_bytes;
  EXPECT_GT(pinned, before);
  EXPECT_EQ(store->environment().stats()->oldest_reader, 20U);
  held.reset();
  churn(20);
  EXPECT_EQ(store->environment().stats()->file_bytes, pinned);
  EXPECT_EQ(store->environment().stats()->oldest_reader, 0U);
}

TEST(HeldRead, ItIsCountedAsAReaderAndItsAgeIsTold) {
  TestFolder folder;
  const auto store = made(folder);
  EXPECT_EQ(store->environment().stats()->held, 0U);
  EXPECT_EQ(store->environment().stats()->oldest_held, 0);
  auto first = hold(*store);
  ASSERT_TRUE(put(*store, 0, 1, 'x').ok());
  auto second = hold(*store);
  const double at_least = first->age();
  const Result<EnvironmentStats> stats = store->environment().stats();
  EXPECT_EQ(stats->held, 2U);
  EXPECT_EQ(stats->readers, 2U);
  EXPECT_EQ(stats->oldest_reader, 1U);
  EXPECT_GE(stats->oldest_held, at_least);
  EXPECT_LE(stats->oldest_held, first->age());
  first.reset();
  EXPECT_EQ(store->environment().stats()->held, 1U);
  EXPECT_EQ(store->environment().stats()->readers, 1U);
  EXPECT_EQ(store->environment().stats()->oldest_reader, 0U);
  second.reset();
  EXPECT_EQ(store->environment().stats()->readers, 0U);
}

TEST(HeldRead, WhereThereIsNoMorePlaceToReadItIsBusyAndLeavesItsPlaceToOthers) {
  TestFolder folder;
  const auto store = made(folder);
  const std::uint64_t places = store->environment().stats()->max_readers;
  std::vector<std::unique_ptr<HeldRead>> all;
  while (all.size() <= places) {
    Result<std::unique_ptr<HeldRead>> held = store->environment().hold();
    if (!held.ok()) {
      EXPECT_EQ(held.error().code(), Code::busy);
      break;
    }
    all.push_back(std::move(*held));
  }
  EXPECT_EQ(all.size(), places);
  EXPECT_EQ(store->read([](const Reading&) { return Status(); }).code(), Code::busy);
  EXPECT_TRUE(put(*store, 0, 1, 'x').ok());
  all.pop_back();
  EXPECT_TRUE(store->read([](const Reading&) { return Status(); }).ok());
  EXPECT_EQ(code_of(*all.back()), Code::ok);
}

TEST(HeldRead, CompactingIsBusyAndSaysWhy) {
  TestFolder folder;
  const auto store = made(folder);
  ASSERT_TRUE(put(*store, 0, 50, 'x').ok());
  auto held = hold(*store);
  const Status busy = store->environment().compact();
  EXPECT_EQ(busy.code(), Code::busy);
  EXPECT_NE(busy.message().find("snapshot"), std::string::npos) << busy.message();
  EXPECT_EQ(contents(*held).size(), 50U);
  EXPECT_FALSE(std::filesystem::exists(folder / "compact.mdb"));
  held.reset();
  EXPECT_TRUE(store->environment().compact().ok());
}

TEST(HeldRead, OneThatIsTakenWhileACompactionCopiesIsKept) {
  TestFolder folder;
  const auto store = made(folder);
  ASSERT_TRUE(put(*store, 0, 200, 'x').ok());
  const std::size_t whole = 200;
  std::atomic<bool> stop{false};
  std::thread compactor([&] {
    while (!stop.load()) {
      const Code code = store->environment().compact().code();
      EXPECT_TRUE(code == Code::ok || code == Code::busy);
    }
  });
  for (int i = 0; i < 50; ++i) {
    const auto held = hold(*store);
    EXPECT_EQ(contents(*held).size(), whole);
    EXPECT_EQ(contents(*held).size(), whole);
  }
  stop.store(true);
  compactor.join();
  EXPECT_TRUE(store->environment().compact().ok());
}

TEST(HeldRead, AfterCloseItIsClosedAndMayStillBeLetGo) {
  TestFolder folder;
  const auto store = made(folder);
  const auto held = hold(*store);
  store->environment().close();
  EXPECT_EQ(code_of(*held), Code::closed);
  EXPECT_EQ(store->environment().hold().error().code(), Code::closed);
}

// The descriptor through which LMDB writes its root and waits for the device.
int root_descriptor(const std::filesystem::path& folder) {
  for (int fd = 0; fd < 1024; ++fd) {
    std::error_code error;
    const std::filesystem::path link = "/proc/self/fd/" + std::to_string(fd);
    if (std::filesystem::read_symlink(link, error) != folder / "data.mdb") continue;
    const int flags = ::fcntl(fd, F_GETFL);
    if ((flags & O_DSYNC) != 0 && (flags & O_ACCMODE) == O_WRONLY) return fd;
  }
  return -1;
}

TEST(HeldRead, AFailureThatClosesTheStoreEndsItAndSaysSo) {
  TestFolder folder;
  const auto store = made(folder);
  ASSERT_TRUE(put(*store, 0, 10, 'x').ok());
  auto held = hold(*store);
  const int root = root_descriptor(std::filesystem::canonical(folder.path()));
  ASSERT_GE(root, 0);
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(full, root), root);
  ASSERT_EQ(::close(full), 0);
  EXPECT_EQ(put(*store, 10, 1, 'y').code(), Code::storage_full);
  const Status ended = held->read([](const Transaction&) { return Status(); });
  EXPECT_EQ(ended.code(), Code::closed);
  EXPECT_NE(ended.message().find("failure"), std::string::npos) << ended.message();
  // Everything else goes on, and there can be another.
  EXPECT_EQ(store->environment().stats()->held, 0U);
  EXPECT_TRUE(put(*store, 10, 1, 'y').ok());
  EXPECT_EQ(contents(*hold(*store)).size(), 11U);
  held.reset();
  EXPECT_TRUE(store->environment().compact().ok());
}

TEST(HeldRead, ADamagedPageIsCorruptionEachTimeThatItIsMet) {
  TestFolder folder;
  const auto store = made(folder);
  ASSERT_TRUE(put(*store, 0, 50, 'x').ok());
  const auto held = hold(*store);
  // All pages but the two roots.
  const auto file = folder / "data.mdb";
  const std::size_t size = std::filesystem::file_size(file);
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  const std::string zeroes(size - 8192, '\0');
  ASSERT_EQ(::pwrite(fd, zeroes.data(), zeroes.size(), 8192), static_cast<ssize_t>(zeroes.size()));
  ASSERT_EQ(::close(fd), 0);
  for (int i = 0; i < 2; ++i) {
    const Status status =
        Store::read(*held, [](const Reading& reading) { return reading.counters(1).status(); });
    EXPECT_EQ(status.code(), Code::corruption) << status.message();
  }
}

TEST(HeldRead, ThreadsShareItBesideAGrowingMap) {
  TestFolder folder;
  const auto store = made(folder, {.map_bytes = 1 << 18});
  ASSERT_TRUE(put(*store, 0, 20, 'x').ok());
  const auto held = hold(*store);
  const std::map<Key, std::string> before = contents(*held);
  std::atomic<bool> stop{false};
  std::atomic<int> rounds{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      do {
        EXPECT_EQ(contents(*held), before);
        rounds.fetch_add(1);
      } while (!stop.load());
    });
  }
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(put(*store, 20 * i, 40, 'y').ok());
  while (rounds.load() < 3) std::this_thread::yield();
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(store->environment().stats()->grown, 2U);
}

}  // namespace
}  // namespace skerry::store

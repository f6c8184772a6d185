// no_memory_test.cc - does a call that finds no memory say so, and nothing worse?
//
// Contract: "disk full, map full, out of memory: storage_full / out_of_memory, nothing changed,
// reads go on, writes go on once there is room", and "nothing aborts across a door". What the C
// library does for a thread's first call is the hard part: it ends the program when it finds no
// memory to register a destructor. tests/torture/fault.cc refuses every request of many calls in
// turn.

#include <pthread.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <string_view>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/refusal.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

// A thread has room of its own for its first 32 keys. Those that come later need memory.
[[maybe_unused]] const bool keys_need_memory = [] {
  for (int i = 0; i < 32; ++i) {
    pthread_key_t key = {};
    if (::pthread_key_create(&key, nullptr) != 0) return false;
  }
  return true;
}();

constexpr std::array<float, 4> kVector = {1, 2, 3, 4};

TEST(NoMemory, AThreadsFirstReadsNeedNone) {
  const TempDir folder;
  Result<Database> database = Database::open(folder / "db");
  ASSERT_OK(database);
  Result<Collection> numbers = database->create("numbers", {.index = {.dimension = 4}});
  ASSERT_OK(numbers);
  Result<Collection> names =
      database->create("names", {.index = {.dimension = 4}, .byte_keys = true});
  ASSERT_OK(names);
  ASSERT_OK(numbers->upsert(7, kVector));
  ASSERT_OK(names->upsert("seven", kVector));
  std::array<Hit, 1> hits;
  std::array<NamedHit, 1> named_hits;
  ASSERT_OK(numbers->search(kVector, hits));
  ASSERT_OK(names->search(kVector, named_hits));

  std::thread([&] {
    std::array<float, 4> got = {};
    Refusal refusal;
    const Status read = numbers->get(7, got);
    const bool is_there = numbers->contains(7) && names->contains("seven");
    const Status searched = numbers->search(kVector, hits).status();
    const Status searched_names = names->search(kVector, named_hits).status();
    refusal.end();
    EXPECT_OK(read);
    EXPECT_EQ(got, kVector);
    EXPECT_TRUE(is_there);
    EXPECT_OK(searched);
    EXPECT_OK(searched_names);
    EXPECT_GT(refusal.refused(), 0U) << "nothing was asked for, so nothing was tested";
  }).join();
}

TEST(NoMemory, AReaderThatGotNoneKeepsWhatItReads) {
  Result<Index> index = Index::create({.dimension = 4});
  ASSERT_OK(index);
  for (Key key = 0; key < 10; ++key) ASSERT_OK(index->upsert(key, kVector));

  std::atomic<bool> is_inside{false};
  std::atomic<bool> may_leave{false};
  std::thread reader([&] {
    std::uint64_t visited = 0;
    const auto visit = [&](Key) {
      is_inside = true;
      is_inside.notify_all();
      may_leave.wait(false);
      return ++visited < 5;
    };
    Refusal refusal;
    const Status walked = index->for_each(visit);
    refusal.end();
    EXPECT_OK(walked);
    EXPECT_EQ(visited, 5U);
    EXPECT_GT(refusal.refused(), 0U) << "nothing was asked for, so nothing was tested";
  });
  is_inside.wait(false);
  const auto write = [&] {
    for (Key key = 0; key < 10; ++key) ASSERT_OK(index->upsert(key, kVector));
  };
  write();
  write();
  EXPECT_EQ(index->stats().tombstones, 20U) << "the reader may be at any of them";
  may_leave = true;
  may_leave.notify_all();
  reader.join();
  write();
  write();
  EXPECT_LT(index->stats().tombstones, 20U);
}

// Every request of the write that outgrows the scan is refused in turn, until it passes.
TEST(NoMemory, CodesThatCannotBeChosenYetAreChosenLater) {
  constexpr std::uint32_t kDimension = 96;
  constexpr std::size_t kRows = 60;
  std::vector<Key> keys;
  std::vector<float> rows;
  for (Key key = 0; key < kRows; ++key) {
    keys.push_back(key);
    for (std::uint32_t i = 0; i < kDimension; ++i) {
      rows.push_back(static_cast<float>((key + 1) * (i + 1) % 17));
    }
  }
  std::uint64_t told = 0;
  for (std::uint64_t nth = 1;; ++nth) {
    Result<Index> index = Index::create(
        {.dimension = kDimension, .codes = Codes::automatic, .M = 4, .flat_below = kRows / 2});
    ASSERT_OK(index);
    const std::span<const float> all(rows);
    const auto few = std::span<const Key>(keys).first(kRows / 2);
    const auto more = std::span<const Key>(keys).subspan(few.size());
    const MatrixView few_rows(all.first(few.size() * kDimension), kDimension);
    const MatrixView more_rows(all.subspan(few.size() * kDimension), kDimension);
    ASSERT_OK(index->insert(few, few_rows));
    ASSERT_EQ(index->stats().codes, Codes::exact);
    Refusal refusal(nth);
    const Status status = index->insert(more, more_rows);
    refusal.end();
    if (!status.ok()) {
      ++told;
      EXPECT_ERROR(status, Code::out_of_memory) << nth;
      EXPECT_EQ(index->size(), few.size()) << nth;
      EXPECT_OK(index->insert(more, more_rows)) << nth;
    }
    EXPECT_EQ(index->size(), kRows) << nth;
    EXPECT_NE(index->stats().codes, Codes::exact) << nth;
    EXPECT_OK(index->check()) << nth;
    std::array<Hit, 1> hits;
    for (std::size_t i = 0; i < kRows; ++i) {
      ASSERT_OK(index->search(all.subspan(i * kDimension, kDimension), hits)) << nth;
      EXPECT_EQ(hits[0].distance, 0) << nth << ": " << i;
    }
    if (refusal.refused() == 0) break;
  }
  EXPECT_GT(told, 4U) << "hardly anything was asked for";
}

// Every request of the opening is refused in turn, until it passes.
TEST(NoMemory, OpeningWithAThreadThatSyncsSaysSo) {
  const TempDir folder;
  const fs::path path = folder / "db";
  const DatabaseOptions options = {.durability = Durability::interval};
  ASSERT_OK(Database::open(path, options));
  for (std::uint64_t nth = 1;; ++nth) {
    Refusal refusal(nth);
    const Status status = Database::open(path, options).status();
    refusal.end();
    if (refusal.refused() == 0) {
      EXPECT_OK(status);
      break;
    }
    // What was asked for and could be done without is no error.
    EXPECT_TRUE(status.ok() || status.code() == Code::out_of_memory) << nth << status.message();
  }
}

// No folder of images that could not be read passes for one that is empty.
TEST(NoMemory, ImagesWithoutTheirStoreNeverBecomeANewDatabase) {
  const TempDir folder;
  fs::create_directory(folder / "images");
  write_file(folder / "images" / "1.image", "an image");
  for (std::uint64_t nth = 1;; ++nth) {
    Refusal refusal(nth);
    const Status status = Database::open(folder.path()).status();
    refusal.end();
    EXPECT_FALSE(fs::exists(folder / "store")) << nth;
    if (refusal.refused() == 0) {
      EXPECT_ERROR(status, Code::corruption);
      break;
    }
    EXPECT_TRUE(status.code() == Code::out_of_memory || status.code() == Code::corruption) << nth;
  }
}

}  // namespace
}  // namespace skerry::testing

#include "base/stable_memory.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "base/test_folder.h"

namespace skerry {
namespace {

TEST(StableMemory, GrowsWithoutMovingAndIsZero) {
  StableArray<std::uint32_t> array;
  ASSERT_TRUE(array.reserve(std::size_t{1} << 28).ok());
  ASSERT_TRUE(array.grow(10).ok());
  std::uint32_t* const first = array.data();
  array[0] = 42;
  ASSERT_TRUE(array.grow(5'000'000).ok());
  EXPECT_EQ(array.data(), first);
  EXPECT_EQ(array[0], 42U);
  EXPECT_EQ(array[4'999'999], 0U);
  EXPECT_GE(array.committed(), 5'000'000U);
}

TEST(StableMemory, RefusesToGrowBeyondItsReservation) {
  StableMemory memory;
  ASSERT_TRUE(memory.reserve(4096).ok());
  EXPECT_EQ(memory.grow(memory.reserved() + 1).code(), Code::out_of_memory);
  EXPECT_TRUE(memory.grow(memory.reserved()).ok());
}

TEST(StableMemory, SaysWhenThereIsNoAddressSpace) {
  StableMemory memory;
  EXPECT_EQ(memory.reserve(std::size_t{1} << 50).code(), Code::out_of_memory);
}

TEST(StableMemory, StartsAsAFileAndGoesOnBehindIt) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const char text[] = "from the file";
  ASSERT_EQ(std::fwrite(text, 1, sizeof(text), file), sizeof(text));
  ASSERT_EQ(std::fflush(file), 0);
  StableMemory memory;
  ASSERT_TRUE(memory.reserve(1 << 20).ok());
  ASSERT_TRUE(memory.map_file(fileno(file), 0, sizeof(text), true).ok());
  ASSERT_TRUE(memory.grow(100'000).ok());
  EXPECT_STREQ(reinterpret_cast<const char*>(memory.base()), text);
  memory.base()[0] = std::byte{'F'};  // a private copy: the file keeps its own
  memory.base()[99'999] = std::byte{1};
  char again[sizeof(text)];
  ASSERT_EQ(std::fseek(file, 0, SEEK_SET), 0);
  ASSERT_EQ(std::fread(again, 1, sizeof(again), file), sizeof(again));
  EXPECT_STREQ(again, text);
  std::fclose(file);
}

TEST(StableMemory, ASmallOneIsZeroAndStaysWhereItIs) {
  for (int turn = 0; turn < 3; ++turn) {  // the heap gives again what was used before
    StableArray<std::uint32_t> array;
    ASSERT_TRUE(array.reserve(1000).ok());
    ASSERT_TRUE(array.grow(3).ok());
    std::uint32_t* const first = array.data();
    for (std::size_t i = 0; i < 1000; ++i) {
      ASSERT_TRUE(array.grow(i + 1).ok());
      ASSERT_EQ(array[i], 0U);
      array[i] = 7;
    }
    EXPECT_EQ(array.data(), first);
    EXPECT_EQ(array.grow(2000).code(), Code::out_of_memory);
  }
}

TEST(StableMemory, ASmallOneMayStartAsAFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fputs("from the file", file), 1);
  ASSERT_EQ(std::fflush(file), 0);
  StableMemory memory;
  ASSERT_TRUE(memory.reserve(100).ok());
  EXPECT_EQ(memory.map_file(fileno(file), 0, 1000, true).code(), Code::out_of_memory);
  ASSERT_TRUE(memory.map_file(fileno(file), 0, 14, true).ok());
  EXPECT_STREQ(reinterpret_cast<const char*>(memory.base()), "from the file");
  std::fclose(file);
}

// -- vectors on a disk ----------------------------------------------------------------------------

constexpr std::size_t kPage = 4096;
constexpr std::size_t kChunk = std::size_t{256} << 10;

ScratchFile scratch_in(const TestFolder& folder) {
  Result<ScratchFile> file = ScratchFile::create(folder.path());
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.ok() ? std::move(*file) : ScratchFile();
}

TEST(StableMemory, AScratchFileGrowsWithoutMovingAndIsZero) {
  const TestFolder folder;
  StableMemory memory;
  ASSERT_TRUE(memory.reserve(std::size_t{1} << 30, scratch_in(folder)).ok());
  EXPECT_TRUE(memory.has_scratch());
  ASSERT_TRUE(memory.grow(10).ok());
  std::byte* const first = memory.base();
  first[0] = std::byte{42};
  ASSERT_TRUE(memory.grow(20'000'000).ok());
  EXPECT_EQ(memory.base(), first);
  EXPECT_EQ(first[0], std::byte{42});
  EXPECT_EQ(first[19'999'999], std::byte{0});
  first[19'999'999] = std::byte{1};
  EXPECT_EQ(memory.scratch_bytes(), memory.committed());
  EXPECT_TRUE(memory.kept_chunks(0, 20'000'000).empty());
  EXPECT_EQ(memory.grow(memory.reserved() + 1).code(), Code::out_of_memory);
}

// The pages of a mapped file go to the scratch file chunk by chunk, and stay what they are.
TEST(StableMemory, AMappedFileIsLeftBeforeItIsWrittenTo) {
  constexpr std::size_t kBytes = 3 * kChunk + 5 * kPage;
  const TestFolder folder;
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  std::vector<std::byte> image(kBytes);
  for (std::size_t i = 0; i < kBytes; ++i) image[i] = static_cast<std::byte>(i / 7 % 255);
  ASSERT_EQ(std::fwrite(image.data(), 1, kBytes, file), kBytes);
  ASSERT_EQ(std::fflush(file), 0);

  StableMemory memory;
  ASSERT_TRUE(memory.reserve(std::size_t{64} << 20, scratch_in(folder)).ok());
  ASSERT_TRUE(memory.map_file(fileno(file), 0, kBytes, true).ok());
  EXPECT_EQ(memory.scratch_bytes(), 0U);
  ASSERT_TRUE(memory.grow(kBytes + 100).ok());
  const std::size_t grown = memory.scratch_bytes();
  EXPECT_EQ(grown, memory.committed() - kBytes);

  // Across the edge of two chunks.
  const StableMemory::Range two = memory.kept_chunks(kChunk - 3, 10);
  EXPECT_EQ(two.begin, 0U);
  EXPECT_EQ(two.end, 2 * kChunk);
  ASSERT_TRUE(memory.make_writable(two).ok());
  EXPECT_EQ(memory.scratch_bytes(), grown + 2 * kChunk);
  EXPECT_EQ(std::memcmp(memory.base(), image.data(), kBytes), 0);
  EXPECT_TRUE(memory.kept_chunks(kChunk - 3, 10).empty());
  std::memset(memory.base() + kChunk - 3, 0xFF, 10);
  std::memset(image.data() + kChunk - 3, 0xFF, 10);

  // From one that was left into one that was not; the last, which is short.
  const StableMemory::Range third = memory.kept_chunks(2 * kChunk - 1, 2);
  EXPECT_EQ(third.begin, 2 * kChunk);
  EXPECT_EQ(third.end, 3 * kChunk);
  const StableMemory::Range last = memory.kept_chunks(kBytes - 1, 100);
  EXPECT_EQ(last.begin, 3 * kChunk);
  EXPECT_EQ(last.end, kBytes);
  EXPECT_TRUE(memory.kept_chunks(kBytes, 100).empty());
  ASSERT_TRUE(memory.make_writable(last).ok());
  EXPECT_EQ(memory.scratch_bytes(), grown + 2 * kChunk + 5 * kPage);
  EXPECT_EQ(std::memcmp(memory.base(), image.data(), kBytes), 0);

  // The file has kept its own.
  std::byte there = {};
  ASSERT_EQ(::pread(fileno(file), &there, 1, kChunk), 1);
  EXPECT_EQ(there, static_cast<std::byte>(kChunk / 7 % 255));
  std::fclose(file);
}

TEST(StableMemory, ReadersGoOnWhileAMappedFileIsLeft) {
  constexpr std::size_t kBytes = 16 * kChunk;
  const TestFolder folder;
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const std::vector<std::byte> image(kBytes, std::byte{7});
  ASSERT_EQ(std::fwrite(image.data(), 1, kBytes, file), kBytes);
  ASSERT_EQ(std::fflush(file), 0);
  StableMemory memory;
  ASSERT_TRUE(memory.reserve(std::size_t{64} << 20, scratch_in(folder)).ok());
  ASSERT_TRUE(memory.map_file(fileno(file), 0, kBytes, true).ok());
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> others{0};
  std::thread reader([&] {
    do {
      for (std::size_t at = 0; at < kBytes; at += kPage / 2) {
        others += memory.base()[at] == std::byte{7} ? 0 : 1;
      }
    } while (!is_over);
  });
  for (std::size_t at = 0; at < kBytes; at += kChunk) {
    EXPECT_TRUE(memory.make_writable(memory.kept_chunks(at, 1)).ok());
  }
  is_over = true;
  reader.join();
  EXPECT_EQ(others, 0U);
  EXPECT_EQ(memory.scratch_bytes(), kBytes);
  std::fclose(file);
}

}  // namespace
}  // namespace skerry

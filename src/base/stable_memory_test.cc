#include "base/stable_memory.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

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

}  // namespace
}  // namespace skerry

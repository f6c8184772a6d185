#include "base/read_ahead.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/scratch_file.h"
#include "base/stable_memory.h"
#include "base/test_folder.h"

namespace skerry {
namespace {

// Whether it asks is up to the clock: what is read is the same.
TEST(ReadAhead, RowsAreReadOnceAndAreWhatTheyWere) {
  constexpr std::size_t kStride = 1000;
  const TestFolder folder;
  Result<ScratchFile> file = ScratchFile::create(folder.path());
  ASSERT_TRUE(file.ok());
  StableMemory memory;
  ASSERT_TRUE(memory.reserve(1 << 20, std::move(*file)).ok());
  ASSERT_TRUE(memory.grow(1000 * kStride).ok());
  for (std::size_t row = 0; row < 1000; ++row) {
    memory.base()[row * kStride] = static_cast<std::byte>(row % 251);
  }
  ReadAhead ahead;
  EXPECT_FALSE(ahead.has_begun());
  ahead.begin(memory.base(), kStride);
  EXPECT_TRUE(ahead.has_begun());
  const std::array<std::uint32_t, 10> rows = {0, 1, 2, 500, 999, 998, 3, 5, 6, 77};
  int readings = 0;
  for (int turn = 0; turn < 200; ++turn) {
    ahead.ask(rows.size(), [&](std::size_t i) { return rows[i]; });
    ahead.around(rows.data(), rows.size(), [&] {
      ++readings;
      for (const std::uint32_t row : rows) {
        EXPECT_EQ(memory.base()[row * kStride], static_cast<std::byte>(row % 251));
      }
      // Now and then it takes as long as a disk.
      for (std::atomic<int> steps{turn % 50 == 0 ? 50'000 : 0}; steps > 0; --steps) {
      }
    });
  }
  EXPECT_EQ(readings, 200);
}

}  // namespace
}  // namespace skerry

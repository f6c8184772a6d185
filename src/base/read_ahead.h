// read_ahead.h - rows on a disk are asked for together, before the first of them is read.
//
// Whoever reads rows of a mapped file one after the other waits for the disk once a row; asked for
// first, they come beside each other. But to ask is a system call a row, 0.3 us or so, which is
// more than to read one that is in memory. So the readings are timed, 50 ns each, and rows are
// asked for as long as a reading not long ago took what a disk takes.
//
// Threads: begin() before anybody else knows of it; the rest from any thread at once. What is
// remembered of the last readings is racy by design: at worst some rows are asked for in vain, or
// waited for one by one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace skerry {

class ReadAhead {
 public:
  // Rows of `stride` bytes, in a mapping that begins at `base`.
  void begin(const std::byte* base, std::size_t stride) noexcept {
    base_ = base;
    stride_ = stride;
  }
  bool has_begun() const noexcept { return base_ != nullptr; }

  // Asks for rows row_of(0) to row_of(count - 1), if that is worth it now.
  template <class RowOf>
  void ask(std::size_t count, RowOf row_of) const noexcept {
    if (asking_.load(std::memory_order_relaxed) == 0) return;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t row = row_of(i);
      ask_for(&row, 1);
    }
  }

  // Asks for the rows, if that is worth it now, and calls read(), which reads them. A few are not
  // worth a look at the clock.
  template <class Read>
  void around(const std::uint32_t* rows, std::size_t count, Read read) noexcept {
    if (count < kFew) return read();
    const std::uint32_t asking = asking_.load(std::memory_order_relaxed);
    if (asking != 0) ask_for(rows, count);
    const auto begin = std::chrono::steady_clock::now();
    read();
    const auto spent = std::chrono::steady_clock::now() - begin;
    if (spent > kOfDisk + count * kOfRow) {
      if (asking != kReadings) asking_.store(kReadings, std::memory_order_relaxed);
    } else if (asking != 0) {
      asking_.store(asking - 1, std::memory_order_relaxed);
    }
  }

 private:
  // A reading that takes longer than this has waited for a disk, more than once where disks are
  // fast: to ask for a single row gains nothing. A row of which the kernel has the pages, but not
  // this process yet, and whose checksum is still to be compared, takes 3 us.
  static constexpr std::chrono::nanoseconds kOfDisk{100'000};
  static constexpr std::chrono::nanoseconds kOfRow{3'000};
  static constexpr std::size_t kFew = 8;
  static constexpr std::uint32_t kReadings = 32;  // that ask after such a one

  void ask_for(const std::uint32_t* rows, std::size_t count) const noexcept;

  // Set by begin().
  const std::byte* base_ = nullptr;
  std::size_t stride_ = 0;

  std::atomic<std::uint32_t> asking_{0};  // readings that ask still
};

}  // namespace skerry

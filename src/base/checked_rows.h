// checked_rows.h - are these rows of a mapped file still as they were written?
//
// A file too large to be read before the first question is looked at where it is touched: a block
// of 4 KB is compared with its checksum when the first of its rows is wanted, and a bit remembers
// it. A block that fails is mended row by row, by whoever knows what the rows ought to be, or
// admits nobody. When every block was looked at there is nothing left to ask: is_done().
//
//     rows    |  row 0  |  row 1  |  row 2  | ...          of one stride
//     blocks  |   block 0    |   block 1    |   ...        a bit and a checksum each
//
// Threads: everything from any thread. A block is looked at under one of 64 mutexes, held for the
// checksum of 4 KB, or for the mending; a row that was admitted is read with no lock.
// Cost: a look at one or two bits a row; about a microsecond a block, once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class CheckedRows {
 public:
  static constexpr std::size_t kBlock = 4096;

  enum class Look : std::uint8_t {
    whole,  // as written, or mended
    later,  // fails, and cannot be mended in this moment
    lost,   // fails, and nobody can mend it
  };

  // Makes one row of a failing block again.
  struct Mender {
    enum class Answer : std::uint8_t {
      made,   // `out` is the row
      leave,  // nobody reads the row before it is written anew
      later,
      lost,
    };
    Answer (*make)(void* context, std::uint32_t row, std::byte* out) = nullptr;
    void* context = nullptr;
    std::atomic<std::uint64_t>* mended = nullptr;  // blocks; counted before one is admitted
  };

  // Blocks that `bytes` make.
  static constexpr std::size_t blocks_of(std::uint64_t bytes) noexcept {
    return static_cast<std::size_t>((bytes + kBlock - 1) / kBlock);
  }

  // Begins with `bytes` at `base`, rows of `stride`, and the checksum of each block, which must
  // outlive this. Once, before anybody else knows of it. out_of_memory.
  Status begin(std::byte* base, std::size_t bytes, std::size_t stride, const std::uint32_t* sums,
               Mender mender);

  // Nothing is left to be looked at: what follows need not be asked.
  bool is_done() const noexcept { return left_.load(std::memory_order_acquire) == 0; }

  // Looks at whatever was not looked at yet under these rows. False: at least one may not be read,
  // and this thread's trouble() tells why.
  bool admit(const std::uint32_t* rows, std::size_t count) noexcept {
    bool admitted = true;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = rows[i] * stride_;
      if (at >= bytes_) continue;  // written after the file was
      for (std::size_t block = at / kBlock; block <= (at + stride_ - 1) / kBlock; ++block) {
        if (!is_whole(block) && look(block) != Look::whole) admitted = false;
      }
    }
    return admitted;
  }

  // The blocks by themselves: for whoever goes over all of them.
  std::size_t block_count() const noexcept { return blocks_of(bytes_); }
  Look look(std::size_t block) noexcept;

  // The worst that a look of this thread told since it was last set.
  static Look trouble() noexcept;
  static void set_trouble(Look worst) noexcept;

 private:
  static constexpr std::size_t kLocks = 64;

  bool is_whole(std::size_t block) const noexcept {
    return (whole_[block / 64].load(std::memory_order_acquire) >> block % 64 & 1) != 0;
  }
  Look look_locked(std::size_t block) noexcept;
  Look mend(std::size_t block) noexcept;

  // Set by begin().
  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t stride_ = 0;
  const std::uint32_t* sums_ = nullptr;
  Mender mender_;

  std::unique_ptr<std::atomic<std::uint64_t>[]> whole_;  // a bit a block; set under its mutex
  std::unique_ptr<std::mutex[]> locks_;
  std::atomic<std::size_t> left_{0};  // blocks whose bit is not set
};

}  // namespace skerry

#include "base/checked_rows.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <span>

#include "base/crc32c.h"

namespace skerry {
namespace {

thread_local CheckedRows::Look t_trouble = CheckedRows::Look::whole;

}  // namespace

CheckedRows::Look CheckedRows::trouble() noexcept {
  return t_trouble;
}
void CheckedRows::set_trouble(Look worst) noexcept {
  t_trouble = worst;
}

Status CheckedRows::begin(std::byte* base, std::size_t bytes, std::size_t stride,
                          const std::uint32_t* sums, Mender mender) {
  const std::size_t blocks = blocks_of(bytes);
  whole_.reset(new (std::nothrow) std::atomic<std::uint64_t>[(blocks + 63) / 64] {});
  locks_.reset(new (std::nothrow) std::mutex[kLocks]);
  if (whole_ == nullptr || locks_ == nullptr) {
    return Status(Code::out_of_memory, "no memory to check the image");
  }
  base_ = base;
  bytes_ = bytes;
  stride_ = stride;
  sums_ = sums;
  mender_ = mender;
  left_.store(blocks, std::memory_order_release);
  return {};
}

CheckedRows::Look CheckedRows::look(std::size_t block) noexcept {
  Look found = Look::whole;
  {
    std::lock_guard lock(locks_[block % kLocks]);
    found = look_locked(block);
  }
  t_trouble = std::max(t_trouble, found);
  return found;
}

CheckedRows::Look CheckedRows::look_locked(std::size_t block) noexcept {
  if (is_whole(block)) return Look::whole;  // somebody was faster
  const std::size_t at = block * kBlock;
  const std::size_t size = std::min(kBlock, bytes_ - at);
  if (crc32c(std::span<const std::byte>(base_ + at, size)) != sums_[block]) {
    if (const Look mended = mend(block); mended != Look::whole) return mended;
  }
  whole_[block / 64].fetch_or(std::uint64_t{1} << block % 64, std::memory_order_release);
  left_.fetch_sub(1, std::memory_order_release);
  return Look::whole;
}

// Only the bytes of this block are written: the rest of a row at its edge belongs to a neighbour,
// which may have been admitted, and read, long ago.
CheckedRows::Look CheckedRows::mend(std::size_t block) noexcept {
  if (mender_.make == nullptr) return Look::lost;
  const std::unique_ptr<std::byte[]> row(new (std::nothrow) std::byte[stride_]);
  if (row == nullptr) return Look::later;
  const std::size_t begin = block * kBlock;
  const std::size_t limit = std::min(begin + kBlock, bytes_);
  for (std::size_t i = begin / stride_; i * stride_ < limit; ++i) {
    std::memset(row.get(), 0, stride_);
    switch (mender_.make(mender_.context, static_cast<std::uint32_t>(i), row.get())) {
      case Mender::Answer::made:
        break;
      case Mender::Answer::leave:
        continue;
      case Mender::Answer::later:
        return Look::later;
      case Mender::Answer::lost:
        return Look::lost;
    }
    const std::size_t from = std::max(begin, i * stride_);
    const std::size_t to = std::min(limit, (i + 1) * stride_);
    std::memcpy(base_ + from, row.get() + (from - i * stride_), to - from);
  }
  mender_.mended->fetch_add(1, std::memory_order_release);
  return Look::whole;
}

}  // namespace skerry

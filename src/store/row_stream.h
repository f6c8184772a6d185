// row_stream.h - rows out of the pages of a heap, some of which are missing.
//
// Pages come in the order of their numbers. Where one is missing, so are the rows that lie on it,
// wholly or in part; the next row is found again, as a row's place follows from its number:
//
//   page 0                 (page 1 is lost)       page 2
//   [row 0   ][row 1   ][ro|                      |4  ][row 5   ]
//    given     given     - - - lost - - - - - - - - - - given
//
// A row is given when its checksum is right, or is right again when one bit is turned back.
//
// Threads: one.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "skerry/status.h"
#include "store/heap.h"
#include "store/schema.h"

namespace skerry::store {

class RowStream {
 public:
  // Begins at row 0. Rows from `limit` on mean nothing.
  void begin(const HeapShape& shape, std::uint64_t limit) {
    shape_ = shape;
    limit_ = limit;
    reached_ = 0;
    row_.clear();
  }

  // Rows that the page completes: visit(number, key, vector, whether it was mended), a Status.
  template <class Visit>
  Status page(std::uint64_t number, Bytes bytes, Visit visit) {
    constexpr std::uint64_t kPagesMax = std::uint64_t{1} << 40;
    if (bytes.size() != shape_.page_bytes || number >= kPagesMax) return Status();
    const std::uint64_t begin = number * shape_.page_bytes;
    if (begin < reached_) return Status();
    if (begin > reached_) row_.clear();
    reached_ = begin + bytes.size();
    const std::size_t size = row_bytes(shape_);
    if (row_.empty() && begin % size != 0) {
      bytes = bytes.subspan(std::min<std::size_t>(size - begin % size, bytes.size()));
    }
    while (!bytes.empty()) {
      const Bytes part = bytes.first(std::min(size - row_.size(), bytes.size()));
      row_.insert(row_.end(), part.begin(), part.end());
      bytes = bytes.subspan(part.size());
      if (row_.size() < size) break;
      const std::uint64_t row = (reached_ - bytes.size()) / size - 1;
      const bool was_whole = is_whole_row(row_);
      Status status;
      if (row < limit_ && (was_whole || mend())) {
        status = visit(row, row_key(row_), Bytes(row_).subspan(kRowHeadBytes), !was_whole);
      }
      row_.clear();
      if (!status.ok()) return status;
    }
    return Status();
  }

 private:
  // Turns the one bit back that has turned over. False: there is none such.
  bool mend() {
    constexpr std::size_t kMendedBytesMax = 8192;
    const std::uint32_t difference = get_le<std::uint32_t>(row_.data() + kRowSumAt) ^ row_sum(row_);
    if (std::has_single_bit(difference)) return true;  // the checksum's own
    const std::size_t summed = kRowSumAt + shape_.vector_bytes;
    if (summed > kMendedBytesMax) return false;
    const std::optional<std::uint64_t> bit = turned_bit(summed, difference);
    if (!bit) return false;
    const std::size_t byte = *bit / 8 < kRowSumAt ? *bit / 8 : *bit / 8 + kSumBytes;
    row_[byte] ^= static_cast<std::byte>(1U << *bit % 8);
    return true;
  }

  HeapShape shape_;
  std::uint64_t limit_ = 0;
  std::uint64_t reached_ = 0;   // byte of the heap: pages before it have been here
  std::vector<std::byte> row_;  // the beginning of a row that goes on on the next page
};

}  // namespace skerry::store

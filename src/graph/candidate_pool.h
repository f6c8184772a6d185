// candidate_pool.h - the beam: the ef nearest nodes met so far, nearest first.
//
// A sorted array. An offer that is not nearer than the last is refused at the cost of one
// comparison, which is what happens most; the others are placed by binary search and a memmove of
// at most 8 ef bytes. For ef up to some hundreds this beats a heap, and the nearest node that was
// not expanded yet is found by a cursor that only moves forward.
//
//     | near ... expanded ... | cursor: first not expanded | ... far |
//
// Distances that are NaN (sums that overflowed) count as infinite, so that the order is total.
//
// Threads: one search at a time owns it.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "base/buffer.h"
#include "graph/links.h"
#include "skerry/status.h"

namespace skerry {

struct Candidate {
  float distance;
  Slot slot;

  // Nearest first, ties by slot.
  friend bool operator<(const Candidate& a, const Candidate& b) noexcept {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  }
};

class CandidatePool {
 public:
  // Empties the pool and lets it hold `ef`. The only call that may allocate.
  Status begin(std::size_t ef) {
    size_ = cursor_ = 0;
    ef_ = ef;
    return entries_.reserve(ef + 1);
  }

  // The distance that an offer must beat.
  float bar() const noexcept {
    return size_ < ef_ ? std::numeric_limits<float>::infinity() : entries_[size_ - 1].distance;
  }
  bool full() const noexcept { return size_ == ef_; }

  void offer(float distance, Slot slot) noexcept {
    if (size_ == ef_) {
      if (!(distance < entries_[size_ - 1].distance)) return;
      --size_;
    } else if (distance != distance) {
      distance = std::numeric_limits<float>::infinity();
    }
    std::size_t low = 0;
    std::size_t length = size_;
    while (length > 0) {
      const std::size_t half = length / 2;
      const bool right = !(distance < entries_[low + half].distance);
      low = right ? low + half + 1 : low;
      length = right ? length - half - 1 : half;
    }
    std::memmove(&entries_[low + 1], &entries_[low], (size_ - low) * sizeof(Candidate));
    entries_[low] = Candidate{distance, slot};
    ++size_;
    if (low < cursor_) cursor_ = low;
  }

  // The nearest node that was not expanded, and marks it; kNoSlot when there is none.
  Slot expand() noexcept {
    while (cursor_ < size_) {
      Candidate& next = entries_[cursor_++];
      if ((next.slot & kExpanded) == 0) {
        const Slot slot = next.slot;
        next.slot |= kExpanded;
        return slot;
      }
    }
    return kNoSlot;
  }

  // The distance of the node that expand() would return; infinity when there is none.
  float next_distance() noexcept {
    while (cursor_ < size_ && (entries_[cursor_].slot & kExpanded) != 0) ++cursor_;
    return cursor_ < size_ ? entries_[cursor_].distance : std::numeric_limits<float>::infinity();
  }

  // The node that expand() would most likely return next, for a prefetch.
  Slot peek() const noexcept { return cursor_ < size_ ? slot(cursor_) : kNoSlot; }

  std::size_t size() const noexcept { return size_; }
  float distance(std::size_t i) const noexcept { return entries_[i].distance; }
  Slot slot(std::size_t i) const noexcept { return entries_[i].slot & ~kExpanded; }

 private:
  static constexpr Slot kExpanded = 0x80000000;

  Buffer<Candidate> entries_;  // [0, size_) ascending by distance
  std::size_t size_ = 0;
  std::size_t ef_ = 0;
  std::size_t cursor_ = 0;  // everything before it is expanded
};

}  // namespace skerry

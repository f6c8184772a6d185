// candidate_pool.h - the beam: the ef nearest nodes met so far, nearest first.
//
// A sorted array. An offer that is not nearer than the last is refused at the cost of one
// comparison, which is what happens most; the others are placed by binary search and a memmove of
// at most 8 ef bytes. For ef up to some hundreds this beats a heap, and the nearest node that was
// not expanded yet is found by a cursor that only moves forward.
//
//     | near ... expanded ... | cursor: first not expanded | ... far |
//
// A pool may have a reach: nothing farther than `stretch` times its `anchor`-th is taken in or
// handed out to be expanded, once it holds so many.
//
// Distances that are NaN (sums that overflowed) count as infinite, so that the order is total.
//
// Threads: one search at a time owns it.
#pragma once

#include <algorithm>
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
    size_ = cursor_ = anchor_ = 0;
    reach_ = std::numeric_limits<float>::infinity();
    ef_ = ef;
    return entries_.reserve(ef + 1);
  }

  // Would an offer of that distance change anything?
  bool wants(float distance) const noexcept {
    return !(distance > reach_) && (size_ < ef_ || distance < entries_[size_ - 1].distance);
  }
  bool full() const noexcept { return size_ == ef_; }

  // Of an empty pool. anchor: 1 .. ef. Distances below zero are codes' errors and do not stretch.
  void limit_reach(std::size_t anchor, float stretch) noexcept {
    anchor_ = anchor;
    stretch_ = stretch;
  }
  // Does it hold its anchor?
  bool has_reach() const noexcept { return anchor_ != 0 && size_ >= anchor_; }

  // Nothing farther is looked for: the last of a full pool, or the end of its reach.
  float bar() const noexcept {
    return size_ < ef_ ? reach_ : std::min(reach_, entries_[size_ - 1].distance);
  }

  // True when it was taken in.
  bool offer(float distance, Slot slot) noexcept {
    if (distance > reach_) return false;
    if (size_ == ef_) {
      if (!(distance < entries_[size_ - 1].distance)) return false;
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
    if (low < anchor_ && size_ >= anchor_) {
      const float anchor = entries_[anchor_ - 1].distance;
      reach_ = anchor > 0 ? anchor * stretch_ : anchor;
    }
    return true;
  }

  // The nearest node that was not expanded, and marks it; kNoSlot when there is none.
  Candidate expand() noexcept {
    for (; cursor_ < size_ && entries_[cursor_].distance <= reach_; ++cursor_) {
      Candidate& next = entries_[cursor_];
      if ((next.slot & kExpanded) == 0) {
        const Candidate found = next;
        next.slot |= kExpanded;
        ++cursor_;
        return found;
      }
    }
    return Candidate{std::numeric_limits<float>::infinity(), kNoSlot};
  }

  // The distance of the node that expand() would return; infinity when there is none.
  float next_distance() noexcept {
    while (cursor_ < size_ && (entries_[cursor_].slot & kExpanded) != 0) ++cursor_;
    return cursor_ < size_ ? entries_[cursor_].distance : std::numeric_limits<float>::infinity();
  }

  // So many of the nearest have been expanded, once next_distance() was asked.
  std::size_t asked() const noexcept { return cursor_; }

  std::size_t size() const noexcept { return size_; }
  float distance(std::size_t i) const noexcept { return entries_[i].distance; }
  Slot slot(std::size_t i) const noexcept { return entries_[i].slot & ~kExpanded; }

 private:
  static constexpr Slot kExpanded = 0x80000000;

  Buffer<Candidate> entries_;  // [0, size_) ascending by distance
  std::size_t size_ = 0;
  std::size_t ef_ = 0;
  std::size_t cursor_ = 0;  // everything before it is expanded
  std::size_t anchor_ = 0;  // 0: no reach
  float stretch_ = 0;
  float reach_ = std::numeric_limits<float>::infinity();
};

}  // namespace skerry

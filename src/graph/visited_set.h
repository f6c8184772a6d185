// visited_set.h - which nodes has this search already met?
//
// A byte per slot holds the number of the search that last met it, so a new search forgets
// everything by adding one to its number. Every 255 searches the bytes are cleared: at 10 million
// slots that is 10 MB, a millisecond or so, once in 255.
//
// Threads: one search at a time owns it (it lives in a Searcher).
// Cost: meet() is one byte of memory traffic; begin() is O(1), amortised.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "base/buffer.h"
#include "graph/links.h"
#include "skerry/status.h"

namespace skerry {

class VisitedSet {
 public:
  // Makes room for slots below `slots` and forgets everything. The only call that may allocate.
  Status begin(std::size_t slots) {
    if (slots > marks_.size()) {
      if (Status status = marks_.reserve(slots); !status.ok()) return status;
      now_ = 255;
    }
    limit_ = static_cast<Slot>(slots);
    if (++now_ == 0) {
      std::memset(marks_.data(), 0, marks_.size());
      now_ = 1;
    }
    return {};
  }

  // True the first time a slot is met since begin(). A slot at or beyond the limit was made after
  // the search began: it is not for this search, so it counts as met.
  bool meet(Slot slot) noexcept {
    if (slot >= limit_) return false;
    std::uint8_t& mark = marks_[slot];
    const bool first = mark != now_;
    mark = now_;
    return first;
  }

  // Meets all of `slots`; those met for the first time go to `out`, in their order. Returns how
  // many.
  std::size_t meet_all(std::span<const Slot> slots, Slot* out) noexcept {
    // A store to a byte may change anything: what stands in locals need not be loaded again.
    std::uint8_t* const marks = marks_.data();
    const std::uint8_t now = now_;
    const Slot limit = limit_;
    std::size_t count = 0;
    for (const Slot slot : slots) {
      if (slot >= limit) continue;
      out[count] = slot;
      count += marks[slot] != now ? 1 : 0;
      marks[slot] = now;
    }
    return count;
  }

  bool is_met(Slot slot) const noexcept { return slot < limit_ && marks_[slot] == now_; }

 private:
  Buffer<std::uint8_t> marks_;  // marks_[s] == now_  <=>  s was met
  std::uint8_t now_ = 0;        // 0 is "never", so it is skipped
  Slot limit_ = 0;
};

}  // namespace skerry

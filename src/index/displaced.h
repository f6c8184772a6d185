// displaced.h - whom may a walk have missed, because a list was chosen again as it came by?
//
// A list is rewritten word by word, and who loses his place in it is held by somebody else only
// afterwards (hold.cc). A walk that reads it meanwhile may meet neither. Of a node with many
// in-links it meets another; one with few is noted here before the list changes, and a search looks
// at those noted since it began, or not yet settled then, beside its walk: most often none, or a
// few who were met anyway.
//
//     | 5 | 9 | 2 | 7 | 3 |              | settled_: before it, everybody is held again
//             ^ settled_  ^ added_
//
// Worst outcome: more are noted while a search goes on than the ring holds, and one who was missed
// stays missed by that search.
//
// Threads: reserve() under the writer lock, note() and settle() under what lets links be changed;
// the rest from any thread.
// Memory: 4 KB, of an index that has a graph or is about to.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>

#include "graph/links.h"
#include "skerry/status.h"

namespace skerry {

class Displaced {
 public:
  static constexpr std::uint64_t kKept = 1024;

  // Before the first note(). The only call that may fail.
  Status reserve() {
    if (slots_ != nullptr) return {};
    slots_.reset(new (std::nothrow) std::atomic<Slot>[kKept]);
    return slots_ != nullptr ? Status() : Status(Code::out_of_memory, "no memory for the index");
  }

  // Before a link to it goes, or moves.
  void note(Slot slot) noexcept {
    if (slots_ == nullptr) return;
    const std::uint64_t at = added_.load(std::memory_order_relaxed);
    slots_[at % kKept].store(slot, std::memory_order_release);
    added_.store(at + 1, std::memory_order_release);
  }
  // Everybody noted so far is held again.
  void settle() noexcept {
    settled_.store(added_.load(std::memory_order_relaxed), std::memory_order_release);
  }

  // Before a walk begins.
  std::uint64_t begin() const noexcept { return settled_.load(std::memory_order_acquire); }
  // After it: calls visit(slot) for those noted from `begin` on, the last first.
  template <class Visit>
  void each_since(std::uint64_t begin, Visit visit) const {
    const std::uint64_t added = added_.load(std::memory_order_acquire);
    for (std::uint64_t at = added; at-- > begin && added - at <= kKept;) {
      visit(slots_[at % kKept].load(std::memory_order_acquire));
    }
  }

 private:
  std::unique_ptr<std::atomic<Slot>[]> slots_;  // set before `added_` rises for the first time
  std::atomic<std::uint64_t> added_ = 0;        // in all
  std::atomic<std::uint64_t> settled_ = 0;
};

}  // namespace skerry

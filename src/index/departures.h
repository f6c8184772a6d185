// departures.h - whom may a walk have missed, because he left the graph while it was under way?
//
// A search of number S sees every slot that died after S, however long ago that is when its walk
// comes by. But the graph does not wait for it: once a death is shown, lists that are chosen again
// let go of the dead, and who is taken out has soon no link left. So who dies is noted here before
// the first of his links goes, and a search looks at those noted since its number, beside its walk,
// as it looks at the backlog: most often none, or a few.
//
//     | 71 slot 5 | 71 slot 9 | 72 slot 2 | 75 slot 7 |         numbers rise: it reads from the end
//                                                     ^ added_
//
// It is a ring. A search beside which more die than it holds is told so, and scans.
//
// Why nobody is missed: a walk that met a list after a link to him had gone has read a word that
// was written after he was noted, so it sees him noted.
//
// Threads: reserve() and add() under the writer lock; each_since() from any thread.
// Memory: 64 KB, of an index that has a graph or is about to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/schedule.h"
#include "graph/links.h"
#include "skerry/status.h"

namespace skerry {

class Departures {
 public:
  static constexpr std::uint64_t kKept = 4096;

  // Before the first add() that matters. The only call that may fail.
  Status reserve() {
    if (entries_ != nullptr) return {};
    entries_.reset(new (std::nothrow) Entry[kKept]);
    return entries_ != nullptr ? Status() : Status(Code::out_of_memory, "no memory for the index");
  }

  // `slot` dies as of `died`, which is no less than any before. Before any link to it goes, and
  // before that number is visible. Without a graph there is nothing to note.
  void add(Slot slot, std::uint64_t died) noexcept {
    if (entries_ == nullptr) return;
    const std::uint64_t at = added_.load(std::memory_order_relaxed);
    // Release: who meets the new words knows that `at` were added, and so that the old ones went.
    schedule_point("departures: add");
    entries_[at % kKept].died.store(died, std::memory_order_release);
    entries_[at % kKept].slot.store(slot, std::memory_order_release);
    added_.store(at + 1, std::memory_order_release);
  }

  // Calls visit(slot) for whoever died after `sequence`. False: those of them that are still known.
  template <class Visit>
  bool each_since(std::uint64_t sequence, Visit visit) const {
    if (is_broken_by(Fault::departed_are_not_seen)) return true;
    schedule_point("departures: look");
    for (std::uint64_t at = added_.load(std::memory_order_acquire); at-- > 0;) {
      const Entry& entry = entries_[at % kKept];
      const std::uint64_t died = entry.died.load(std::memory_order_acquire);
      const Slot slot = entry.slot.load(std::memory_order_acquire);
      if (added_.load(std::memory_order_relaxed) - at >= kKept) return false;
      if (died <= sequence) return true;
      visit(slot);
    }
    return true;
  }

 private:
  struct Entry {
    std::atomic<std::uint64_t> died;
    std::atomic<Slot> slot;
  };

  std::unique_ptr<Entry[]> entries_;      // set before `added_` rises for the first time
  std::atomic<std::uint64_t> added_ = 0;  // in all
};

}  // namespace skerry

// slots.h - which version of which key lives in a slot, and who may see it?
//
// A slot is visible to a search of sequence number S when born <= S and not died <= S; 0 means
// "not yet" in both. All words are atomic; they are written under the writer lock.
//
// A slot is used again only after the epoch in which its last link went has passed. Then born goes
// to 0 first and died after it, and visible() looks at born twice: a reader that scans all slots
// and meets one in the middle of the change sees that it is not for it.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/schedule.h"
#include "graph/links.h"
#include "skerry/types.h"

namespace skerry {

struct SlotState {
  std::atomic<std::uint64_t> key;
  std::atomic<std::uint64_t> born;
  std::atomic<std::uint64_t> died;
  std::atomic<Slot> link;  // live: the version before this one; dead: the next in the writer's list
  std::uint32_t in_links;  // on layer 0; under the link lock

  bool visible(std::uint64_t sequence) const noexcept {
    schedule_point("slot: born");
    const std::uint64_t from = born.load(std::memory_order_acquire);
    if (from == 0 || from > sequence) return false;
    schedule_point("slot: died");
    const std::uint64_t to = died.load(std::memory_order_acquire);
    if (to != 0 && to <= sequence) return false;
    schedule_point("slot: born again");
    return born.load(std::memory_order_relaxed) == from;
  }

  bool is_dead() const noexcept { return died.load(std::memory_order_relaxed) != 0; }
};
static_assert(sizeof(SlotState) == 32);

// What the writer knows of a slot beside its state.
enum SlotFlags : std::uint8_t {
  kLinked = 1,  // it is in the graph: its lists are valid
  kDead = 2,    // it is in the graph and died: lists may still point to it
};

}  // namespace skerry

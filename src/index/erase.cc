// erase.cc - how a node leaves, and its slot returns.
//
//   dies        invisible to every search that starts now; its lists still lead the way
//   repaired    those of its neighbours that point back let go of it and inherit links from it
//   swept       whoever else still points to it does the same, found by a cursor that looks at
//               some slots at every removal: a round over n slots takes n / kSweepStep removals, so
//               that many dead nodes at most are in the graph at any time
//   retired     nobody points to it any more (in-links are counted): what it pointed to is released
//   reclaimed   every reader that could have seen it has gone (epoch): the slot may be used again
//
// All of it happens inside the write that removes; there is no background thread, and one thread
// doing the same writes gets the same graph. The link lock is held for one node that leaves, or for
// kSweepStep slots that are looked at.
//
// In the family of FreshDiskANN (Singh et al. 2021, arXiv 2105.09613, algorithm 4: delete
// consolidation) and of in-place deletes (Xu et al. 2025, arXiv 2502.13826), made incremental.
#include <algorithm>
#include <atomic>

#include "base/assert.h"
#include "base/epoch.h"
#include "index/engine.h"

namespace skerry {
namespace {

constexpr std::uint32_t kSweepStep = 128;  // slots looked at for each removal
constexpr std::size_t kHeirs = 16;         // candidates considered for a freed place
constexpr std::size_t kInherited = 4;      // links taken over for a lost one, at most

}  // namespace

void Engine::push(SlotList& list, Slot slot, Storage& storage) noexcept {
  change(slot);
  if (list.count != 0) change(list.tail);
  push_slot(list, slot, storage);
}

void Engine::push_slot(SlotList& list, Slot slot, Storage& storage) noexcept {
  // Release: a reader that follows a link finds it changed only together with the death.
  storage.states[slot].link.store(kNoSlot, std::memory_order_release);
  if (list.count++ == 0) {
    list.head = slot;
  } else {
    storage.states[list.tail].link.store(slot, std::memory_order_release);
  }
  list.tail = slot;
}

// `more`, in its order, behind `list`.
void Engine::append(SlotList& list, const SlotList& more, Storage& storage) noexcept {
  if (more.count == 0) return;
  if (list.count == 0) {
    list.head = more.head;
  } else {
    storage.states[list.tail].link.store(more.head, std::memory_order_relaxed);
  }
  list.tail = more.tail;
  list.count += more.count;
}

void Engine::erase_from_graph(Slot slot) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  SKERRY_DEBUG_ASSERT(storage.states[slot].is_dead() && storage.flags[slot] == kLinked);
  flag(slot, kLinked | kDead);
  ++dead_linked_;
  if (static_cast<Slot>(storage.entry.load(std::memory_order_relaxed)) == slot) replace_entry(slot);

  Slot released[2 * 256];
  const std::size_t count = links.read(slot, 0, released);
  repair_around(slot);
  // The dead hold nobody, and nobody is near to them.
  for (std::size_t i = 0; i < count; ++i) {
    hold(released[i]);
    watch(released[i]);
  }
  patrol(slot);
  displaced_.settle();
}

void Engine::repair_around(Slot slot) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  const std::uint32_t level = level_of(options_.seed, slot, options_.M);
  Slot neighbours[2 * 256];
  Slot back[2 * 256];
  for (std::uint32_t l = level + 1; l-- > 0;) {
    const std::size_t count = links.read(slot, l, neighbours);
    for (std::size_t i = 0; i < count; ++i) {
      if (storage.states[neighbours[i]].is_dead()) continue;
      const std::size_t there = links.read(neighbours[i], l, back);
      if (std::find(back, back + there, slot) == back + there) continue;
      inherit(neighbours[i], l, slot);
      if ((storage.flags[slot] & kLinked) == 0) return;  // that was the last in-link: it is retired
    }
  }
  if (storage.states[slot].in_links == 0 && !(level > 0 && links.upper_in_links(slot) != 0)) {
    retire(slot);
  }
}

// `slot` lets go of `departed` and takes over the best of its links: from near to far, those that
// are nearer to `slot` than to any of its neighbours.
void Engine::inherit(Slot slot, std::uint32_t level, Slot departed) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  ListScratch& scratch = repair_;
  Slot kept[2 * 256];
  std::size_t count = links.read(slot, level, kept);
  count = static_cast<std::size_t>(std::remove(kept, kept + count, departed) - kept);

  Slot* heirs = scratch.list.data();
  std::size_t heir_count = links.read(departed, level, heirs);
  heir_count = static_cast<std::size_t>(std::remove_if(heirs, heirs + heir_count,
                                                       [&](Slot s) {
                                                         return s == slot ||
                                                                storage.states[s].is_dead() ||
                                                                std::find(kept, kept + count, s) !=
                                                                    kept + count;
                                                       }) -
                                        heirs);
  if (heir_count != 0) {
    const Scorer scorer = edge_scorer(storage, slot, scratch.code.data());
    scorer(heirs, heir_count, scratch.distances.data());
    for (std::size_t i = 0; i < heir_count; ++i) {
      scratch.candidates[i] = Candidate{scratch.distances[i], heirs[i]};
    }
    const std::size_t nearest = std::min(heir_count, kHeirs);
    std::partial_sort(scratch.candidates.data(), scratch.candidates.data() + nearest,
                      scratch.candidates.data() + heir_count);
    const std::size_t limit = std::min<std::size_t>(links.degree(level), count + kInherited);
    for (std::size_t i = 0; i < nearest && count < limit; ++i) {
      const Candidate& heir = scratch.candidates[i];
      const Scorer of_heir = edge_scorer(storage, heir.slot, scratch.code.data());
      of_heir(kept, count, scratch.distances.data());
      const bool diverse = std::all_of(scratch.distances.data(), scratch.distances.data() + count,
                                       [&](float distance) { return !(distance < heir.distance); });
      // A list that is not three quarters full takes what there is: thinner ones are faster, and
      // lose half a point of recall in a hundred rounds of replacing (docs/adr/0023).
      if (diverse || count < links.degree(level) * 3 / 4) kept[count++] = heir.slot;
    }
  }
  rewrite_list(slot, level, std::span<const Slot>(kept, count));
}

// So many slots for each removal, some at a time: others may connect in between.
void Engine::sweep(std::uint64_t removals) noexcept {
  for (std::uint64_t i = 0; i < removals; ++i) {
    const std::lock_guard lock(link_mutex_);
    const std::uint32_t used = writable().used.load(std::memory_order_relaxed);
    // A batch of removals looks at each slot once.
    if (dead_linked_ == 0 || i * kSweepStep > used) return;
    for (std::uint32_t step = 0; step < kSweepStep && dead_linked_ != 0; ++step) {
      if (sweep_at_ >= used) sweep_at_ = 0;
      sweep_slot(sweep_at_++);
    }
    displaced_.settle();
  }
}

// Its lists let go of the dead: a dead node forgets them, a live one inherits from one after the
// other.
void Engine::sweep_slot(Slot slot) noexcept {
  const Storage& storage = writable();
  const Links links = storage.links();
  const auto is_gone = [&](Slot s) { return (storage.flags[s] & kDead) != 0; };
  const auto is_linked = [&] { return (storage.flags[slot] & kLinked) != 0; };
  if (!is_linked()) return;
  const std::uint32_t level = level_of(options_.seed, slot, options_.M);
  Slot list[2 * 256];
  for (std::uint32_t l = 0; l <= level && is_linked(); ++l) {
    while (is_linked()) {
      const std::size_t count = links.read(slot, l, list);
      Slot* const dead = std::find_if(list, list + count, is_gone);
      if (dead == list + count) break;
      if (!is_gone(slot)) {
        inherit(slot, l, *dead);
      } else {
        Slot* const end = std::remove_if(list, list + count, is_gone);
        rewrite_list(slot, l, std::span<const Slot>(list, end));
      }
    }
  }
}

// The walk needs a new beginning: a live neighbour on the top level, or else the first live node of
// the highest level there is.
void Engine::replace_entry(Slot departed) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  const auto top = static_cast<std::uint32_t>(storage.entry.load(std::memory_order_relaxed) >> 32);
  Slot neighbours[2 * 256];
  const std::size_t count = links.read(departed, top, neighbours);
  for (std::size_t i = 0; i < count; ++i) {
    if (storage.states[neighbours[i]].is_dead()) continue;
    schedule_point("entry: neighbour");
    storage.entry.store(std::uint64_t{top} << 32 | neighbours[i], std::memory_order_release);
    return;
  }
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  std::uint64_t best = Storage::kNoEntry;
  for (Slot slot = 0; slot < used; ++slot) {
    if (storage.flags[slot] != kLinked || storage.states[slot].is_dead()) continue;
    const std::uint32_t level = level_of(options_.seed, slot, options_.M);
    if (best == Storage::kNoEntry || level > static_cast<std::uint32_t>(best >> 32)) {
      best = std::uint64_t{level} << 32 | slot;
    }
  }
  schedule_point("entry: anew");
  storage.entry.store(best, std::memory_order_release);
}

// Nobody points to the slot any more. What it pointed to is released; the dead among those may be
// retired by it in turn, one after the other.
void Engine::retire(Slot slot) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  SlotList due;
  const auto leave = [&](Slot s) {
    SKERRY_DEBUG_ASSERT(storage.states[s].is_dead() && storage.states[s].in_links == 0);
    schedule_point("retire");
    flag(s, 0);
    --dead_linked_;
    push(due, s, storage);
  };
  leave(slot);
  Slot list[2 * 256];
  while (due.count != 0) {
    const Slot next = due.head;
    due.head = storage.states[next].link.load(std::memory_order_relaxed);
    --due.count;
    for (std::uint32_t l = 0; l <= level_of(options_.seed, next, options_.M); ++l) {
      const std::size_t count = links.read(next, l, list);
      for (std::size_t i = 0; i < count; ++i) {
        if (!drop_link(list[i], l) && (storage.flags[list[i]] & kLinked) != 0) leave(list[i]);
      }
    }
    push(retired_, next, storage);
  }
}

// The last live vector has gone, the departed were the last of all: the whole graph goes with it,
// and the next begins from nothing. Alone, with the link lock.
void Engine::drop_graph(const SlotList& departed) noexcept {
  Storage& storage = writable();
  schedule_point("graph: gone");
  Slot slot = departed.head;
  for (std::uint64_t i = 0; i < departed.count; ++i) {
    const Slot next = storage.states[slot].link.load(std::memory_order_relaxed);
    if ((storage.flags[slot] & kLinked) == 0) push(retired_, slot, storage);
    slot = next;
  }
  graph_.store(false, std::memory_order_release);
  schedule_point("graph: entry gone");
  leaving_ = SlotList();  // they are linked, and go with the others
  storage.entry.store(Storage::kNoEntry, std::memory_order_release);
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  for (slot = 0; slot < used; ++slot) {
    if ((storage.flags[slot] & kLinked) == 0) continue;
    flag(slot, 0);
    push(retired_, slot, storage);
  }
  linking_ = false;
  linked_until_.store(0, std::memory_order_relaxed);
  backlog_until_.store(0, std::memory_order_relaxed);
  dead_linked_ = 0;
  sweep_at_ = 0;
}

// Moves slots, tables and storages whose readers have gone. With the writer lock.
void Engine::reclaim() noexcept {
  Storage& storage = writable();
  const std::lock_guard lock(link_mutex_);
  for (int round = 0; round < 2; ++round) {
    if (waiting_.count != 0 && epoch_passed(waiting_tag_)) {
      tombstones_.fetch_sub(waiting_.count, std::memory_order_relaxed);
      for (Slot slot = waiting_.head; slot != kNoSlot;) {
        const Slot next = storage.states[slot].link.load(std::memory_order_relaxed);
        // Dead until now, and in no list: nobody comes by it again before it has another life.
        SKERRY_DEBUG_ASSERT(storage.states[slot].is_dead() && storage.flags[slot] == 0);
        schedule_point("slot: free");
        change(slot);
        storage.states[slot].born.store(0, std::memory_order_release);
        push(free_slots_, slot, storage);
        slot = next;
      }
      waiting_ = SlotList();
    }
    if (waiting_.count == 0 && retired_.count != 0) {
      waiting_ = retired_;
      retired_ = SlotList();
      waiting_tag_ = epoch_tag();
    }
  }
  directory_.reclaim();
  std::erase_if(old_storages_, [](const OldStorage& old) { return epoch_passed(old.tag); });
}

}  // namespace skerry

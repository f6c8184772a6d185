// insert.cc - how a node gets its links.
//
// Two halves. plan_links() walks the graph as any reader does, takes no lock and decides the node's
// own neighbours on each of its levels. connect() holds the link lock: it writes the node's own
// lists first, then the reverse links from layer 0 upwards, so that whoever reaches the node on any
// level finds all its lists written; last it may become the entry point.
//
// A reverse link into a full list makes the owner choose again among all of them. Whoever loses his
// last in-link in this is rescued at once: no live node is left without one.
//
// Paper: Malkov & Yashunin 2018, algorithm 1.
#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/assert.h"
#include "base/epoch.h"
#include "base/workers.h"
#include "graph/select_neighbours.h"
#include "index/engine.h"

namespace skerry {

Status Engine::reserve_link_scratch(LinkScratch& scratch, std::uint32_t slots) const {
  const std::uint32_t degree0 = 2 * options_.M;
  Status status = scratch.beam.reserve(degree0);
  if (status.ok()) status = scratch.beam.visited.begin(slots);
  if (status.ok()) status = scratch.beam.pool.begin(options_.ef_construction);
  if (status.ok())
    status = scratch.plan.neighbours.reserve(std::size_t{kMaxLevel + 1} * options_.M);
  if (status.ok()) status = scratch.code.reserve(code_scratch());
  if (status.ok()) status = scratch.pair_code.reserve(code_scratch());
  if (status.ok()) {
    status = scratch.candidates.reserve(
        std::max<std::size_t>(options_.ef_construction, std::size_t{2} * degree0));
  }
  if (status.ok()) status = scratch.list.reserve(degree0 + 1);
  if (status.ok()) status = scratch.taken.reserve(degree0 + 1);
  if (status.ok()) status = scratch.distances.reserve(degree0 + 1);
  return status;
}

void Engine::link_slots(std::span<const Slot> slots, std::uint32_t threads) noexcept {
  Storage& storage = writable();
  // Before the backlog has been linked, only slots in its past are: the others wait for their turn.
  const auto is_due = [&](Slot slot) {
    return (graph_.load(std::memory_order_relaxed) || slot < linked_until_) &&
           !storage.states[slot].is_dead();
  };
  constexpr std::size_t kWorthSharing = 16;
  if (threads != 1 && slots.size() >= kWorthSharing) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> taken{false};
    parallel(threads, [&] {
      // One of the threads uses the writer's scratch, which is reserved: so the work is done even
      // when there is no memory for the others'.
      LinkScratch own;
      LinkScratch* scratch = &link_scratch_;
      if (taken.exchange(true, std::memory_order_acquire)) {
        if (!reserve_link_scratch(own, storage.usable).ok()) return;
        scratch = &own;
      }
      for (;;) {
        const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
        if (i >= slots.size()) return;
        if (is_due(slots[i])) link_slot(slots[i], *scratch);
      }
    });
  } else {
    for (const Slot slot : slots) {
      if (is_due(slot)) link_slot(slot, link_scratch_);
    }
  }
  if (graph_.load(std::memory_order_relaxed)) {
    linked_until_ = storage.used.load(std::memory_order_relaxed);
  }
}

void Engine::link_backlog(std::uint64_t steps) noexcept {
  if (graph_.load(std::memory_order_relaxed)) return;
  Storage& storage = writable();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  while (steps > 0 && linked_until_ < used) {
    const Slot slot = linked_until_++;
    const SlotState& state = storage.states[slot];
    if (state.born.load(std::memory_order_relaxed) == 0 || state.is_dead()) continue;
    link_slot(slot, link_scratch_);
    --steps;
  }
  if (linked_until_ == used) graph_.store(true, std::memory_order_release);
}

void Engine::link_slot(Slot slot, LinkScratch& scratch) noexcept {
  {
    EpochGuard guard;
    plan_links(slot, scratch);
  }
  std::lock_guard lock(link_mutex_);
  // Made before there was an entry, and there is one now: others were faster, so look again.
  if (!scratch.plan.had_entry &&
      writable().entry.load(std::memory_order_relaxed) != Storage::kNoEntry) {
    plan_links(slot, scratch);
  }
  connect(scratch);
}

void Engine::plan_links(Slot slot, LinkScratch& scratch) const noexcept {
  const Storage& storage = writable();
  const Links links = storage.links();
  const std::uint64_t entry = storage.entry.load(std::memory_order_acquire);
  Plan& plan = scratch.plan;
  plan.slot = slot;
  plan.had_entry = entry != Storage::kNoEntry;
  plan.levels = 0;
  if (!plan.had_entry) return;

  const auto top = static_cast<std::uint32_t>(entry >> 32);
  const std::uint32_t level = level_of(options_.seed, slot, options_.M);
  const std::uint32_t limit = storage.used.load(std::memory_order_acquire);
  BeamScratch& beam = scratch.beam;
  const Scorer scorer = node_scorer(storage, slot, scratch.code.data());
  Place place{static_cast<Slot>(entry), 0};
  scorer(&place.slot, 1, &place.distance);
  std::uint64_t scored = 0;
  for (std::uint32_t l = top; l > level; --l) {
    place = descend(links, scorer, l, place, limit, beam, scored);
  }
  plan.levels = std::min(top, level) + 1;
  for (std::uint32_t l = plan.levels; l-- > 0;) {
    // Neither fails: reserve() has made room for as much.
    SKERRY_ASSERT(beam.visited.begin(limit).ok());
    SKERRY_ASSERT(beam.pool.begin(options_.ef_construction).ok());
    beam_search(links, scorer, l, place, ~std::uint64_t{0}, beam);
    place = Place{beam.pool.slot(0), beam.pool.distance(0)};
    // Who died in this very write is not erased yet: he is a neighbour only where the living are
    // few, and what he has will be inherited.
    std::size_t count = 0;
    const auto collect = [&](bool with_dying) {
      count = 0;
      for (std::size_t i = 0; i < beam.pool.size(); ++i) {
        const Slot candidate = beam.pool.slot(i);
        const bool gone = with_dying ? is_erased(candidate) : storage.states[candidate].is_dead();
        if (candidate == slot || gone) continue;
        scratch.candidates[count++] = Candidate{beam.pool.distance(i), candidate};
      }
    };
    collect(false);
    if (count < options_.M) collect(true);
    plan.counts[l] = static_cast<std::uint32_t>(select_neighbours(
        std::span<const Candidate>(scratch.candidates.data(), count), options_.M,
        [&](Slot other) { return node_scorer(storage, other, scratch.pair_code.data()); },
        plan.neighbours.data() + std::size_t{l} * options_.M));
  }
  // Everyone near has been erased and still leads the way: the entry never is.
  if (plan.counts[0] == 0 && static_cast<Slot>(entry) != slot) {
    plan.neighbours[0] = static_cast<Slot>(entry);
    plan.counts[0] = 1;
  }
}

void Engine::connect(LinkScratch& scratch) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  const Plan& plan = scratch.plan;
  const std::uint32_t level = level_of(options_.seed, plan.slot, options_.M);
  storage.states[plan.slot].in_links = 0;
  if (level > 0) links.upper_in_links(plan.slot) = 0;
  storage.flags[plan.slot] = kLinked;

  const auto own = [&](std::uint32_t l) {
    return l < plan.levels
               ? std::span<const Slot>(plan.neighbours.data() + std::size_t{l} * options_.M,
                                       plan.counts[l])
               : std::span<const Slot>();
  };
  for (std::uint32_t l = 0; l <= level; ++l) {
    links.write(plan.slot, l, own(l));
    for (const Slot neighbour : own(l)) count_link(neighbour, l);
  }
  for (std::uint32_t l = 0; l < plan.levels; ++l) {
    for (const Slot neighbour : own(l)) add_reverse_link(neighbour, l, plan.slot, scratch);
  }
  const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
  if (entry == Storage::kNoEntry || level > static_cast<std::uint32_t>(entry >> 32)) {
    storage.entry.store(std::uint64_t{level} << 32 | plan.slot, std::memory_order_release);
  }
  if (storage.states[plan.slot].in_links == 0 && plan.levels > 0 && plan.counts[0] > 0) {
    rescue(plan.slot);
  }
}

void Engine::add_reverse_link(Slot from, std::uint32_t level, Slot to,
                              LinkScratch& scratch) noexcept {
  const Storage& storage = writable();
  const Links links = storage.links();
  const std::size_t count = links.read(from, level, scratch.list.data());
  for (std::size_t i = 0; i < count; ++i) {
    if (scratch.list[i] == to) return;
  }
  if (count < links.degree(level)) {
    links.append(from, level, count, to);
    count_link(to, level);
    return;
  }
  scratch.list[count] = to;
  const Scorer scorer = node_scorer(storage, from, scratch.pair_code.data());
  scorer(scratch.list.data(), count + 1, scratch.distances.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i <= count; ++i) {
    if (storage.states[scratch.list[i]].is_dead()) continue;
    scratch.candidates[kept++] = Candidate{scratch.distances[i], scratch.list[i]};
  }
  std::sort(scratch.candidates.data(), scratch.candidates.data() + kept,
            [](const Candidate& a, const Candidate& b) {
              return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
            });
  const std::size_t taken = select_neighbours(
      std::span<const Candidate>(scratch.candidates.data(), kept), links.degree(level),
      [&](Slot other) { return node_scorer(storage, other, scratch.pair_code.data()); },
      scratch.taken.data());
  rewrite_list(from, level, std::span<const Slot>(scratch.taken.data(), taken));
}

// Replaces a list and keeps the counts of in-links. Who loses his last is rescued if alive and let
// go if dead.
void Engine::rewrite_list(Slot slot, std::uint32_t level, std::span<const Slot> now) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  Slot before[2 * 256];
  const std::size_t count = links.read(slot, level, before);
  links.write(slot, level, now);
  for (const Slot neighbour : now) count_link(neighbour, level);
  for (std::size_t i = 0; i < count; ++i) {
    if (drop_link(before[i], level)) continue;
    if (storage.states[before[i]].is_dead()) {
      retire(before[i]);
    } else if (level == 0) {
      rescue(before[i]);
    }
  }
}

// Gives a live node that nobody links to on layer 0 a place in the list of one of its neighbours:
// a free one, or that of the last there who has other in-links.
void Engine::rescue(Slot slot) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  if (storage.states[slot].in_links != 0) return;
  Slot own[2 * 256];
  Slot list[2 * 256];
  std::size_t count = links.read(slot, 0, own);
  if (const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
      entry != Storage::kNoEntry && count < links.degree(0)) {
    own[count++] = static_cast<Slot>(entry);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Slot neighbour = own[i];
    if (neighbour == slot || storage.states[neighbour].is_dead()) continue;
    const std::size_t there = links.read(neighbour, 0, list);
    if (there < links.degree(0)) {
      links.append(neighbour, 0, there, slot);
      count_link(slot, 0);
      return;
    }
    // Lists are kept from near to far when they are chosen, so the last is a good one to give up.
    for (std::size_t j = there; j-- > 0;) {
      if (storage.states[list[j]].in_links < 2) continue;
      list[j] = slot;
      rewrite_list(neighbour, 0, std::span<const Slot>(list, there));
      return;
    }
  }
}

// May links still be made to it? A slot's flags are written under the link lock and read by
// planners outside it: a death is always by another write, so they do not change meanwhile.
bool Engine::is_erased(Slot slot) const noexcept {
  const Storage& storage = writable();
  return storage.states[slot].is_dead() && (storage.flags[slot] & kDead) != 0;
}

void Engine::count_link(Slot to, std::uint32_t level) noexcept {
  Storage& storage = writable();
  if (level == 0) {
    ++storage.states[to].in_links;
  } else {
    ++storage.links().upper_in_links(to);
  }
}

// False when that was the node's last in-link: on layer 0 for the living, on all levels for the
// dead.
bool Engine::drop_link(Slot to, std::uint32_t level) noexcept {
  Storage& storage = writable();
  std::uint32_t& count =
      level == 0 ? storage.states[to].in_links : storage.links().upper_in_links(to);
  SKERRY_ASSERT(count > 0);
  --count;
  if (!storage.states[to].is_dead()) return level != 0 || count != 0;
  if ((storage.flags[to] & kDead) == 0) return true;  // it died in this write and is erased next
  const bool has_upper = level_of(options_.seed, to, options_.M) > 0;
  return storage.states[to].in_links != 0 || (has_upper && storage.links().upper_in_links(to) != 0);
}

}  // namespace skerry

// insert.cc - how a node gets its links.
//
// Two halves. plan_links() walks the graph as any reader does, takes no lock and decides the node's
// own neighbours on each of its levels. connect() holds the link lock: it writes the node's own
// lists first, then the reverse links from layer 0 upwards, so that whoever reaches the node on any
// level finds all its lists written; last it may become the entry point.
//
// A reverse link into a full list makes the owner choose again among all of them, and some lose
// their place: hold.cc sees to it that nobody is lost to the walk.
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
  // Before there is a graph, only slots that the backlog has behind it are linked: the others wait
  // for their turn.
  const Slot due_below = graph_.load(std::memory_order_relaxed)
                             ? kNoSlot
                             : linked_until_.load(std::memory_order_relaxed);
  const auto is_due = [&](Slot slot) {
    return slot < due_below && !storage.states[slot].is_dead();
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
  schedule_point("plan: entry");
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
    place = descend(links, scorer, l, place, limit, ~std::uint64_t{0}, beam, scored);
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
  change(plan.slot);
  schedule_point("connect");
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
    schedule_point("entry: higher");
    storage.entry.store(std::uint64_t{level} << 32 | plan.slot, std::memory_order_release);
    if (entry != Storage::kNoEntry) {
      // The entry point of before is nobody's elder any more but by its age.
      const auto before = static_cast<Slot>(entry);
      hold(before);
      release_held(before);
    }
  } else {
    hold(plan.slot);
  }
  watch(plan.slot);
  patrol(plan.slot);
  displaced_.settle();
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
    change(from);
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

// Replaces a list and keeps the counts of in-links. Who lost a link is held by somebody else
// afterwards if alive, and let go if dead and that was the last.
void Engine::rewrite_list(Slot slot, std::uint32_t level, std::span<const Slot> now) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  Slot before[2 * 256];
  const std::size_t count = links.read(slot, level, before);
  change(slot);
  if (level == 0) displace(slot);
  links.write(slot, level, now);
  for (const Slot neighbour : now) count_link(neighbour, level);
  for (std::size_t i = 0; i < count; ++i) {
    let_go(before[i], level);
    if (storage.states[before[i]].is_dead()) continue;
    if (level == 0 && std::find(now.begin(), now.end(), before[i]) == now.end()) {
      if (is_elder(slot, before[i])) hold(before[i]);
      watch(before[i]);
    }
  }
}

// May no link be made to it any more? Who died in this write is still linked and nothing else; the
// dead of writes before are marked, and those that are retired meanwhile have no flag at all. That
// one write (retire, under the link lock) may meet a planner's look outside it: both are atomic.
bool Engine::is_erased(Slot slot) const noexcept {
  const Storage& storage = writable();
  return storage.states[slot].is_dead() &&
         std::atomic_ref(storage.flags[slot]).load(std::memory_order_relaxed) != kLinked;
}

void Engine::count_link(Slot to, std::uint32_t level) noexcept {
  Storage& storage = writable();
  change(to);
  if (level == 0) {
    ++storage.states[to].in_links;
  } else {
    ++storage.links().upper_in_links(to);
  }
}

// False when that was the node's last in-link: on layer 0 for the living, on all levels for the
// dead. A count that was wrong in an image (check() tells) stops at zero: then a dead node is not
// let go, or too early, and its slot leads a walk elsewhere.
bool Engine::drop_link(Slot to, std::uint32_t level) noexcept {
  Storage& storage = writable();
  std::uint32_t& count =
      level == 0 ? storage.states[to].in_links : storage.links().upper_in_links(to);
  change(to);
  if (count != 0) --count;
  // Alive, or it died in this write and is erased next.
  if ((storage.flags[to] & kDead) == 0) return true;
  const bool has_upper = level_of(options_.seed, to, options_.M) > 0;
  return storage.states[to].in_links != 0 || (has_upper && storage.links().upper_in_links(to) != 0);
}

// Somebody has dropped his link to it. The dead are retired with their last one. Whoever died and
// waits to be taken out (backlog.cc) holds others until then, but not once nobody leads to him.
void Engine::let_go(Slot to, std::uint32_t level) noexcept {
  if (!drop_link(to, level)) {
    retire(to);
  } else if (level == 0 && writable().states[to].is_dead() && leads_nowhere(to)) {
    release_held(to);
  }
}

}  // namespace skerry

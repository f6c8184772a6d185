// hold.cc - how is nobody lost to the walk?
//
// By two rules, looked after where links go away: a list is chosen again, a node dies, the entry
// point changes.
//
//   held   an elder live node links to it on layer 0, where the entry point is the elder of all and
//          of two others the one that was born first. Elders cannot hang on each other in a circle,
//          so by induction whoever is held is reached from the entry point: it is possible.
//   near   three of the nodes that a short walk to it ends with link to it, if it has few in-links:
//          then a search for it, which ends there too, finds it. Fewer would be enough, were it
//          not that their owners may be lost to the same walk later. Many in-links are no help when
//          all come from afar, as those of a node in the shadow of the midst of a small crowd: who
//          is dropped by one of its nearest is looked at for that, too.
//
// What is near changes without a link going away, as others come in between. So whoever is linked
// has two others looked at, spread evenly over all.
//
// Threads: with the link lock. Nothing here but reserve_rescue() allocates. docs/adr/0007.
#include <algorithm>
#include <atomic>

#include "base/assert.h"
#include "index/engine.h"

namespace skerry {
namespace {

constexpr std::size_t kRescueBreadth = 32;  // of the walk that looks for somebody to hold a node
constexpr std::size_t kRescueQueue = 8192;  // nodes asked at most
constexpr std::uint32_t kSpared = 2;        // in-links of whom nobody near gives up at first
constexpr std::uint32_t kFewInLinks = 8;    // who has more is found
constexpr std::size_t kNear = 20;           // nodes that the short walk ends with
constexpr std::size_t kNearLinks = 3;       // of them that link to it,
constexpr std::size_t kClosest = 8;         // and one at least is one of so many
constexpr std::size_t kOwnNearest = 4;      // of its own list, which begins with the nearest

}  // namespace

Status Engine::reserve_rescue(std::uint32_t slots) {
  Status status = rescue_beam_.reserve(2 * options_.M);
  if (status.ok()) status = rescue_beam_.visited.begin(slots);
  if (status.ok()) status = rescue_beam_.pool.begin(kRescueBreadth);
  if (status.ok()) status = rescue_queue_.reserve(kRescueQueue);
  if (status.ok()) status = rescue_code_.reserve(code_scratch(writable()));
  return status;
}

// The node is no elder of its neighbours any more: others must hold them.
void Engine::release_held(Slot slot) noexcept {
  Slot list[2 * 256];
  const std::size_t count = writable().links().read(slot, 0, list);
  for (std::size_t i = 0; i < count; ++i) hold(list[i]);
}

// Of two live nodes in the graph, is `a` the elder?
bool Engine::is_elder(Slot a, Slot b) const noexcept {
  const Storage& storage = writable();
  const auto entry = static_cast<Slot>(storage.entry.load(std::memory_order_relaxed));
  if (a == entry || b == entry) return b != entry;
  const std::uint64_t born_a = storage.states[a].born.load(std::memory_order_relaxed);
  const std::uint64_t born_b = storage.states[b].born.load(std::memory_order_relaxed);
  return born_a != born_b ? born_a < born_b : a < b;
}

// Is it held by one of its own neighbours, other than `except`? (Others may hold it too: who links
// to a node is not kept, so a node may be rescued that need not be. That costs a link and no harm.)
// Who died in this write and is still to be erased counts: what he holds is held by others then.
bool Engine::is_held(Slot slot, Slot except) const noexcept {
  Slot own[2 * 256];
  const std::size_t count = writable().links().read(slot, 0, own);
  return std::any_of(own, own + count, [&](Slot other) {
    return other != except && !leads_nowhere(other) && is_elder(other, slot) &&
           links_to(other, slot);
  });
}

bool Engine::links_to(Slot from, Slot to) const noexcept {
  return writable().links().contains(from, 0, to);
}

// `holder` held it until now and may go on, if there is a place for it after all.
void Engine::hold(Slot slot, Slot holder) noexcept {
  const Storage& storage = writable();
  if (!is_looked_for(slot) ||
      static_cast<Slot>(storage.entry.load(std::memory_order_relaxed)) == slot ||
      is_held(slot, kNoSlot)) {
    return;
  }
  if (holder == kNoSlot || !hold_by(holder, slot, kSpared)) rescue(slot);
}

// Gives a live node that nobody holds a place in the list of an elder. When every place is needed,
// somebody younger makes room and looks for a place in turn: he has more elders to choose from, and
// the youngest of all can be held by anybody, so it ends.
void Engine::rescue(Slot slot) noexcept {
  while ((slot = shelter(slot)) != kNoSlot) watch(slot);
}

// The nodes that a search for it with that ef ends with, into rescue_beam_.pool.
void Engine::walk_to(Slot slot, std::size_t ef) noexcept {
  const Storage& storage = writable();
  const Links links = storage.links();
  const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
  const std::uint32_t limit = storage.used.load(std::memory_order_relaxed);
  BeamScratch& beam = rescue_beam_;
  const Scorer scorer = node_scorer(storage, slot, rescue_code_.data());
  Place place{static_cast<Slot>(entry), 0};
  scorer(&place.slot, 1, &place.distance);
  std::uint64_t scored = 0;
  for (auto level = static_cast<std::uint32_t>(entry >> 32); level > 0; --level) {
    place = descend(links, scorer, level, place, limit, ~std::uint64_t{0}, beam, scored);
  }
  // Neither fails: reserve() has made room for as much.
  SKERRY_ASSERT(beam.visited.begin(limit).ok());
  SKERRY_ASSERT(beam.pool.begin(ef).ok());
  beam_search(links, scorer, 0, place, ~std::uint64_t{0}, beam);
}

void Engine::watch(Slot slot) noexcept {
  if (is_looked_for(slot) && has_few_in_links(slot)) look_after(slot);
}

// `by` links to it no more.
void Engine::watch_dropped(Slot slot, Slot by) noexcept {
  if (is_looked_for(slot) && (has_few_in_links(slot) || is_left_by_nearest(slot, by))) {
    look_after(slot);
  }
}

bool Engine::has_few_in_links(Slot slot) const noexcept {
  return writable().states[slot].in_links <= kFewInLinks;
}

// Was `by` one of its nearest, and does none of the nearest of `by` link to it instead?
bool Engine::is_left_by_nearest(Slot slot, Slot by) const noexcept {
  const Links links = writable().links();
  Slot list[2 * 256];
  std::size_t count = std::min(links.read(slot, 0, list), kOwnNearest);
  if (std::find(list, list + count, by) == list + count) return false;
  count = std::min(links.read(by, 0, list), kClosest);
  return std::none_of(list, list + count, [&](Slot other) { return links_to(other, slot); });
}

// Gives a node that is looked for its near in-links.
void Engine::look_after(Slot slot) noexcept {
  const std::uint64_t entry = writable().entry.load(std::memory_order_relaxed);
  if (entry == Storage::kNoEntry || static_cast<Slot>(entry) == slot) return;
  walk_to(slot, kNear);
  // A copy: who is let go for it may need a walk himself.
  Slot near[kNear];
  const std::size_t count = rescue_beam_.pool.size();
  for (std::size_t i = 0; i < count; ++i) near[i] = rescue_beam_.pool.slot(i);
  const auto count_links = [&](const Slot* from, const Slot* to) {
    return static_cast<std::size_t>(
        std::count_if(from, to, [&](Slot other) { return links_to(other, slot); }));
  };
  const Slot* const farther = near + std::min(count, kClosest);
  const std::size_t nearest = count_links(near, farther);
  std::size_t links = nearest + count_links(farther, near + count);
  if (nearest == 0) links = std::min(links, kNearLinks - 1);
  for (std::size_t i = 0; i < count && links < kNearLinks; ++i) {
    if (near[i] == slot || leads_nowhere(near[i]) || links_to(near[i], slot)) continue;
    // Who has to go there is not one of the few himself then.
    if (take_in(near[i], slot, kFewInLinks + 1)) ++links;
  }
}

// Watches two others. Multiples of the golden ratio lie evenly, so that as many slots as are linked
// or erased one after the other meet all.
void Engine::patrol(Slot slot) noexcept {
  const std::uint64_t used = writable().used.load(std::memory_order_relaxed);
  const std::uint32_t place = slot * 0x9E3779B1U;
  watch(static_cast<Slot>(place * used >> 32));
  watch(static_cast<Slot>((place ^ 0x80000000U) * used >> 32));
}

// One step of it: the nearest elder among the node's own neighbours, else among those that a walk
// to it meets and their neighbours. Returns who had to make room, or kNoSlot.
Slot Engine::shelter(Slot slot) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
  const auto first = static_cast<Slot>(entry);
  if (entry == Storage::kNoEntry || first == slot) return kNoSlot;
  Slot own[2 * 256];
  const std::size_t count = links.read(slot, 0, own);
  for (std::size_t i = 0; i < count; ++i) {
    if (hold_by(own[i], slot, kSpared)) return kNoSlot;
  }
  walk_to(slot, kRescueBreadth);
  BeamScratch& beam = rescue_beam_;
  // In a crowd of copies the nearest are full of each other: go on to their neighbours and theirs,
  // nearest first, until somebody has a place.
  std::size_t queued = 0;
  SKERRY_ASSERT(beam.visited.begin(storage.used.load(std::memory_order_relaxed)).ok());
  for (std::size_t i = 0; i < beam.pool.size(); ++i) {
    rescue_queue_[queued++] = beam.pool.slot(i);
    beam.visited.meet(beam.pool.slot(i));
  }
  for (std::size_t i = 0; i < queued; ++i) {
    if (hold_by(rescue_queue_[i], slot, i < beam.pool.size() ? kSpared : 0)) return kNoSlot;
    const std::size_t found = gather(links, 0, rescue_queue_[i], 0, beam);
    for (std::size_t j = 0; j < found && queued < kRescueQueue; ++j) {
      rescue_queue_[queued++] = beam.slots[j];
    }
  }
  if (hold_by(first, slot, 0)) return kNoSlot;
  for (std::size_t i = 0; i <= queued; ++i) {
    const Slot holder = i < queued ? rescue_queue_[i] : first;
    if (holder == slot || leads_nowhere(holder) || !is_elder(holder, slot)) continue;
    Slot list[2 * 256];
    const std::size_t there = links.read(holder, 0, list);
    std::size_t youngest = there;
    for (std::size_t j = 0; j < there; ++j) {
      if (!is_elder(slot, list[j])) continue;
      if (youngest == there || is_elder(list[youngest], list[j])) youngest = j;
    }
    if (youngest == there) continue;
    const Slot displaced = list[youngest];
    list[youngest] = slot;
    change(holder);
    displace(holder);
    links.write(holder, 0, std::span<const Slot>(list, there));
    count_link(slot, 0);
    drop_link(displaced, 0);
    return displaced;
  }
  return kNoSlot;
}

// take_in() by an elder, if `holder` is one. True when it holds the node now.
bool Engine::hold_by(Slot holder, Slot slot, std::uint32_t spared) noexcept {
  if (holder == slot || leads_nowhere(holder) || !is_elder(holder, slot)) return false;
  return links_to(holder, slot) || take_in(holder, slot, spared);
}

// Takes `slot` into the list of `holder`, who leads somewhere, if that has a free place or a
// neighbour, the last first, that somebody else holds. Lists are kept from near to far when they
// are chosen, so the last is a good one to give up. Not one with `spared` in-links or fewer.
bool Engine::take_in(Slot holder, Slot slot, std::uint32_t spared) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  Slot list[2 * 256];
  std::size_t count = links.read(holder, 0, list);
  const auto is_needed = [&](Slot last) {
    if (has_left(last)) return false;
    if (storage.states[last].in_links <= spared) return true;
    if (spared > kFewInLinks && is_left_by_nearest(last, holder)) return true;  // from look_after()
    return is_elder(holder, last) && !is_held(last, holder);
  };
  if (count == links.degree(0)) {
    std::size_t i = count;
    while (i > 0 && is_needed(list[i - 1])) --i;
    if (i == 0) return false;
    const Slot leaving = list[i - 1];
    std::copy(list + i, list + count, list + i - 1);
    list[count - 1] = slot;
    change(holder);
    displace(holder);
    links.write(holder, 0, std::span<const Slot>(list, count));
    count_link(slot, 0);
    let_go(leaving, 0);
    watch(leaving);
  } else {
    change(holder);
    links.append(holder, 0, count, slot);
    count_link(slot, 0);
  }
  // Who is held knows his holder, where there is a place for it: is_held() looks there.
  count = links.read(slot, 0, list);
  if (count < links.degree(0) && std::find(list, list + count, holder) == list + count) {
    change(slot);
    links.append(slot, 0, count, holder);
    count_link(holder, 0);
  }
  return true;
}

// Its list is about to be written anew: notes those in it that a walk which comes by meanwhile may
// meet nowhere else.
void Engine::displace(Slot holder) noexcept {
  const Storage& storage = writable();
  Slot list[2 * 256];
  const std::size_t count = storage.links().read(holder, 0, list);
  for (std::size_t i = 0; i < count; ++i) {
    if (has_few_in_links(list[i])) displaced_.note(list[i]);
  }
}

// Under the link lock: does no walk come to it that could go on from there?
bool Engine::leads_nowhere(Slot slot) const noexcept {
  const Storage& storage = writable();
  if (is_erased(slot)) return true;
  return storage.states[slot].is_dead() && storage.states[slot].in_links == 0 &&
         static_cast<Slot>(storage.entry.load(std::memory_order_relaxed)) != slot;
}

}  // namespace skerry

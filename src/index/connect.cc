// connect.cc - how do planned nodes come into the graph?
//
// All of it under the link lock, in this order, so that whoever reaches a node on any level finds
// all its lists written:
//
//   1. each node's own lists
//   2. the links back on layer 0, one list after the other: what was proposed for it is taken when
//      the list is still what it was, and chosen again otherwise
//   3. each node's links back on the upper levels; perhaps it becomes the entry point; and hold.cc
//      sees to it that nobody is lost to the walk, neither it nor who lost a place in a list
//
// Plans and proposals: insert.cc.
#include <algorithm>
#include <atomic>
#include <mutex>

#include "index/engine.h"

namespace skerry {
namespace {

// So many lists on, the cache is asked for a list and its owner, and for who is in one that
// changes.
constexpr std::size_t kListsAhead = 12;
constexpr std::size_t kNodesAhead = 4;

}  // namespace

void Engine::connect_together(std::span<const Slot> slots, std::size_t proposals,
                              LinkScratch& scratch) noexcept {
  const std::lock_guard lock(link_mutex_);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Plan& plan = scratch.plans[i];
    if (plan.is_sample) recall_model_.learn(plan.sample);
    // Made before there was an entry, and there is one now; or all its neighbours left meanwhile:
    // other writers were faster, so look again.
    forget_erased(plan);
    plan.is_late = plan.counts[0] == 0 &&
                   writable().entry.load(std::memory_order_relaxed) != Storage::kNoEntry;
    if (plan.is_late) plan_links(slots, i, scratch, plan);
    write_own_lists(plan);
  }
  const Storage& storage = writable();
  const Links links = storage.links();
  for (std::size_t i = 0; i < proposals; ++i) {
    if (i + kListsAhead < proposals) {
      const Slot at = scratch.proposals[i + kListsAhead].at;
      links.prefetch(at);
      __builtin_prefetch(&storage.states[at]);
    }
    if (i + kNodesAhead < proposals) {  // nobody where nothing is proposed
      for (const Slot slot : scratch.list_before(i + kNodesAhead)) {
        __builtin_prefetch(&storage.states[slot]);
      }
    }
    link_back(scratch, i, scratch.lists);
  }
  for (std::size_t i = 0; i < slots.size(); ++i) finish_connecting(scratch.plans[i], scratch.lists);
}

// A plan lets go of who has been erased since it was made.
void Engine::forget_erased(Plan& plan) const noexcept {
  for (std::uint32_t l = 0; l < plan.levels; ++l) {
    Slot* const list = plan.room(l);
    Slot* const end =
        std::remove_if(list, list + plan.counts[l], [&](Slot slot) { return is_erased(slot); });
    plan.counts[l] = static_cast<std::uint32_t>(end - list);
  }
}

void Engine::write_own_lists(const Plan& plan) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  const std::uint32_t level = level_of(options_.seed, plan.slot, options_.M);
  change(plan.slot);
  schedule_point("connect");
  storage.states[plan.slot].in_links = 0;
  if (level > 0) links.upper_in_links(plan.slot) = 0;
  flag(plan.slot, kLinked);
  for (std::uint32_t l = 0; l <= level; ++l) {
    links.write(plan.slot, l, plan.list(l));
    for (const Slot neighbour : plan.list(l)) count_link(neighbour, l);
  }
}

// A node's list on layer 0 gets all who want to be in it.
void Engine::link_back(const LinkScratch& plans, std::size_t number, ListScratch& lists) noexcept {
  const Proposal& proposal = plans.proposals[number];
  if (is_erased(proposal.at)) return;
  const std::span<const Slot> before = plans.list_before(number);
  Slot* const now = lists.list.data();
  if (!before.empty() && std::equal(before.begin(), before.end(), now,
                                    now + writable().links().read(proposal.at, 0, now))) {
    rewrite_list(proposal.at, 0, plans.list_after(number));
  } else {
    for (std::size_t i = proposal.arrivals_begin; i < proposal.arrivals_end; ++i) {
      add_reverse_link(proposal.at, 0, plans.plans[plans.arrivals[i].number].slot, lists);
    }
  }
  displaced_.settle();
}

void Engine::add_reverse_link(Slot from, std::uint32_t level, Slot to,
                              ListScratch& lists) noexcept {
  const Links links = writable().links();
  const std::size_t count = links.read(from, level, lists.list.data());
  const std::span<const Slot> list(lists.list.data(), count);
  if (std::find(list.begin(), list.end(), to) != list.end()) return;
  if (count < links.degree(level)) {
    change(from);
    links.append(from, level, count, to);
    count_link(to, level);
    return;
  }
  lists.list[count] = to;
  const std::size_t taken = choose(from, level, count + 1, lists);
  rewrite_list(from, level, std::span<const Slot>(lists.taken.data(), taken));
}

void Engine::finish_connecting(const Plan& plan, ListScratch& lists) noexcept {
  Storage& storage = writable();
  for (std::uint32_t l = plan.is_late ? 0 : 1; l < plan.levels; ++l) {
    for (const Slot neighbour : plan.list(l)) add_reverse_link(neighbour, l, plan.slot, lists);
  }
  const std::uint32_t level = level_of(options_.seed, plan.slot, options_.M);
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

// Replaces a list and keeps the counts of in-links. Who lost a link is held by somebody else
// afterwards if searches may look for him, and let go if dead and that was the last.
void Engine::rewrite_list(Slot slot, std::uint32_t level, std::span<const Slot> now) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  Slot before[2 * 256];
  const std::size_t count = links.read(slot, level, before);
  change(slot);
  if (level == 0) displace(slot);
  links.write(slot, level, now);
  for (const Slot neighbour : now) {
    if (std::find(before, before + count, neighbour) == before + count) {
      count_link(neighbour, level);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (std::find(now.begin(), now.end(), before[i]) != now.end()) continue;
    let_go(before[i], level);
    if (level != 0) continue;
    if (is_elder(slot, before[i])) hold(before[i], slot);
    watch_dropped(before[i], slot);
  }
}

// Is it dead to every search that begins now? Who dies in a write that is not shown yet is not:
// those who look for him still find him by his links (departures.h).
bool Engine::has_left(Slot slot) const noexcept {
  const std::uint64_t died = writable().states[slot].died.load(std::memory_order_relaxed);
  return died != 0 && died <= visible_.load(std::memory_order_acquire);
}

// In the graph, and may a search that begins now ask for it? That goes for who is about to be
// replaced or removed too, until that is shown. Linked first: whoever is not may be in the making,
// which is not under the link lock.
bool Engine::is_looked_for(Slot slot) const noexcept {
  return writable().flags[slot] == kLinked && !has_left(slot);
}

// May no link be made to it any more? Who died and was not erased yet is still linked and nothing
// else; the erased are marked, and those that are retired have no flag at all. Planners look at it
// without the link lock.
bool Engine::is_erased(Slot slot) const noexcept {
  const Storage& storage = writable();
  return storage.states[slot].is_dead() &&
         std::atomic_ref(storage.flags[slot]).load(std::memory_order_relaxed) != kLinked;
}

// With the link lock.
void Engine::flag(Slot slot, std::uint8_t flags) noexcept {
  change(slot);
  std::atomic_ref(writable().flags[slot]).store(flags, std::memory_order_relaxed);
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
  } else if (level == 0 && writable().states[to].is_dead() && !is_erased(to) && leads_nowhere(to)) {
    release_held(to);  // of who was erased all have been
  }
}

}  // namespace skerry

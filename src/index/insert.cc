// insert.cc - how a node gets its links.
//
// Three parts, of which only the last takes a lock:
//
//   plan      walks the graph as any reader does and decides the node's own neighbours on each of
//             its levels
//   propose   a neighbour whose list is full will have to choose again among all of them: what it
//             would choose
//   connect   holds the link lock: writes the node's own lists first, then the reverse links from
//             layer 0 upwards, so that whoever reaches the node on any level finds all its lists
//             written; last it may become the entry point. A proposal is taken when the list is
//             still what it was, and made again otherwise.
//
// So as many threads as there are plan at once, and what is done under the lock is small. Some lose
// their place in a list: hold.cc sees to it that nobody is lost to the walk.
//
// Nodes of one write are linked 64 together: all of them are planned on the graph as it is, by as
// many threads as there are, and then connected in their order. What a walk cannot find of them,
// each other, they compare one by one. So one write makes the same graph with any number of
// threads. (docs/adr/0022)
//
// Papers: Malkov & Yashunin 2018, algorithm 1; Manohar et al. 2024, arXiv 2305.04359 (batches that
// are planned together).
#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/assert.h"
#include "base/epoch.h"
#include "base/watch.h"
#include "base/workers.h"
#include "graph/select_neighbours.h"
#include "index/engine.h"

namespace skerry {
namespace {

// The walk has met them on codes: how far are they?
void measure(const Scorer& scorer, std::span<Candidate> candidates) noexcept {
  constexpr std::size_t kBatch = 64;
  Slot slots[kBatch];
  float distances[kBatch];
  while (!candidates.empty()) {
    const std::span<Candidate> batch = candidates.first(std::min(candidates.size(), kBatch));
    for (std::size_t i = 0; i < batch.size(); ++i) slots[i] = batch[i].slot;
    scorer(slots, batch.size(), distances);
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].distance = distances[i];
    candidates = candidates.subspan(batch.size());
  }
}

// Of the nodes that are linked so many are looked for widely: the more, the faster an index grows
// by a part of itself.
constexpr std::uint32_t sample_every(std::uint32_t nodes) noexcept {
  return std::clamp(nodes / 1024, 8U, 64U);
}

std::uint32_t sample_breadth(const IndexOptions& options) noexcept {
  return std::max(2 * options.ef_construction, 256U);
}

}  // namespace

Status Engine::reserve_list_scratch(ListScratch& scratch) const {
  const std::uint32_t degree0 = 2 * options_.M;
  Status status = scratch.code.reserve(code_scratch(writable()));
  if (status.ok()) status = scratch.candidates.reserve(std::size_t{2} * degree0);
  if (status.ok()) status = scratch.list.reserve(degree0 + 1);
  if (status.ok()) status = scratch.taken.reserve(degree0 + 1);
  if (status.ok()) status = scratch.distances.reserve(degree0 + 1);
  return status;
}

Status Engine::reserve_link_scratch(LinkScratch& scratch, std::uint32_t slots) const {
  const std::uint32_t degree0 = 2 * options_.M;
  Status status = scratch.beam.reserve(degree0);
  if (status.ok()) status = scratch.beam.visited.begin(slots);
  if (status.ok()) status = scratch.beam.pool.begin(sample_breadth(options_));
  if (status.ok()) status = scratch.trace.reserve(sample_breadth(options_), degree0);
  if (status.ok()) status = scratch.code.reserve(code_scratch(writable()));
  if (status.ok()) status = reserve_list_scratch(scratch.lists);
  if (status.ok()) status = scratch.candidates.reserve(options_.ef_construction + kTogether);
  if (status.ok()) scratch.slots = slots;
  return status;
}

Status Engine::reserve_plans(LinkScratch& scratch, std::size_t count) const try {
  count = std::min(count, kTogether);
  if (scratch.plans.size() < count) scratch.plans.resize(count);
  const std::size_t M = options_.M;
  Status status;
  for (std::size_t i = 0; i < count && status.ok(); ++i) {
    Plan& plan = scratch.plans[i];
    plan.most = own_degree(0);
    status = plan.neighbours.reserve((kMaxLevel + 1) * plan.most);
    if (status.ok()) status = plan.proposals.reserve(plan.most);
    if (status.ok()) status = plan.proposed.reserve(2 * (2 * M) * plan.most);
  }
  return status;
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory for the index");
}

// Ends early when `watch` says so.
void Engine::link_slots(std::span<const Slot> slots, std::uint32_t threads, LinkScratch& scratch,
                        Watch& watch) noexcept {
  const Storage& storage = writable();
  // Before there is a graph, only slots that the backlog has behind it are linked: the others wait
  // for their turn.
  const Slot due_below = graph_.load(std::memory_order_relaxed)
                             ? kNoSlot
                             : linked_until_.load(std::memory_order_relaxed);
  Slot together[kTogether];
  for (std::size_t next = 0; next < slots.size();) {
    std::size_t count = 0;
    for (; next < slots.size() && count < kTogether; ++next) {
      const Slot slot = slots[next];
      if (slot < due_below && !storage.states[slot].is_dead()) together[count++] = slot;
    }
    link_together(std::span<const Slot>(together, count), threads, scratch);
    if (!watch.advance(count).ok()) return;
  }
}

void Engine::link_together(std::span<const Slot> slots, std::uint32_t threads,
                           LinkScratch& scratch) noexcept {
  constexpr std::size_t kWorthSharing = 4;
  SKERRY_ASSERT(slots.size() <= scratch.plans.size());
  const EpochGuard guard;  // to the end: what was planned stays what it is
  // Settled here, as what a thread plans must not depend on how far the others are.
  const std::uint32_t every = sample_every(writable().used.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    scratch.plans[i].is_sample = slots[i] * 0x9E3779B1U <= 0xFFFFFFFFU / every;
  }
  std::atomic<std::size_t> next{0};
  const auto plan = [&](LinkScratch& mine) {
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < slots.size();) {
      plan_links(slots, i, mine, scratch.plans[i]);
      propose(slots, scratch.plans[i], mine.lists);
    }
  };
  if (threads != 1 && slots.size() >= kWorthSharing) {
    std::atomic<bool> taken{false};
    parallel(threads, [&] {
      // One of the threads uses the writer's scratch, which is reserved: so the work is done even
      // when there is no memory for the others'.
      if (!taken.exchange(true, std::memory_order_acquire)) return plan(scratch);
      const ScratchLease<LinkScratch> lease(link_scratches_);
      if (lease.get() == nullptr || !reserve_link_scratch(*lease.get(), scratch.slots).ok()) return;
      const EpochGuard own;
      plan(*lease.get());
    });
  } else {
    plan(scratch);
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    Plan& planned = scratch.plans[i];
    const std::lock_guard lock(link_mutex_);
    // Made before there was an entry, and there is one now; or all its neighbours left meanwhile:
    // other writers were faster, so look again.
    forget_erased(planned);
    if (planned.counts[0] == 0 &&
        writable().entry.load(std::memory_order_relaxed) != Storage::kNoEntry) {
      plan_links(slots, i, scratch, planned);
      propose(slots, planned, scratch.lists);
    }
    if (planned.is_sample) recall_model_.learn(planned.sample);
    connect(planned, scratch.lists);
  }
}

// Of together[number], as if those before it were in the graph.
void Engine::plan_links(std::span<const Slot> together, std::size_t number, LinkScratch& scratch,
                        Plan& plan) const noexcept {
  const Storage& storage = writable();
  const Links links = storage.links();
  const Slot slot = together[number];
  schedule_point("plan: entry");
  const std::uint64_t entry = storage.entry.load(std::memory_order_acquire);
  const bool has_entry = entry != Storage::kNoEntry;
  plan.slot = slot;
  plan.levels = 0;
  plan.counts[0] = 0;
  plan.sample = {};

  const std::uint32_t level = level_of(options_.seed, slot, options_.M);
  const std::uint32_t entry_level = has_entry ? static_cast<std::uint32_t>(entry >> 32) : 0;
  std::uint32_t top = entry_level;
  for (std::size_t i = 0; i < number; ++i) {
    top = std::max(top, level_of(options_.seed, together[i], options_.M));
  }
  if (!has_entry && number == 0) return;

  const Scorer scorer = node_scorer(storage, slot, scratch.code.data());
  scorer(together.data(), number, scratch.distances);
  // Slots that others make meanwhile are beyond what the scratch has room for.
  const std::uint32_t limit = std::min(storage.used.load(std::memory_order_acquire), scratch.slots);
  BeamScratch& beam = scratch.beam;
  Place place{static_cast<Slot>(entry), 0};
  if (has_entry) {
    scorer(&place.slot, 1, &place.distance);
    std::uint64_t scored = 0;
    for (std::uint32_t l = entry_level; l > level; --l) {
      place = descend(links, scorer, l, place, limit, ~std::uint64_t{0}, beam, scored);
    }
  }
  plan.levels = std::min(top, level) + 1;
  for (std::uint32_t l = plan.levels; l-- > 0;) {
    const bool walks = has_entry && l <= entry_level;
    if (walks) {
      // Neither fails: reserve() has made room for as much.
      SKERRY_ASSERT(beam.visited.begin(limit).ok());
      if (l == 0 && plan.is_sample) {
        SKERRY_ASSERT(beam.pool.begin(sample_breadth(options_)).ok());
        scratch.trace.begin(place.slot, storage.shape.codes.has_value());
        beam_search(links, scorer, l, place, ~std::uint64_t{0}, beam, [&](const BeamStep& step) {
          scratch.trace.note(beam, step.count);
          return false;
        });
        plan.sample = judge_walk(storage, slot, scratch);
      } else {
        SKERRY_ASSERT(beam.pool.begin(options_.ef_construction).ok());
        beam_search(links, scorer, l, place, ~std::uint64_t{0}, beam);
      }
      place = Place{beam.pool.slot(0), beam.pool.distance(0)};
    }
    // Who died in this very write is not erased yet: he is a neighbour only where the living are
    // few, and what he has will be inherited.
    std::size_t count = 0;
    const auto collect = [&](bool with_dying) {
      count = 0;
      const std::size_t met = std::min<std::size_t>(beam.pool.size(), options_.ef_construction);
      for (std::size_t i = 0; walks && i < met; ++i) {
        const Slot candidate = beam.pool.slot(i);
        const bool gone = with_dying ? is_erased(candidate) : storage.states[candidate].is_dead();
        if (candidate == slot || gone) continue;
        scratch.candidates[count++] = Candidate{beam.pool.distance(i), candidate};
      }
      for (std::size_t i = 0; i < number; ++i) {
        if (level_of(options_.seed, together[i], options_.M) < l) continue;
        scratch.candidates[count++] = Candidate{scratch.distances[i], together[i]};
      }
    };
    collect(false);
    if (count < options_.M) collect(true);
    if (storage.shape.codes && !storage.shape.codes->choose_links()) {
      measure(edge_scorer(storage, slot, scratch.lists.code.data()),
              std::span(scratch.candidates.data(), count));
    }
    // As many as one walk would have found: the far among the others would be links to nowhere.
    std::sort(scratch.candidates.data(), scratch.candidates.data() + count);
    const std::span<const Candidate> candidates(
        scratch.candidates.data(), std::min<std::size_t>(count, options_.ef_construction));
    plan.counts[l] = static_cast<std::uint32_t>(select_neighbours(
        candidates, own_degree(l), alpha_of(options_.metric),
        [&](Slot other) { return edge_scorer(storage, other, scratch.lists.code.data()); },
        plan.list(l)));
  }
  // Everyone near has been erased and still leads the way: the entry never is.
  if (plan.counts[0] == 0 && has_entry && static_cast<Slot>(entry) != slot) {
    plan.neighbours[0] = static_cast<Slot>(entry);
    plan.counts[0] = 1;
  }
}

// A walk for `slot`, which the graph does not know, has filled the pool: what would a narrower one
// have found of the nearest?
RecallModel::Sample Engine::judge_walk(const Storage& storage, Slot slot,
                                       LinkScratch& scratch) const noexcept {
  constexpr std::size_t kMost = rerank_count(RecallModel::kKs.back(), true);
  const CandidatePool& pool = scratch.beam.pool;
  Slot seen[kMost];
  Candidate nearest[kMost];
  std::size_t count = 0;
  for (std::size_t i = 0; i < pool.size() && count < kMost; ++i) {
    const Slot candidate = pool.slot(i);
    if (candidate == slot || storage.states[candidate].is_dead()) continue;
    seen[count] = candidate;
    nearest[count++] = Candidate{pool.distance(i), candidate};
  }
  if (storage.shape.codes) {
    measure(exact_node_scorer(storage, slot, scratch.lists.code.data()), {nearest, count});
    std::sort(nearest, nearest + count);
  }
  Slot truth[kMost];
  for (std::size_t i = 0; i < count; ++i) truth[i] = nearest[i].slot;
  return scratch.trace.judge({truth, count}, {seen, count});
}

// A plan lets go of who has been erased since it was made.
void Engine::forget_erased(Plan& plan) const noexcept {
  for (std::uint32_t l = 0; l < plan.levels; ++l) {
    Slot* const list = plan.list(l);
    Slot* const end =
        std::remove_if(list, list + plan.counts[l], [&](Slot slot) { return is_erased(slot); });
    plan.counts[l] = static_cast<std::uint32_t>(end - list);
  }
}

// Without a lock: the lists are what they are in this moment. There is a proposal for each planned
// neighbour on layer 0; one that is planned together with this node has no list yet, but perhaps
// what is left of a life before, which nobody may read.
void Engine::propose(std::span<const Slot> together, Plan& plan,
                     ListScratch& lists) const noexcept {
  const Links links = writable().links();
  const std::size_t degree = links.degree(0);
  for (std::size_t i = 0; i < plan.counts[0]; ++i) {
    Proposal& proposal = plan.proposals[i];
    proposal = Proposal{plan.neighbours[i], 0, 0};
    if (std::find(together.begin(), together.end(), proposal.of) != together.end()) continue;
    const std::size_t count = links.read(proposal.of, 0, lists.list.data());
    if (count < degree) continue;
    Slot* const before = plan.proposed.data() + 2 * degree * i;
    std::copy_n(lists.list.data(), count, before);
    lists.list[count] = plan.slot;
    proposal.before = static_cast<std::uint32_t>(count);
    proposal.after = static_cast<std::uint32_t>(choose(proposal.of, 0, count + 1, lists));
    std::copy_n(lists.taken.data(), proposal.after, before + degree);
  }
}

// Which of the `count` nodes of lists.list are to be neighbours of `from`; those who have left are
// not. Into lists.taken.
std::size_t Engine::choose(Slot from, std::uint32_t level, std::size_t count,
                           ListScratch& lists) const noexcept {
  const Storage& storage = writable();
  const Scorer scorer = edge_scorer(storage, from, lists.code.data());
  scorer(lists.list.data(), count, lists.distances.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (has_left(lists.list[i])) continue;
    lists.candidates[kept++] = Candidate{lists.distances[i], lists.list[i]};
  }
  std::sort(lists.candidates.data(), lists.candidates.data() + kept);
  return select_neighbours(
      std::span<const Candidate>(lists.candidates.data(), kept), kept_degree(level),
      alpha_of(options_.metric),
      [&](Slot other) { return edge_scorer(storage, other, lists.code.data()); },
      lists.taken.data());
}

void Engine::connect(const Plan& plan, ListScratch& lists) noexcept {
  Storage& storage = writable();
  const Links links = storage.links();
  const std::uint32_t level = level_of(options_.seed, plan.slot, options_.M);
  change(plan.slot);
  schedule_point("connect");
  storage.states[plan.slot].in_links = 0;
  if (level > 0) links.upper_in_links(plan.slot) = 0;
  flag(plan.slot, kLinked);

  const auto own = [&](std::uint32_t l) {
    return l < plan.levels ? std::span<const Slot>(plan.list(l), plan.counts[l])
                           : std::span<const Slot>();
  };
  for (std::uint32_t l = 0; l <= level; ++l) {
    links.write(plan.slot, l, own(l));
    for (const Slot neighbour : own(l)) count_link(neighbour, l);
  }
  for (std::uint32_t l = 0; l < plan.levels; ++l) {
    for (const Slot neighbour : own(l)) add_reverse_link(neighbour, l, plan, lists);
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

void Engine::add_reverse_link(Slot from, std::uint32_t level, const Plan& plan,
                              ListScratch& lists) noexcept {
  const Links links = writable().links();
  const std::size_t count = links.read(from, level, lists.list.data());
  const std::span<const Slot> list(lists.list.data(), count);
  if (std::find(list.begin(), list.end(), plan.slot) != list.end()) return;
  if (count < links.degree(level)) {
    change(from);
    links.append(from, level, count, plan.slot);
    count_link(plan.slot, level);
    return;
  }
  if (level == 0) {
    std::size_t i = 0;
    while (plan.proposals[i].of != from) ++i;
    const Proposal& proposal = plan.proposals[i];
    const Slot* const before = plan.proposed.data() + 2 * count * i;
    if (proposal.before == count && std::equal(list.begin(), list.end(), before)) {
      return rewrite_list(from, level, std::span(before + count, proposal.after));
    }
  }
  lists.list[count] = plan.slot;
  const std::size_t taken = choose(from, level, count + 1, lists);
  rewrite_list(from, level, std::span<const Slot>(lists.taken.data(), taken));
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
  for (const Slot neighbour : now) count_link(neighbour, level);
  for (std::size_t i = 0; i < count; ++i) {
    let_go(before[i], level);
    if (level == 0 && std::find(now.begin(), now.end(), before[i]) == now.end()) {
      if (is_elder(slot, before[i])) hold(before[i]);
      watch_dropped(before[i], slot);
    }
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

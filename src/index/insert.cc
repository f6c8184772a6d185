// insert.cc - where does a node want its links?
//
// Nodes of one write are linked 64 together, in three parts:
//
//   plan      walks the graph as any reader does and decides a node's own neighbours on each of its
//             levels; what the walk cannot find of the 64, each other, they compare one by one
//   propose   a list that is full when they come has to be chosen again with all of them that want
//             to be in it
//   connect   under the link lock (connect.cc)
//
// The first two are shared out among as many threads as there are, and see the graph as it is: so
// one write makes the same graph with any number of threads, and what is done under the lock is
// small. (docs/adr/0022)
//
// Papers: Malkov & Yashunin 2018, algorithm 1; Manohar et al. 2024, arXiv 2305.04359 (batches that
// are planned together, and links back that are chosen once for all that come).
#include <algorithm>
#include <atomic>
#include <limits>
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

constexpr std::size_t kWorthSharing = 4;  // nodes (docs/adr/0021)

// Of the nodes that are linked so many are looked for widely: the more, the faster an index grows
// by a part of itself.
constexpr std::uint32_t sample_every(std::uint32_t nodes) noexcept {
  return std::clamp(nodes / 1024, 8U, 512U);
}

std::uint32_t sample_breadth(const IndexOptions& options) noexcept {
  return std::max(2 * options.ef_construction, 256U);
}

}  // namespace

Status Engine::reserve_list_scratch(ListScratch& scratch) const {
  const std::size_t most = 2 * options_.M + kTogether;  // a list, and who wants to be in it
  Status status = scratch.code.reserve(code_scratch(writable()));
  if (status.ok()) status = scratch.candidates.reserve(2 * most);
  if (status.ok()) status = scratch.settled.reserve(most);
  if (status.ok()) status = scratch.list.reserve(most);
  if (status.ok()) status = scratch.taken.reserve(most);
  if (status.ok()) status = scratch.distances.reserve(most);
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
  const std::size_t most = own_degree(0);
  Status status;
  for (std::size_t i = 0; i < count && status.ok(); ++i) {
    scratch.plans[i].most = most;
    status = scratch.plans[i].neighbours.reserve((kMaxLevel + 1) * most);
  }
  scratch.degree = 2 * std::size_t{options_.M};
  const std::size_t links = count * most;
  if (status.ok()) status = scratch.arrivals.reserve(links);
  if (status.ok()) status = scratch.proposals.reserve(links);
  if (status.ok()) status = scratch.proposed.reserve(2 * scratch.degree * links);
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
  SKERRY_ASSERT(slots.size() <= scratch.plans.size());
  const EpochGuard guard;  // to the end: what was planned stays what it is
  // Settled here, as what a thread plans must not depend on how far the others are.
  const std::uint32_t every = sample_every(writable().used.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    scratch.plans[i].is_sample = slots[i] * 0x9E3779B1U <= 0xFFFFFFFFU / every;
  }
  if (slots.size() < kWorthSharing) threads = 1;
  share_out(slots.size(), threads, scratch, [&](std::size_t i, LinkScratch& mine) {
    plan_links(slots, i, mine, scratch.plans[i]);
  });
  const std::size_t proposals = gather_arrivals(slots, scratch);
  share_out(proposals, threads, scratch,
            [&](std::size_t i, LinkScratch& mine) { propose(scratch, i, mine.lists); });
  connect_together(slots, proposals, scratch);
}

// Calls task(i, scratch) for each i below `count`, on as many threads.
void Engine::share_out(std::size_t count, std::uint32_t threads, LinkScratch& scratch,
                       FunctionRef<void(std::size_t, LinkScratch&)> task) const noexcept {
  std::atomic<std::size_t> next{0};
  const auto work = [&](LinkScratch& mine) {
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i, mine);
  };
  if (threads == 1) return work(scratch);
  std::atomic<bool> taken{false};
  parallel(threads, [&] {
    // One of the threads uses the writer's scratch, which is reserved: so the work is done even
    // when there is no memory for the others'.
    if (!taken.exchange(true, std::memory_order_acquire)) return work(scratch);
    const ScratchLease<LinkScratch> lease(link_scratches_);
    if (lease.get() == nullptr || !reserve_link_scratch(*lease.get(), scratch.slots).ok()) return;
    const EpochGuard own;
    work(*lease.get());
  });
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
        plan.room(l)));
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

// Whose list on layer 0 do the planned nodes want to be in? One proposal each, in the order of
// slots, and none for a list that does not exist yet: that of a node which is planned as well. (It
// is perhaps what is left of a life before, which nobody may read.)
std::size_t Engine::gather_arrivals(std::span<const Slot> together,
                                    LinkScratch& scratch) const noexcept {
  Arrival* const arrivals = scratch.arrivals.data();
  std::size_t count = 0;
  for (std::size_t i = 0; i < together.size(); ++i) {
    const Plan& plan = scratch.plans[i];
    for (std::size_t j = 0; j < plan.counts[0]; ++j) {
      arrivals[count++] = Arrival{plan.list(0)[j], static_cast<std::uint32_t>(i)};
    }
  }
  std::sort(arrivals, arrivals + count);
  std::size_t proposals = 0;
  for (std::size_t i = 0, next; i < count; i = next) {
    next = i + 1;
    while (next < count && arrivals[next].at == arrivals[i].at) ++next;
    const bool is_new =
        std::find(together.begin(), together.end(), arrivals[i].at) != together.end();
    scratch.proposals[proposals++] = Proposal{arrivals[i].at,
                                              is_new,
                                              static_cast<std::uint32_t>(i),
                                              static_cast<std::uint32_t>(next),
                                              0,
                                              0};
  }
  return proposals;
}

// Without a lock: the list is what it is in this moment.
void Engine::propose(LinkScratch& plans, std::size_t number, ListScratch& lists) const noexcept {
  Proposal& proposal = plans.proposals[number];
  if (proposal.is_new) return;
  const Links links = writable().links();
  const std::size_t degree = links.degree(0);
  const std::size_t count = links.read(proposal.at, 0, lists.list.data());
  const std::size_t arrivals = proposal.arrivals_end - proposal.arrivals_begin;
  if (count + arrivals <= degree) return;
  std::copy_n(lists.list.data(), count, plans.room_before(number));
  for (std::size_t i = 0; i < arrivals; ++i) {
    lists.list[count + i] = plans.plans[plans.arrivals[proposal.arrivals_begin + i].number].slot;
  }
  proposal.before = static_cast<std::uint32_t>(count);
  proposal.after = static_cast<std::uint32_t>(choose(proposal.at, 0, count + arrivals, lists));
  std::copy_n(lists.taken.data(), proposal.after, plans.room_after(number));
}

// Which of the `count` nodes of lists.list are to be neighbours of `from`; those who have left are
// not. Into lists.taken.
std::size_t Engine::choose(Slot from, std::uint32_t level, std::size_t count,
                           ListScratch& lists) const noexcept {
  const Storage& storage = writable();
  const Scorer scorer = edge_scorer(storage, from, lists.code.data());
  scorer(lists.list.data(), count, lists.distances.data());
  // As it was chosen, a list goes from near to far; who came since is behind.
  std::size_t settled = 0;
  std::size_t kept = 0;
  float farthest = -std::numeric_limits<float>::infinity();
  Candidate* const chosen = lists.candidates.data();
  for (std::size_t i = 0; i < count; ++i) {
    if (has_left(lists.list[i])) continue;
    const float distance = lists.distances[i];
    if (settled == kept && distance >= farthest) ++settled;
    farthest = distance;
    chosen[kept++] = Candidate{distance, lists.list[i]};
  }
  std::sort(chosen + settled, chosen + kept);
  Candidate* const merged = chosen + kept;
  std::uint8_t* const was_chosen = lists.settled.data();
  for (std::size_t i = 0, old = 0, fresh = settled; i < kept; ++i) {
    was_chosen[i] = fresh == kept || (old != settled && !(chosen[fresh] < chosen[old]));
    merged[i] = was_chosen[i] != 0 ? chosen[old++] : chosen[fresh++];
  }
  return select_neighbours(
      std::span<const Candidate>(merged, kept), kept_degree(level), alpha_of(options_.metric),
      [&](Slot other) { return edge_scorer(storage, other, lists.code.data()); },
      lists.taken.data(), [&](std::size_t i) { return was_chosen[i] != 0; });
}

}  // namespace skerry

// beam_search.h - walk from near to nearer until the ef nearest nodes have all been asked.
//
// The story of one step: take the two nearest nodes that were not asked yet, collect those of their
// neighbours that this search has not met, score them in one batch (the kernel prefetches ahead of
// itself), offer each to the pool. It ends when every node in the pool has been asked. Two nodes a
// step give the memory twice as much to fetch at once; the second may be asked in vain, which costs
// less than waiting.
//
// Nothing here knows what a key is, who is alive or what a file is.
//
// Threads: reads of links are atomic (links.h); everything else belongs to the caller.
// Cost: about ef * degree(level) distances. Nothing is allocated but by the two begin() calls.
// Paper: Malkov & Yashunin 2018, algorithms 2 and 5.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/buffer.h"
#include "graph/candidate_pool.h"
#include "graph/links.h"
#include "graph/visited_set.h"
#include "quant/quantizer.h"

namespace skerry {

// What a walk needs of memory. Reserve once; 2 nodes a step.
struct BeamScratch {
  VisitedSet visited;
  CandidatePool pool;
  Buffer<Slot> slots;       // neighbours that were not met yet
  Buffer<Slot> list;        // one list
  Buffer<float> distances;  // of `slots`
  std::uint64_t hops = 0;   // lists read, and their bytes, since they were set to 0
  std::uint64_t link_bytes = 0;

  Status reserve(std::uint32_t degree0) {
    if (Status status = slots.reserve(2 * degree0); !status.ok()) return status;
    if (Status status = list.reserve(degree0); !status.ok()) return status;
    return distances.reserve(2 * degree0);
  }
  void count_hop(std::size_t bytes) noexcept {
    ++hops;
    link_bytes += bytes;
  }
};

// Where a walk stands.
struct Place {
  Slot slot = kNoSlot;
  float distance = 0;
};

// Of a descent that nobody watches.
struct Unwatched {
  void operator()(Place) const noexcept {}
};

// Goes to the nearest neighbour on `level` for as long as there is a nearer one. Adds the distances
// it took to `scored`, up to `budget` in all. `slot_limit`: slots from here on are not for this
// search. on_hop(place) is told of each node that is asked.
template <class OnHop = Unwatched>
Place descend(const Links& links, const Scorer& scorer, std::uint32_t level, Place place,
              Slot slot_limit, std::uint64_t budget, BeamScratch& scratch, std::uint64_t& scored,
              OnHop on_hop = {}) {
  while (scored < budget) {
    on_hop(place);
    std::size_t count = links.read(place.slot, level, scratch.list.data());
    scratch.count_hop(links.bytes(level));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (scratch.list[i] < slot_limit) scratch.slots[kept++] = scratch.list[i];
    }
    kept = static_cast<std::size_t>(std::min<std::uint64_t>(kept, budget - scored));
    scorer(scratch.slots.data(), kept, scratch.distances.data());
    scored += kept;
    Place best = place;
    for (std::size_t i = 0; i < kept; ++i) {
      if (scratch.distances[i] < best.distance) {
        best = Place{scratch.slots[i], scratch.distances[i]};
      }
    }
    if (best.slot == place.slot) return place;
    place = best;
  }
  return place;
}

// Collects the neighbours of `node` that were not met yet behind the `count` slots collected so
// far, and returns how many there are then.
inline std::size_t gather(const Links& links, std::uint32_t level, Slot node, std::size_t count,
                          BeamScratch& scratch) {
  const std::size_t found = links.read(node, level, scratch.list.data());
  scratch.count_hop(links.bytes(level));
  return count + scratch.visited.meet_all({scratch.list.data(), found}, &scratch.slots[count]);
}

// Two nodes that were asked, and how many were met for the first time: scratch.slots, and what they
// scored. Those that the first led to come first.
struct BeamStep {
  Candidate first;
  Candidate second;  // kNoSlot: there was none
  std::size_t of_first = 0;
  std::size_t count = 0;
};

// One step: asks `first` and the nearest after it in the pool. Their neighbours that were not met
// yet, at most `left`, are in scratch.slots then, and scored.
inline BeamStep ask_two(const Links& links, const Scorer& scorer, std::uint32_t level,
                        Candidate first, std::uint64_t left, BeamScratch& scratch) {
  BeamStep step{first, scratch.pool.expand()};
  const Slot second = step.second.slot;
  if (level == 0) {
    links.prefetch(first.slot);
    if (second != kNoSlot) links.prefetch(second);
  }
  step.count = step.of_first = gather(links, level, first.slot, 0, scratch);
  if (second != kNoSlot) step.count = gather(links, level, second, step.count, scratch);
  step.count = static_cast<std::size_t>(std::min<std::uint64_t>(step.count, left));
  scorer(scratch.slots.data(), step.count, scratch.distances.data());
  return step;
}

// Of a walk that nobody stops.
struct GoOn {
  bool operator()(const BeamStep&) const noexcept { return false; }
};

// Fills scratch.pool, which was begun with ef, from `entry` on. visited was begun. Returns the
// distances taken; stops early when they reach `budget`, or when stop(step), told of each step,
// says so: what is in the pool then is the best so far.
template <class Stop = GoOn>
std::uint64_t beam_search(const Links& links, const Scorer& scorer, std::uint32_t level,
                          Place entry, std::uint64_t budget, BeamScratch& scratch, Stop stop = {}) {
  CandidatePool& pool = scratch.pool;
  scratch.visited.meet(entry.slot);
  pool.offer(entry.distance, entry.slot);
  std::uint64_t scored = 0;
  while (scored < budget) {
    const Candidate first = pool.expand();
    if (first.slot == kNoSlot) break;
    const BeamStep step = ask_two(links, scorer, level, first, budget - scored, scratch);
    scored += step.count;
    for (std::size_t i = 0; i < step.count; ++i) {
      // Who is taken in may be asked soon.
      const bool taken = pool.offer(scratch.distances[i], scratch.slots[i]);
      if (taken && level == 0) links.prefetch(scratch.slots[i]);
    }
    if (stop(step)) break;
  }
  return scored;
}

// The same walk with a gate: `admit(slot)` decides what may be an answer and is asked only of nodes
// near enough to be one. Routing ignores it: scratch.pool holds the way, `answers` (begun with its
// own ef, perhaps with a reach) what was admitted. Ends when the way has nothing within its bar.
template <class Admit, class Stop = GoOn>
std::uint64_t filtered_beam_search(const Links& links, const Scorer& scorer, std::uint32_t level,
                                   Place entry, std::uint64_t budget, Admit admit,
                                   CandidatePool& answers, BeamScratch& scratch, Stop stop = {}) {
  CandidatePool& pool = scratch.pool;
  scratch.visited.meet(entry.slot);
  pool.offer(entry.distance, entry.slot);
  if (admit(entry.slot)) answers.offer(entry.distance, entry.slot);
  std::uint64_t scored = 0;
  while (scored < budget) {
    if (pool.next_distance() > answers.bar()) break;
    const Candidate first = pool.expand();
    if (first.slot == kNoSlot) break;
    const BeamStep step = ask_two(links, scorer, level, first, budget - scored, scratch);
    scored += step.count;
    for (std::size_t i = 0; i < step.count; ++i) {
      const float distance = scratch.distances[i];
      // What is beyond the bar now will never be asked: the way stays short.
      const bool taken = !(distance > answers.bar()) && pool.offer(distance, scratch.slots[i]);
      if (taken && level == 0) links.prefetch(scratch.slots[i]);
      if (answers.wants(distance) && admit(scratch.slots[i])) {
        answers.offer(distance, scratch.slots[i]);
      }
    }
    if (stop(step)) break;
  }
  return scored;
}

}  // namespace skerry

// search_witness.h - what did a search do, and what became of one key in it?
//
// A search that has a witness tells it of each node it asks, of those it meets and of the pool as
// it is after each step. Nothing of the search depends on it.
//
// Threads: one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "graph/beam_search.h"
#include "graph/visited_set.h"
#include "index/slots.h"
#include "skerry/explain.h"

namespace skerry {

class SearchWitness {
 public:
  // Without a key it notes the way alone.
  SearchWitness(std::optional<Key> key, std::span<Hop> hops) noexcept : key_(key), hops_(hops) {}

  std::optional<Key> key() const noexcept { return key_; }

  // An attempt begins, and what an earlier one did is forgotten. `target`: the slot in which it
  // sees the key, or kNoSlot. Allocates.
  Status begin(const SlotState* states, std::uint64_t sequence, std::uint32_t used, Slot target) {
    states_ = states;
    sequence_ = sequence;
    used_ = used;
    target_ = target;
    hop_count_ = 0;
    report = Explanation();
    was_in_pool = false;
    return asked_.begin(used);
  }
  Slot target() const noexcept { return target_; }

  // A walk on level 0 begins; one that went less far is forgotten, but for its hops.
  Status begin_walk() {
    report.was_met = false;
    return asked_.begin(used_);
  }

  void ask(Slot slot, float distance, std::uint32_t level) noexcept {
    if (level == 0) asked_.meet(slot);
    if (hop_count_ < hops_.size()) {
      hops_[hop_count_] = Hop{states_[slot].key.load(std::memory_order_relaxed), distance, level,
                              states_[slot].visible(sequence_)};
    }
    ++hop_count_;
  }

  // Of nodes that were scored where a walk begins, or beside it.
  void meet(std::span<const Slot> slots, const float* distances, float bar) noexcept {
    meet(slots, distances, bar, 0);
  }
  void step(const BeamStep& step, const BeamScratch& beam, float bar) noexcept {
    ask(step.first.slot, step.first.distance, 0);
    const std::uint64_t first = hop_count_;
    if (step.second.slot != kNoSlot) ask(step.second.slot, step.second.distance, 0);
    const std::size_t of_first = std::min(step.of_first, step.count);
    const std::span met(beam.slots.data(), step.count);
    meet(met.first(of_first), beam.distances.data(), bar, first);
    meet(met.subspan(of_first), beam.distances.data() + of_first, bar, hop_count_);
  }

  // `looked_at` of the pool were ranked, from its nearest: on codes, again.
  void end_walk(const CandidatePool& pool, std::size_t looked_at, bool on_codes) noexcept {
    was_in_pool = report.was_reranked = false;
    for (std::size_t i = 0; i < pool.size(); ++i) {
      if (pool.slot(i) != target_) continue;
      was_in_pool = true;
      report.was_reranked = on_codes && i < looked_at;
    }
  }

  bool was_asked(Slot slot) const noexcept { return asked_.is_met(slot); }

  // What it knows; the search fills in the rest (explain.cc).
  Explanation report;
  bool was_in_pool = false;  // when the walk ended

 private:
  void meet(std::span<const Slot> slots, const float* distances, float bar,
            std::uint64_t hop) noexcept {
    const auto found = std::find(slots.begin(), slots.end(), target_);
    if (found == slots.end()) return;
    report.was_met = true;
    report.met_at_hop = hop;
    report.code_distance = distances[found - slots.begin()];
    report.bar_when_met = bar;
  }

  const std::optional<Key> key_;
  const std::span<Hop> hops_;
  const SlotState* states_ = nullptr;
  std::uint64_t sequence_ = 0;
  std::uint32_t used_ = 0;
  Slot target_ = kNoSlot;
  std::uint64_t hop_count_ = 0;
  VisitedSet asked_;  // on level 0
};

}  // namespace skerry

// filter_gate.h - which slots does a search's filter let through?
//
// A predicate is asked for each slot. Keys that were listed are looked up once, and their slots
// marked.
//
// Threads: one search at a time owns the marks (they live in a Searcher).
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/links.h"
#include "graph/visited_set.h"
#include "index/patience.h"
#include "index/slots.h"
#include "skerry/types.h"

namespace skerry {

class FilterGate {
 public:
  FilterGate(const Filter& filter, const SlotState* states, VisitedSet& marks) noexcept
      : filter_(filter), states_(states), marks_(marks) {}

  bool is_none() const noexcept { return filter_.kind() == Filter::Kind::none; }
  bool is_listed() const noexcept {
    return filter_.kind() == Filter::Kind::only || filter_.kind() == Filter::Kind::except;
  }

  // Before mark(). Allocates when there were never so many slots.
  Status begin(std::uint32_t used) {
    marked_ = 0;
    return is_listed() ? marks_.begin(used) : Status();
  }

  // Marks find(key), kNoSlot for none, of every listed key, and calls each(slot) the first time.
  // When the search's patience ends, not all are marked.
  template <class Find, class Each>
  void mark(Patience& patience, Find find, Each each) {
    for (const Key key : filter_.keys()) {
      if (patience.spend(1)) return;
      const Slot slot = find(key);
      if (slot == kNoSlot || !marks_.meet(slot)) continue;
      ++marked_;
      each(slot);
    }
  }

  bool passes(Slot slot) const {
    switch (filter_.kind()) {
      case Filter::Kind::predicate:
        return filter_.passes(states_[slot].key.load(std::memory_order_relaxed));
      case Filter::Kind::only:
        return marks_.is_met(slot);
      case Filter::Kind::except:
        return !marks_.is_met(slot);
      default:
        return true;
    }
  }

  // Of `live` keys, so large a part passes. Of listed ones it is known once they are marked; of a
  // predicate it is estimated on some of the slots below `used` that are visible at `sequence`.
  double share(std::uint64_t live, std::uint32_t used, std::uint64_t sequence) const {
    if (is_none()) return 1;
    if (filter_.kind() == Filter::Kind::predicate) return sampled_share(used, sequence);
    const double part = static_cast<double>(marked_) / static_cast<double>(live == 0 ? 1 : live);
    return filter_.kind() == Filter::Kind::only ? part : std::max(0.0, 1 - part);
  }

 private:
  // Slots are asked until so many have passed: then the estimate is good to a quarter. At most one
  // in kSamplePart, and kMostSampled.
  static constexpr std::uint32_t kSamplePasses = 16;
  static constexpr std::uint32_t kSamplePart = 32;
  static constexpr std::uint32_t kLeastSampled = 128;
  static constexpr std::uint32_t kMostSampled = 4096;

  double sampled_share(std::uint32_t used, std::uint64_t sequence) const {
    std::uint32_t asked = 0;
    std::uint32_t passed = 0;
    const std::uint32_t most = std::clamp(used / kSamplePart, kLeastSampled, kMostSampled);
    // Slots far apart, the same ones each time: a search repeats. The steps are those of the golden
    // ratio, so they fall in with no period that the keys may have.
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < 2 * most && asked < most && passed < kSamplePasses; ++i) {
      at += 0x9E3779B97F4A7C15ULL;
      const auto slot = static_cast<Slot>((at >> 32) * used >> 32);
      if (!states_[slot].visible(sequence)) continue;
      ++asked;
      passed += passes(slot) ? 1 : 0;
    }
    return (passed + 0.5) / (asked + 1.0);
  }

  const Filter& filter_;
  const SlotState* states_;
  VisitedSet& marks_;         // slots of listed keys, visible ones
  std::uint64_t marked_ = 0;  // how many
};

}  // namespace skerry

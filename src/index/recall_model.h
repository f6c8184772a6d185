// recall_model.h - how far must a walk go to find so much of the truth?
//
// A walk asks the nearest node first, whatever its breadth: a narrow walk is the beginning of a
// wide one. So one wide walk tells what each narrower one would have found, and where it would have
// ended:
//
//     ef        when the ef nearest nodes met so far have all been asked
//     stretch   when the nearest that was not asked is farther than `stretch` times the anchor: the
//               k-th nearest met so far (with codes, the last that would be scored again exactly)
//
// A stretch follows the query: where neighbours stand out it ends soon, in a crowd it goes on. For
// the same recall it costs a tenth to a fifth less than one ef for all (docs/adr/0025). It needs
// distances with a zero, which `ip` lacks.
//
// Every so many nodes that are linked are looked for widely (walk_trace.h): a query of the
// collection's own that the graph does not know yet. What it found goes into running means over
// the last few hundred, so the model is as fresh as the collection. Nothing is learned but these
// means: recall over stretch and over ef, for k = 10 and k = 100.
//
// Threads: effort() from any; learn(), adopt() one at a time. A reader beside them may see some
// points before and some after.
// Paper: Al-Jazzazi et al. 2025, "Distance Adaptive Beam Search" (arXiv 2505.15636), for the
// stretch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "skerry/types.h"

namespace skerry {

// How far a walk goes.
struct Effort {
  std::uint32_t ef = 0;
  float stretch = 0;
};

// How many are ranked again so that k can be returned: codes do not know exactly who is the k-th.
// Half as many again and ten more were enough to lose nothing measurable against all of them.
constexpr std::size_t rerank_count(std::size_t k, bool on_codes) noexcept {
  return on_codes ? k + k / 2 + 10 : k;
}

class RecallModel {
 public:
  enum Rule : std::uint8_t { kStretch, kEf };
  static constexpr std::size_t kRules = 2;
  static constexpr std::size_t kPoints = 32;
  static constexpr std::array<std::size_t, 2> kKs = {10, 100};

  // Point i of each rule: stretches 1.005 .. 9, breadths 10 .. 1000, in equal ratios (of a stretch
  // what is above 1).
  static double stretch_at(double point) noexcept;
  static double ef_at(double point) noexcept;

  // Of one wide walk: how many of the k neighbours a walk that ends at each point finds.
  struct Sample {
    bool is_of[kKs.size()] = {};  // there were k neighbours, so `found` says something
    std::uint8_t found[kKs.size()][kRules][kPoints] = {};
  };

  // What an image keeps.
  struct State {
    float samples = 0;
    float recall[kKs.size()][kRules][kPoints] = {};
  };

  RecallModel() noexcept { adopt(State{}); }

  void learn(const Sample& sample) noexcept;

  // What finds `target` of the k nearest, on average over queries like the collection's own.
  // 0 < target < 1. Before there were samples, from what other sets were like.
  // O(points).
  Effort effort(std::size_t k, float target) const noexcept;

  // A model that was never taught says 0 samples.
  State state() const noexcept;
  // False, and nothing changes, when that cannot be a model's.
  bool adopt(const State& state) noexcept;

 private:
  double point_of(std::size_t k_index, Rule rule, double recall) const noexcept;

  std::atomic<float> samples_{0};
  std::atomic<float> recall_[kKs.size()][kRules][kPoints];
};

}  // namespace skerry

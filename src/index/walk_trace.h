// walk_trace.h - what would each narrower walk have found?
//
// Noted of a wide walk: whom it met at each step, and how far it was by then as each rule of
// recall_model.h measures it. Compared with the neighbours that are the true ones, as far as the
// wide walk knows, that is a sample for the model.
//
//     met      | entry | of step 1 ... | of step 2 ... |      in the order they were scored
//     steps    end of the step in `met`; ef and stretches at which a walk would have ended after it
//
// Threads: one owner at a time.
// Cost: O(visited * log 100) a sample.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "base/buffer.h"
#include "graph/beam_search.h"
#include "graph/candidate_pool.h"
#include "graph/links.h"
#include "index/recall_model.h"
#include "skerry/status.h"

namespace skerry {

class WalkTrace {
  static constexpr std::size_t kKs = RecallModel::kKs.size();

 public:
  // Room for a walk of that breadth; one that takes more steps is no sample.
  Status reserve(std::uint32_t ef, std::uint32_t degree0) {
    if (Status status = steps_.reserve(ef); !status.ok()) return status;
    return met_.reserve(std::size_t{ef} * degree0);
  }

  void begin(Slot entry, bool on_codes) noexcept {
    on_codes_ = on_codes;
    is_whole_ = true;
    step_count_ = 0;
    met_[0] = entry;
    met_count_ = 1;
  }

  // After each step of the walk in `beam`, which has scored `count` nodes.
  void note(BeamScratch& beam, std::size_t count) noexcept {
    is_whole_ = is_whole_ && step_count_ < steps_.size() && met_count_ + count <= met_.size();
    if (!is_whole_) return;
    std::copy_n(beam.slots.data(), count, met_.data() + met_count_);
    met_count_ += count;
    CandidatePool& pool = beam.pool;
    const float next = pool.next_distance();
    Step& step = steps_[step_count_++];
    step.end = met_count_;
    step.reached[RecallModel::kEf].fill(static_cast<double>(pool.asked()));
    for (std::size_t c = 0; c < kKs; ++c) {
      const std::size_t anchor = rerank_count(RecallModel::kKs[c], on_codes_);
      step.reached[RecallModel::kStretch][c] =
          pool.size() < anchor ? 0 : stretch_of(next, pool.distance(anchor - 1));
    }
  }

  // `truth`: the true neighbours, nearest first; `seen`: whom the walk takes for the nearest, in
  // its order. A neighbour that is not among those from which k are chosen is found by no walk.
  RecallModel::Sample judge(std::span<const Slot> truth, std::span<const Slot> seen) noexcept;

 private:
  struct Step {
    std::size_t end;
    std::array<double, kKs> reached[RecallModel::kRules];
    std::uint8_t found;  // of those wanted, until here
  };

  static double stretch_of(float next, float anchor) noexcept {
    if (anchor > 0) return static_cast<double>(next) / static_cast<double>(anchor);
    return next > anchor ? std::numeric_limits<double>::infinity() : 0;
  }

  bool on_codes_ = false;
  bool is_whole_ = false;
  Buffer<Step> steps_;
  std::size_t step_count_ = 0;
  Buffer<Slot> met_;
  std::size_t met_count_ = 0;
};

inline RecallModel::Sample WalkTrace::judge(std::span<const Slot> truth,
                                            std::span<const Slot> seen) noexcept {
  RecallModel::Sample sample;
  for (std::size_t c = 0; is_whole_ && c < kKs; ++c) {
    const std::size_t k = RecallModel::kKs[c];
    if (truth.size() < k) continue;
    const auto chosen_from = seen.first(std::min(seen.size(), rerank_count(k, on_codes_)));
    std::array<Slot, RecallModel::kKs.back()> wanted;
    std::size_t count = 0;
    for (const Slot slot : truth.first(k)) {
      if (std::find(chosen_from.begin(), chosen_from.end(), slot) == chosen_from.end()) continue;
      wanted[count++] = slot;
    }
    const auto end = wanted.begin() + static_cast<std::ptrdiff_t>(count);
    std::sort(wanted.begin(), end);
    // Of the thousands met few are wanted: their last bits tell of most that they are not.
    std::bitset<4096> maybe;
    for (auto slot = wanted.begin(); slot != end; ++slot) maybe.set(*slot % maybe.size());
    std::uint8_t found = 0;
    std::size_t at = 0;
    for (std::size_t step = 0; step < step_count_; ++step) {
      for (; at < steps_[step].end; ++at) {
        const Slot slot = met_[at];
        const bool is_wanted =
            maybe[slot % maybe.size()] && std::binary_search(wanted.begin(), end, slot);
        found += is_wanted ? 1 : 0;
      }
      steps_[step].found = found;
    }
    sample.is_of[c] = true;
    const auto fill = [&](RecallModel::Rule rule, auto value_at) {
      std::size_t point = 0;
      for (std::size_t step = 0; step < step_count_; ++step) {
        const double reached = steps_[step].reached[rule][c];
        for (; point < RecallModel::kPoints && reached >= value_at(point); ++point) {
          sample.found[c][rule][point] = steps_[step].found;
        }
      }
      std::fill(sample.found[c][rule] + point, std::end(sample.found[c][rule]), found);
    };
    fill(RecallModel::kStretch, [](std::size_t i) { return RecallModel::stretch_at(i); });
    fill(RecallModel::kEf, [](std::size_t i) { return RecallModel::ef_at(i); });
  }
  return sample;
}

}  // namespace skerry

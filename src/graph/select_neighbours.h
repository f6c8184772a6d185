// select_neighbours.h - which of the candidates deserve a link?
//
// From near to far, a candidate is taken when it is not much nearer to a neighbour taken before it
// than to the node: links then point in different directions instead of all into the nearest crowd,
// and a walk can leave the crowd. `alpha` says how much: a candidate may be nearer to another by
// that factor. Candidates refused are not taken later to fill up.
//
// Copies of the node (nearer by a factor of 10^5 than the farthest candidate) are never nearer to
// each other than to the node, so they would fill the list and leave no way out of their crowd:
// they get at most half of it.
//
// A list that is chosen again was chosen before, but for those at its end. Of those `settled`
// nobody refuses another, so they are compared with the newcomers only, which is half the work.
//
// Papers: Malkov & Yashunin 2018, algorithm 4, without its two extensions; Subramanya et al. 2019
// (DiskANN), algorithm 2, for alpha. docs/adr/0030 has what its values cost and bring.
// Cost: at most candidates * taken distances, batched eight at a time so that a refusal comes
// early.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "graph/candidate_pool.h"
#include "graph/links.h"
#include "quant/quantizer.h"
#include "skerry/types.h"

namespace skerry {

// Where distances are squares of lengths. Others are added up, or may be negative.
constexpr float alpha_of(Metric metric) noexcept {
  const bool squares =
      metric == Metric::l2 || metric == Metric::cosine || metric == Metric::hamming;
  return squares ? 1.15F : 1.0F;
}

// `candidates` ascending by distance to the node; scorer_of(slot) gives a Scorer with that node as
// its query; settled(i): was candidate i chosen beside the others that are settled? Writes at most
// `limit` slots, which is no more than the longest list, into `taken` and returns how many.
template <class ScorerOf, class Settled>
std::size_t select_neighbours(std::span<const Candidate> candidates, std::size_t limit, float alpha,
                              ScorerOf scorer_of, Slot* taken, Settled settled) {
  constexpr std::size_t kBatch = 8;
  float distances[kBatch];
  std::size_t count = 0;
  Slot fresh[2 * 256];  // of the taken, who is not settled
  std::size_t fresh_count = 0;
  std::size_t copies = 0;
  for (std::size_t at = 0; at < candidates.size() && count < limit; ++at) {
    const Candidate& candidate = candidates[at];
    const bool is_settled = settled(at);
    const std::span<const Slot> others = is_settled ? std::span<const Slot>(fresh, fresh_count)
                                                    : std::span<const Slot>(taken, count);
    const bool is_copy = candidate.distance <= candidates.back().distance * 1e-5F;
    bool keep = !is_copy || copies < limit / 2;
    if (keep && !others.empty()) {
      const Scorer scorer = scorer_of(candidate.slot);
      for (std::size_t from = 0; keep && from < others.size(); from += kBatch) {
        const std::size_t batch = std::min(others.size() - from, kBatch);
        scorer(others.data() + from, batch, distances);
        for (std::size_t i = 0; i < batch; ++i) {
          if (alpha * distances[i] < candidate.distance) keep = false;
        }
      }
    }
    if (!keep) continue;
    taken[count++] = candidate.slot;
    if (!is_settled) fresh[fresh_count++] = candidate.slot;
    copies += is_copy ? 1 : 0;
  }
  return count;
}

// Candidates that were not chosen before.
template <class ScorerOf>
std::size_t select_neighbours(std::span<const Candidate> candidates, std::size_t limit, float alpha,
                              ScorerOf scorer_of, Slot* taken) {
  return select_neighbours(candidates, limit, alpha, scorer_of, taken,
                           [](std::size_t) { return false; });
}

}  // namespace skerry

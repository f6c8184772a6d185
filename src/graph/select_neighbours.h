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
// Papers: Malkov & Yashunin 2018, algorithm 4, without its two extensions; Subramanya et al. 2019
// (DiskANN), algorithm 2, for alpha. docs/adr/0030 has what its values cost and bring.
// Cost: at most candidates * taken distances, batched eight at a time so that a refusal comes
// early.
#pragma once

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
// its query. Writes at most `limit` slots into `taken` and returns how many.
template <class ScorerOf>
std::size_t select_neighbours(std::span<const Candidate> candidates, std::size_t limit, float alpha,
                              ScorerOf scorer_of, Slot* taken) {
  constexpr std::size_t kBatch = 8;
  float distances[kBatch];
  std::size_t count = 0;
  std::size_t copies = 0;
  for (const Candidate& candidate : candidates) {
    if (count == limit) break;
    const bool is_copy = candidate.distance <= candidates.back().distance * 1e-5F;
    bool keep = !is_copy || copies < limit / 2;
    if (keep && count != 0) {
      const Scorer scorer = scorer_of(candidate.slot);
      for (std::size_t from = 0; keep && from < count; from += kBatch) {
        const std::size_t batch = count - from < kBatch ? count - from : kBatch;
        scorer(taken + from, batch, distances);
        for (std::size_t i = 0; i < batch; ++i) {
          if (alpha * distances[i] < candidate.distance) keep = false;
        }
      }
    }
    if (!keep) continue;
    taken[count++] = candidate.slot;
    copies += is_copy ? 1 : 0;
  }
  return count;
}

}  // namespace skerry

// truth.h - which neighbours are the true ones, and how many of them were found?
//
// Everything here is worked out in double precision, straight from the definitions and with none of
// Skerry's own kernels: the judge must not be a relative of the judged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "matrix.h"
#include "skerry/types.h"

namespace skerry::bench {

// l2: squared Euclidean; ip: 1 - dot; cosine: 1 - cosine, 1 for a zero vector. O(dimension).
double exact_distance(Metric metric, const float* a, const float* b, std::size_t dimension);

// The nearest rows of each query, nearest first.
struct Truth {
  std::size_t queries = 0;
  std::size_t depth = 0;            // neighbours a query
  std::vector<std::uint32_t> rows;  // queries * depth

  std::span<const std::uint32_t> of(std::size_t query) const noexcept {
    return {rows.data() + query * depth, depth};
  }
};

// Brute force: all distances in float, the best few again in double. O(queries * rows * dimension)
// on `threads` threads, with a progress bar.
Truth find_truth(Metric metric, const Matrix& base, const Matrix& queries, std::size_t depth,
                 unsigned threads);

// Counts what a search has found.
//
// A row counts when its distance is at most that of the k-th true neighbour times (1 + 1e-6): of
// neighbours at one distance any will do. The same row twice counts once.
class Judge {
 public:
  // Borrows the matrices. Throws std::runtime_error when the truth cannot be that of this data and
  // metric: a row beyond the base, or neighbours that are not in ascending order.
  Judge(Metric metric, const Matrix& base, const Matrix& queries, const Truth& truth,
        std::size_t k);

  std::size_t k() const noexcept { return k_; }

  // Part of the k true neighbours of `query` that is among the rows.
  double recall(std::size_t query, std::span<const std::uint32_t> rows) const;

 private:
  Metric metric_;
  const Matrix& base_;
  const Matrix& queries_;
  std::size_t k_;
  std::vector<double> farthest_;  // by query: what still counts
};

}  // namespace skerry::bench

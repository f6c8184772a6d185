// truth.cc - see truth.h.
#include "truth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "parallel.h"

namespace skerry::bench {
namespace {

// Sixteen sums side by side, which every compiler turns into vector code without leave to reorder.
constexpr std::size_t kLanes = 16;

template <class Term>
float sum_of(const float* a, const float* b, std::size_t dimension, const Term& term) {
  float sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= dimension; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += term(a[i + lane], b[i + lane]);
  }
  float sum = 0;
  for (; i < dimension; ++i) sum += term(a[i], b[i]);
  for (const float lane : sums) sum += lane;
  return sum;
}

float rough_square(const float* a, const float* b, std::size_t dimension) {
  return sum_of(a, b, dimension, [](float x, float y) { return (x - y) * (x - y); });
}

float rough_dot(const float* a, const float* b, std::size_t dimension) {
  return sum_of(a, b, dimension, [](float x, float y) { return x * y; });
}

using Candidate = std::pair<float, std::uint32_t>;  // rough distance, row

// Keeps the `room` nearest in a heap with the farthest on top.
void offer(std::vector<Candidate>& heap, std::size_t room, Candidate candidate) {
  if (heap.size() == room) {
    if (candidate >= heap.front()) return;
    std::pop_heap(heap.begin(), heap.end());
    heap.back() = candidate;
  } else {
    heap.push_back(candidate);
  }
  std::push_heap(heap.begin(), heap.end());
}

}  // namespace

double exact_distance(Metric metric, const float* a, const float* b, std::size_t dimension) {
  double square = 0, dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < dimension; ++i) {
    const double x = a[i], y = b[i];
    square += (x - y) * (x - y);
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (metric == Metric::l2) return square;
  if (metric == Metric::ip) return 1 - dot;
  return aa == 0 || bb == 0 ? 1 : 1 - dot / (std::sqrt(aa) * std::sqrt(bb));
}

Truth find_truth(Metric metric, const Matrix& base, const Matrix& queries, std::size_t depth,
                 unsigned threads) {
  const std::size_t dimension = base.dimension;
  depth = std::min(depth, base.rows);
  const std::size_t room = std::min(base.rows, depth + 60);  // for what float cannot tell apart

  std::vector<float> scale(base.rows, 1);  // cosine: one over the norm
  if (metric == Metric::cosine) {
    for (std::size_t row = 0; row < base.rows; ++row) {
      const float square = rough_dot(base.row(row), base.row(row), dimension);
      scale[row] = square > 0 ? 1 / std::sqrt(square) : 0;
    }
  }

  Truth truth{queries.rows, depth, std::vector<std::uint32_t>(queries.rows * depth)};
  constexpr std::size_t kQueries = 8;  // that share one walk over the base
  constexpr std::size_t kTile = 64;    // rows that stay in the cache meanwhile
  parallel_for((queries.rows + kQueries - 1) / kQueries, threads, "exact neighbours",
               [&](std::size_t block, unsigned) {
                 const std::size_t first = block * kQueries;
                 const std::size_t limit = std::min(queries.rows, first + kQueries);
                 std::vector<std::vector<Candidate>> heaps(limit - first);
                 for (std::size_t tile = 0; tile < base.rows; tile += kTile) {
                   for (std::size_t query = first; query < limit; ++query) {
                     for (std::size_t row = tile; row < std::min(base.rows, tile + kTile); ++row) {
                       const float rough =
                           metric == Metric::l2
                               ? rough_square(queries.row(query), base.row(row), dimension)
                               : -scale[row] *
                                     rough_dot(queries.row(query), base.row(row), dimension);
                       offer(heaps[query - first], room, {rough, static_cast<std::uint32_t>(row)});
                     }
                   }
                 }
                 for (std::size_t query = first; query < limit; ++query) {
                   std::vector<std::pair<double, std::uint32_t>> exact;
                   for (const Candidate& candidate : heaps[query - first]) {
                     const std::uint32_t row = candidate.second;
                     exact.emplace_back(
                         exact_distance(metric, queries.row(query), base.row(row), dimension), row);
                   }
                   std::sort(exact.begin(), exact.end());
                   for (std::size_t i = 0; i < depth; ++i)
                     truth.rows[query * depth + i] = exact[i].second;
                 }
               });
  return truth;
}

Judge::Judge(Metric metric, const Matrix& base, const Matrix& queries, const Truth& truth,
             std::size_t k)
    : metric_(metric), base_(base), queries_(queries), k_(std::min(k, base.rows)) {
  if (truth.queries < queries.rows || truth.depth < k_) {
    throw std::runtime_error(
        fmt::format("the truth has {} queries of {} neighbours, but {} of {} "
                    "are needed",
                    truth.queries, truth.depth, queries.rows, k_));
  }
  farthest_.reserve(queries.rows);
  for (std::size_t query = 0; query < queries.rows; ++query) {
    double distance = 0;
    for (std::size_t i = 0; i < k_; ++i) {
      const std::uint32_t row = truth.of(query)[i];
      if (row >= base.rows) {
        throw std::runtime_error(
            fmt::format("the truth names row {} of query {}, but the base has "
                        "{} rows",
                        row, query, base.rows));
      }
      const double next = exact_distance(metric, queries.row(query), base.row(row), base.dimension);
      if (i > 0 && next < distance - 1e-4 * std::abs(distance) - 1e-6) {
        throw std::runtime_error(
            fmt::format("the truth of query {} is not in ascending order: is "
                        "{} its metric?",
                        query, name_of(metric)));
      }
      distance = i == 0 ? next : std::max(distance, next);
    }
    // Cosines carry the rounding of the norms, whatever the distance: 1e-12 is far above it.
    farthest_.push_back(distance + 1e-6 * std::abs(distance) +
                        (metric == Metric::cosine ? 1e-12 : 0));
  }
}

double Judge::recall(std::size_t query, std::span<const std::uint32_t> rows) const {
  std::vector<std::uint32_t> seen;
  std::size_t found = 0;
  for (const std::uint32_t row : rows) {
    if (std::find(seen.begin(), seen.end(), row) != seen.end()) continue;
    seen.push_back(row);
    const double distance =
        exact_distance(metric_, queries_.row(query), base_.row(row), base_.dimension);
    if (distance <= farthest_[query]) ++found;
  }
  return k_ == 0 ? 1 : static_cast<double>(std::min(found, k_)) / static_cast<double>(k_);
}

}  // namespace skerry::bench

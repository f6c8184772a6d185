// live_truth.h - which neighbours are the true ones, among rows that come and go?
//
// Each query keeps a list of its nearest live rows, several times as long as is asked for. A row
// that goes leaves a gap; a row that comes is compared with the lists alone. Only a list that has
// become too short is made again by looking at everything: at 5 % of changes a step that is a
// twentieth of the work of finding all neighbours anew, and the same answer.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "dataset.h"
#include "truth.h"

namespace skerry::bench {

class LiveTruth {
 public:
  // Borrows the set. `k` neighbours are asked for.
  LiveTruth(const Dataset& set, std::size_t k, unsigned threads);

  // The k nearest among these rows (or all of them, when they are fewer), each named once.
  // O(queries
  // * (rows that came + rows that went) * dimension), and queries * rows * dimension at worst.
  Truth among(const std::vector<std::uint32_t>& rows);

  // How many lists were made again so far.
  std::size_t remade() const noexcept { return remade_; }

 private:
  using Near = std::pair<double, std::uint32_t>;  // distance, row

  // The nearest of some rows to some queries, in order of distance; `depth_` of them at most.
  std::vector<std::vector<Near>> nearest(const std::vector<std::uint32_t>& rows,
                                         const std::vector<std::uint32_t>& queries) const;
  void take_in(const std::vector<std::uint32_t>& rows);
  void make_again(const std::vector<std::uint32_t>& rows, std::size_t k);

  const Dataset& set_;
  std::size_t k_;
  std::size_t depth_;  // of a list, at most
  unsigned threads_;
  std::vector<bool> is_live_;             // by row
  std::vector<std::vector<Near>> lists_;  // by query: the nearest live rows, nearest first
  std::vector<double> reach_;             // by query: a live row nearer than this is in the list
  std::size_t remade_ = 0;
};

}  // namespace skerry::bench

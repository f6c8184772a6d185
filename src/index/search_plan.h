// search_plan.h - which way to the answers is expected to be the cheapest?
//
//   look up     every key of an allow-list, exactly
//   scan        every visible slot that passes, exactly
//   walk        the graph on codes; the best are scored again on the exact rows
//   gated walk  the walk with a gate: routing ignores the filter, admission obeys it
//   probe       a gated walk that is expected to cost more than a scan, begun all the same: whether
//               what passes is near the query it knows after some nodes, and the scan that then
//               follows costs so much more than they did that it was worth looking
//
// Costs are rough nanoseconds, for choosing only; measured on one machine, the ratios matter.
//
// Filter planning in the spirit of Gollapudi et al., "Filtered-DiskANN" (WWW 2023) and of ACORN
// (Patel et al. 2024, arXiv 2403.04871): with few keys passing, scanning them is cheaper than
// walking past all others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "skerry/explain.h"

namespace skerry {

// Of a row that is met in a walk.
double cost_of_distance(std::size_t stride) noexcept;

// How far a walk goes.
struct Breadth {
  std::size_t ef = 0;
  float stretch = 0;       // 0: the walk ends by ef alone
  std::size_t anchor = 0;  // whose distance is stretched

  // One that ends by its stretch goes as far as the query needs, within reason.
  std::size_t most() const noexcept {
    return stretch > 0 ? std::max(ef * kMostStretched, anchor) : ef;
  }

 private:
  static constexpr std::size_t kMostStretched = 4;  // times the ef that would do on average
};

// What a plan is made from.
struct SearchCase {
  std::uint64_t live = 0;
  std::uint32_t used = 0;     // slots that a scan looks at
  std::uint32_t backlog = 0;  // slots that are scored beside a walk
  std::size_t row_bytes = 0;
  std::size_t code_bytes = 0;
  std::uint32_t M = 0;
  std::size_t ef = 0;
  bool may_walk = false;
  bool always_walks = false;  // while there is no filter: the graph was asked for at any size
  bool gated = false;
  double share = 1;  // of live keys that pass
};

struct SearchPlan {
  SearchWay way = SearchWay::scan;
  double live = 1;
  double share = 1;       // more than 0
  double walk_cost = 0;   // of the walk to its end
  double scan_cost = 0;   // of every live key that passes
  double affordable = 0;  // nodes that a walk may meet for the cost of the scan
  double new_each = 0;    // nodes that a walk meets for the first time, a node asked

  bool is_gated() const noexcept { return way == SearchWay::gated_walk || way == SearchWay::probe; }
  // Of the pool that holds the way: a gated walk's is wider by what does not pass.
  std::size_t breadth_of_way(std::size_t most) const noexcept;
};

// Among the ways but look_up.
SearchPlan plan_search(const SearchCase& given) noexcept;

// Of an allow-list, before it is known how many of the keys there are: look_up, whose cost is
// scan_cost then, or a gated walk, which is to be planned again when it is known.
SearchPlan plan_look_up(const SearchCase& given, std::size_t keys) noexcept;

// Does a gated walk meet too few answers? It gives up at the latest when it has cost as much as a
// scan; a probe as soon as its first nodes do not tell otherwise than was expected.
class WalkDoubt {
 public:
  explicit WalkDoubt(const SearchPlan& plan) noexcept : plan_(plan) {}

  // After each step, which met `nodes` for the first time; of the answers wanted, `ef`, there are
  // `answers` now.
  void note(std::size_t nodes, std::size_t ef, std::size_t answers, bool full) noexcept;

  bool gives_up() const noexcept { return gives_up_; }

 private:
  const SearchPlan& plan_;
  std::uint64_t met_ = 0;
  bool has_probed_ = false;
  bool gives_up_ = false;
};

}  // namespace skerry

#include "index/search_plan.h"

namespace skerry {
namespace {

constexpr double kCostOfState = 1.5;    // looking at a slot's state in a scan
constexpr double kCostOfPredicate = 2;  // asking the caller
constexpr double kCostOfStep = 12;      // of a walk, a node: its link, mark, place in the pool
constexpr double kCostInBlocks = 0.6;   // of a distance, when rows come one behind the other
constexpr double kLeastShare = 1e-6;

// A filter's answers may be near the query or far from it: a walk knows after so many nodes.
constexpr std::uint64_t kProbe = 256;
constexpr double kWorthProbing = 8;  // times the probe, a scan costs

}  // namespace

double cost_of_distance(std::size_t stride) noexcept {
  return 12 + static_cast<double>(stride) / 40;
}

SearchPlan plan_search(const SearchCase& given) noexcept {
  SearchPlan plan;
  plan.live = static_cast<double>(std::max<std::uint64_t>(given.live, 1));
  plan.share = std::max(given.share, kLeastShare);
  plan.new_each = given.M * 1.2;
  // A gated walk must meet ef / share nodes before ef of them pass.
  const double met = std::min(plan.live, static_cast<double>(given.ef) / plan.share);
  const double code_cost = cost_of_distance(given.code_bytes);
  const double step_cost = code_cost + kCostOfStep + (given.gated ? kCostOfPredicate : 0);
  plan.walk_cost = std::min(plan.live, met * plan.new_each) * step_cost +
                   given.backlog * (kCostOfState + code_cost);
  plan.scan_cost = given.used * kCostOfState + plan.live * (given.gated ? kCostOfPredicate : 0) +
                   plan.live * plan.share * cost_of_distance(given.row_bytes) * kCostInBlocks;
  plan.affordable = plan.scan_cost / step_cost;

  // Who always wants the graph wants a scan where a walk would meet everybody.
  const bool scan_is_cheaper = given.always_walks && !given.gated
                                   ? given.ef >= given.live
                                   : plan.walk_cost >= plan.scan_cost;
  const bool is_worth_probing =
      given.gated && plan.affordable > kWorthProbing * static_cast<double>(kProbe);
  if (!given.may_walk || (scan_is_cheaper && !is_worth_probing)) {
    plan.way = SearchWay::scan;
  } else if (scan_is_cheaper) {
    plan.way = SearchWay::probe;
  } else {
    plan.way = given.gated ? SearchWay::gated_walk : SearchWay::walk;
  }
  return plan;
}

SearchPlan plan_look_up(const SearchCase& given, std::size_t keys) noexcept {
  const double count = static_cast<double>(keys);
  SearchPlan plan;
  plan.live = static_cast<double>(std::max<std::uint64_t>(given.live, 1));
  plan.share = std::clamp(count / plan.live, kLeastShare, 1.0);
  plan.walk_cost = cost_of_distance(given.code_bytes) * given.M * static_cast<double>(given.ef) *
                   plan.live / std::max(count, 1.0);
  plan.scan_cost = count * cost_of_distance(given.row_bytes);
  plan.way = given.may_walk && plan.scan_cost > plan.walk_cost ? SearchWay::gated_walk
                                                               : SearchWay::look_up;
  return plan;
}

std::size_t SearchPlan::breadth_of_way(std::size_t most) const noexcept {
  if (!is_gated()) return most;
  return static_cast<std::size_t>(
             std::min({live, affordable, 1.5 * static_cast<double>(most) / share})) +
         1;
}

void WalkDoubt::note(std::size_t nodes, std::size_t ef, std::size_t answers, bool full) noexcept {
  met_ += nodes;
  if (met_ < kProbe) return;
  const auto met = static_cast<double>(met_);
  double expected = met;
  if (plan_.way == SearchWay::probe && !has_probed_ && !full) {
    const double rate = std::max(static_cast<double>(answers), 0.5) / met;
    expected = static_cast<double>(ef) / rate * plan_.new_each;
  }
  has_probed_ = true;
  gives_up_ = gives_up_ || expected > plan_.affordable;
}

}  // namespace skerry

// roofline.cc - see roofline.h.
#include "roofline.h"

#include <algorithm>
#include <optional>

namespace skerry::bench {
namespace {

// A larger table is no slower to draw from: none of it is in a cache.
constexpr std::size_t kLargestTable = std::size_t{512} << 20;
constexpr Effort kEffort{5, 0.006, 1};

}  // namespace

Bound bound_of(std::span<const Stage> stages) {
  Bound bound;
  for (const Stage& stage : stages) {
    bound.compute_us += stage.count * stage.cost.compute_ns / 1e3;
    bound.memory_us += stage.count * stage.cost.memory_ns / 1e3;
  }
  return bound;
}

void SearchCounts::add(const SearchResult& result) {
  ++searches;
  scans += result.exact ? 1 : 0;
  hops += result.hops;
  evaluations += result.visited - result.reranked;
  reranks += result.reranked;
  bytes += result.bytes;
}

std::vector<Stage> stages_of(const SearchCounts& counts, const TableCosts& costs) {
  if (counts.scans > 0) return {};
  return {{counts.mean(counts.hops), costs.links},
          {counts.mean(counts.evaluations), costs.codes},
          {counts.mean(counts.reranks), costs.vectors}};
}

TableCosts Roofline::costs_of(const IndexOptions& options) {
  const RowCost links{std::size_t{2} * options.M * sizeof(std::uint32_t), {}};
  const RowCost vectors = vector_row(options, kEffort);
  const std::optional<RowCost> codes = code_row(options, kEffort);
  return {cost_of(links), cost_of(codes.value_or(vectors)), cost_of(vectors)};
}

Cost Roofline::cost_of(const RowCost& row) {
  const auto [place, is_new] = memory_ns_.try_emplace(row.bytes, 0);
  if (is_new) {
    const std::size_t table = std::max(row.bytes, std::min(rows_ * row.bytes, kLargestTable));
    place->second = Arena(table).record_ns(row.bytes, table, Way::prefetched, kEffort).least;
  }
  return {row.bytes, row.ns.least, place->second};
}

}  // namespace skerry::bench

// live_truth.cc - see live_truth.h.
#include "live_truth.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

namespace skerry::bench {
namespace {

constexpr double kAll = std::numeric_limits<double>::infinity();

Matrix gather(const Matrix& from, const std::vector<std::uint32_t>& rows) {
  Matrix some(rows.size(), from.dimension);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(from.row(rows[i]), from.dimension, some.row(i));
  }
  return some;
}

std::vector<std::uint32_t> all_of(std::size_t count) {
  std::vector<std::uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

}  // namespace

LiveTruth::LiveTruth(const Dataset& set, std::size_t k, unsigned threads)
    : set_(set),
      k_(k),
      depth_(4 * k + 60),
      threads_(threads),
      is_live_(set.base.rows),
      lists_(set.queries.rows),
      reach_(set.queries.rows, kAll) {}

Truth LiveTruth::among(const std::vector<std::uint32_t>& rows) {
  std::vector<bool> is_live(set_.base.rows);
  std::vector<std::uint32_t> came;
  for (const std::uint32_t row : rows) {
    is_live[row] = true;
    if (!is_live_[row]) came.push_back(row);
  }
  is_live_ = std::move(is_live);
  for (std::vector<Near>& list : lists_) {
    std::erase_if(list, [&](const Near& near) { return !is_live_[near.second]; });
  }
  if (!came.empty()) take_in(came);
  const std::size_t k = std::min(k_, rows.size());
  make_again(rows, k);

  Truth truth{lists_.size(), k, {}};
  for (const std::vector<Near>& list : lists_) {
    for (std::size_t i = 0; i < k; ++i) truth.rows.push_back(list[i].second);
  }
  return truth;
}

std::vector<std::vector<LiveTruth::Near>> LiveTruth::nearest(
    const std::vector<std::uint32_t>& rows, const std::vector<std::uint32_t>& queries) const {
  const Truth truth = find_truth(set_.metric, gather(set_.base, rows),
                                 gather(set_.queries, queries), depth_, threads_);
  std::vector<std::vector<Near>> lists(queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    for (const std::uint32_t place : truth.of(i)) {
      const std::uint32_t row = rows[place];
      lists[i].emplace_back(exact_distance(set_.metric, set_.queries.row(queries[i]),
                                           set_.base.row(row), set_.base.dimension),
                            row);
    }
    std::sort(lists[i].begin(), lists[i].end());  // of one distance, by row
  }
  return lists;
}

void LiveTruth::take_in(const std::vector<std::uint32_t>& rows) {
  const std::vector<std::vector<Near>> fresh = nearest(rows, all_of(lists_.size()));
  for (std::size_t query = 0; query < lists_.size(); ++query) {
    std::vector<Near>& list = lists_[query];
    double& reach = reach_[query];
    // Beyond the farthest of a list that had to be cut there may be live rows that are not in it.
    if (fresh[query].size() < rows.size()) reach = std::min(reach, fresh[query].back().first);
    std::vector<Near> merged;
    std::merge(list.begin(), list.end(), fresh[query].begin(), fresh[query].end(),
               std::back_inserter(merged));
    std::erase_if(merged, [&](const Near& near) { return near.first > reach; });
    if (merged.size() > depth_) {
      merged.resize(depth_);
      reach = merged.back().first;
    }
    list = std::move(merged);
  }
}

void LiveTruth::make_again(const std::vector<std::uint32_t>& rows, std::size_t k) {
  std::vector<std::uint32_t> queries;
  for (std::uint32_t query = 0; query < lists_.size(); ++query) {
    if (lists_[query].size() < k) queries.push_back(query);
  }
  if (queries.empty()) return;
  remade_ += queries.size();
  std::vector<std::vector<Near>> fresh = nearest(rows, queries);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    reach_[queries[i]] = fresh[i].size() < rows.size() ? fresh[i].back().first : kAll;
    lists_[queries[i]] = std::move(fresh[i]);
  }
}

}  // namespace skerry::bench

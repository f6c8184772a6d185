// recall_meter.cc - how much of the truth does a way of searching find, and what does it cost?
#include "cli/recall_meter.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "cli/entry.h"
#include "cli/failure.h"

namespace skerry::cli {

double Price::recall() const noexcept {
  std::size_t right = 0;
  std::size_t wanted = 0;
  for (const Answered& query : queries) {
    right += query.right;
    wanted += query.wanted;
  }
  return wanted == 0 ? 1 : static_cast<double>(right) / static_cast<double>(wanted);
}

double Price::microseconds(double part) const {
  if (queries.empty()) return 0;
  std::vector<double> sorted;
  for (const Answered& query : queries) sorted.push_back(query.seconds);
  std::sort(sorted.begin(), sorted.end());
  const auto rank = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
  return sorted[std::min(rank, sorted.size() - 1)] * 1e6;
}

std::uint64_t Price::visited() const noexcept {
  std::uint64_t all = 0;
  for (const Answered& query : queries) all += query.result.visited;
  return queries.empty() ? 0 : all / queries.size();
}

RecallMeter::RecallMeter(const Collection& collection, std::string name, std::size_t k)
    : collection_(collection),
      name_(std::move(name)),
      k_(k),
      options_(take(collection.options(), name_)),
      converter_(options_.index) {}

void RecallMeter::take_own(const KeyList& keys, std::size_t samples) {
  own_ = KeyList(keys.names());
  queries_.dimension = options_.index.dimension;
  Entry entry;
  const std::size_t count = std::min(samples, keys.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = at_equal_steps(i, count, keys.size());
    if (!read_entry(collection_, keys, at, queries_.dimension, false, entry)) continue;
    if (keys.names()) {
      own_.add_name(keys.name(at));
    } else {
      own_.add_key(keys.keys()[at]);
    }
    const auto bytes = std::as_bytes(std::span(entry.vector));
    queries_.vectors.insert(queries_.vectors.end(), bytes.begin(), bytes.end());
    ++queries_.rows;
  }
  check(converter_.convert(name_, queries_, rows_));
}

void RecallMeter::read(const formats::InputOptions& input, std::size_t samples) {
  std::unique_ptr<formats::VectorReader> reader;
  check(formats::open_reader(input, reader));
  check_dimension(reader->name(), reader->shape(), options_.index);
  check(reader->next(samples, queries_));
  check(converter_.convert(reader->name(), queries_, rows_));
}

// The k nearest of a query but itself.
template <class AnyHit>
SearchResult RecallMeter::search(std::size_t query, const SearchOptions& options,
                                 std::vector<AnyHit>& hits) const {
  hits.resize(k_ + (are_own() ? 1 : 0));
  const SearchResult result = take(collection_.search(rows_.row(query), hits, options), name_);
  hits.resize(result.count);
  if (!are_own()) return result;
  std::erase_if(hits, [&](const AnyHit& hit) {
    if constexpr (std::is_same_v<AnyHit, NamedHit>) {
      return hit.name.view() == own_.name(query);
    } else {
      return hit.key == own_.keys()[query];
    }
  });
  hits.resize(std::min(hits.size(), k_));
  return result;
}

template <class AnyHit>
void RecallMeter::find_truth(FunctionRef<void()> step) {
  std::vector<AnyHit> hits;
  farthest_.resize(queries());
  wanted_.resize(queries());
  for (std::size_t q = 0; q < queries(); ++q) {
    search(q, {.exact = true}, hits);
    wanted_[q] = hits.size();
    if (!hits.empty()) farthest_[q] = hits.back().distance;
    step();
  }
}

template <class AnyHit>
Price RecallMeter::price_of(const SearchOptions& options, FunctionRef<void()> step) const {
  std::vector<AnyHit> hits;
  Price price;
  for (std::size_t q = 0; q < queries(); ++q) {
    const auto begin = std::chrono::steady_clock::now();
    Answered answered;
    answered.result = search(q, options, hits);
    answered.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    answered.wanted = wanted_[q];
    answered.right = static_cast<std::size_t>(std::count_if(
        hits.begin(), hits.end(), [&](const AnyHit& hit) { return hit.distance <= farthest_[q]; }));
    price.queries.push_back(answered);
    step();
  }
  return price;
}

void RecallMeter::find_truth(FunctionRef<void()> step) {
  if (options_.byte_keys) {
    find_truth<NamedHit>(step);
  } else {
    find_truth<Hit>(step);
  }
}

Price RecallMeter::price_of(const SearchOptions& options, FunctionRef<void()> step) const {
  return options_.byte_keys ? price_of<NamedHit>(options, step) : price_of<Hit>(options, step);
}

}  // namespace skerry::cli

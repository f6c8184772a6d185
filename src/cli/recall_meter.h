// recall_meter.h - how much of the truth does a way of searching find, and what does it cost?
//
// A collection is asked the same queries, first exactly and then in each way that is to be priced.
// They are those of a file, or the collection's own vectors, each of which is not its own answer.
// Own vectors are in the graph, so a walk finds its way to them a little more easily than to a
// stranger.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/keys.h"
#include "cli/vectors.h"
#include "formats/reader.h"
#include "skerry/collection.h"

namespace skerry::cli {

// What is asked for, one after the other, to see the whole of the price.
inline constexpr std::array kRecallTargets = {0.9F, 0.95F, 0.98F, 0.99F, 0.995F, 0.999F};
inline constexpr std::array<std::uint32_t, 6> kBreadths = {16, 32, 64, 128, 256, 512};

// Of `total` things in a row the i-th of `count` that lie at equal steps.
inline std::size_t at_equal_steps(std::size_t i, std::size_t count, std::size_t total) noexcept {
  return i * total / count;
}

// What one query found of the truth, and its cost.
struct Answered {
  double seconds = 0;
  SearchResult result;
  std::size_t right = 0;
  std::size_t wanted = 0;
};

// And all of them.
struct Price {
  std::vector<Answered> queries;

  double recall() const noexcept;
  double microseconds(double part) const;  // of that part of the queries; nearest rank
  std::uint64_t visited() const noexcept;  // a query
};

class RecallMeter {
 public:
  // The collection must be there as long as this.
  RecallMeter(const Collection& collection, std::string name, std::size_t k);

  // The queries: stored vectors, some of these keys in their order at equal steps, or a file's
  // first rows.
  void take_own(const KeyList& keys, std::size_t samples);
  void read(const formats::InputOptions& input, std::size_t samples);

  std::size_t queries() const noexcept { return queries_.rows; }
  bool are_own() const noexcept { return own_.size() != 0; }
  std::string key(std::size_t query) const { return own_.text(query); }  // of an own one

  // Each asks every query once and calls `step` after it. The truth first.
  void find_truth(FunctionRef<void()> step);
  Price price_of(const SearchOptions& options, FunctionRef<void()> step) const;

 private:
  template <class AnyHit>
  SearchResult search(std::size_t query, const SearchOptions& options,
                      std::vector<AnyHit>& hits) const;
  template <class AnyHit>
  void find_truth(FunctionRef<void()> step);
  template <class AnyHit>
  Price price_of(const SearchOptions& options, FunctionRef<void()> step) const;

  const Collection& collection_;
  std::string name_;
  std::size_t k_;
  CollectionOptions options_;
  formats::Batch queries_;
  VectorConverter converter_;
  MatrixView rows_;                  // the queries as the collection wants them
  KeyList own_{false};               // the key of each query, when it is a stored vector
  std::vector<float> farthest_;      // that a right hit may be
  std::vector<std::size_t> wanted_;  // hits of each query
};

}  // namespace skerry::cli

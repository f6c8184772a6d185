// search.h - one attempt at one query: what its parts share.
//
//   search.cc        what passes, which way, and the ways that look at every row
//   search_walk.cc   the way through the graph, and whom a walk may miss
//   rerank.h         which of those that it met are the nearest
//   explain.cc       what became of one key, when there is a witness
//
// The index is seen at one moment: the number is read first, then the storage, which is at least as
// new. An attempt that finds listed keys written beside it is stale and is made again.
//
// Threads: one. Nothing is allocated but by the Searcher's scratch, when it grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/epoch.h"
#include "index/block_scorer.h"
#include "index/engine.h"
#include "index/filter_gate.h"
#include "index/patience.h"
#include "index/search_plan.h"
#include "index/search_witness.h"
#include "index/top_hits.h"

namespace skerry {

class Engine::Search {
 public:
  // Query, hits (at least one), options, searcher, patience and the witness, which may be null, are
  // borrowed.
  Search(const Engine& engine, Searcher& searcher, VectorView query, std::span<Hit> hits,
         const SearchOptions& options, Patience& patience, SearchWitness* witness) noexcept;
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  // Once.
  Result<SearchResult> run();
  // After it, of a search with a witness: the rest of its report. Errors: out_of_memory; cancelled,
  // by the caller's function alone. O(n), once for the rank and once for who links to the key.
  Status explain(const SearchResult& result);
  // What these returned is to be thrown away.
  bool is_stale() const noexcept { return is_stale_; }

 private:
  struct KeyOf {
    const SlotState* states;
    Key operator()(Slot slot) const noexcept {
      return states[slot].key.load(std::memory_order_relaxed);
    }
  };
  static constexpr std::uint64_t kNoBudget = ~std::uint64_t{0};

  bool is_visible(Slot slot) const noexcept {
    return storage_.states[slot].visible(view_.sequence);
  }
  bool has_walked() const noexcept {
    return plan_.way != SearchWay::scan && plan_.way != SearchWay::look_up;
  }
  std::uint64_t budget_left() const noexcept { return budget_ > scored_ ? budget_ - scored_ : 0; }

  // search.cc
  Status reserve();
  void look_at_graph() noexcept;
  void choose_breadth() noexcept;
  SearchCase search_case() const noexcept;
  Slot find_listed(Key key) noexcept;
  void look_up();
  void scan();
  void take_over(BlockScorer<KeyOf>& block);
  Result<SearchResult> finish() noexcept;

  // search_walk.cc
  struct Walk;
  Status walk();

  // explain.cc
  Status begin_witness();
  void note_plan() noexcept;
  Status rank(Explanation& report);
  void count_in_links(Explanation& report) const noexcept;
  Fate fate(const Explanation& report, bool was_late) const noexcept;

  const Engine& engine_;
  Searcher& searcher_;
  const VectorView query_;
  const SearchOptions& options_;
  Patience& patience_;
  SearchWitness* const witness_;
  EpochGuard guard_;
  FilterScope scope_;
  const View view_;
  const Storage& storage_;
  const std::uint64_t live_;
  const Slot used_;  // slots from here on are not for this search
  const std::uint64_t budget_;
  const std::span<Hit> hits_;
  const std::size_t k_;

  TopHits top_;
  Scorer exact_;  // of the rows
  FilterGate gate_;
  bool is_stale_ = false;  // a listed key was written twice, or the index grew, meanwhile

  // The graph, and slots that it may not know yet.
  std::uint64_t entry_ = Storage::kNoEntry;
  bool may_walk_ = false;
  Slot backlog_from_ = 0;
  Slot backlog_until_ = 0;

  Breadth breadth_;
  SearchPlan plan_;
  std::uint64_t scored_ = 0;  // distances taken
  SearchResult result_;
};

}  // namespace skerry

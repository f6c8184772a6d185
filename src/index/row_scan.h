// row_scan.h - which of these rows are nearest, when they are in no index?
//
// Whoever keeps the rows hands them in, a block at a time: add() copies a row as an index would
// keep it, score() computes the distances of those that the caller lets pass. They are what a scan
// of an index with the same rows computes, bit for bit, as both go through the same kernel.
//
//   RowScan scan(options, query, hits, wanted, order);      query and wanted passed check_search()
//   scan.reserve();
//   while (...) { while (!scan.is_full()) scan.add(key, row);  scan.score(passes); }
//   scan.finish();
//
// Nothing is held while score() calls `passes`, so the rows may be read under a lock and the
// caller's own filter asked outside of it.
//
// Threads: one. Memory: a block of rows, 1 MB or one row; allocated by reserve() alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "index/block_scorer.h"
#include "index/engine.h"
#include "index/searcher.h"
#include "index/top_hits.h"
#include "quant/exact_codes.h"

namespace skerry {

class RowScan {
 public:
  // Of `wanted`, max_distance and budget are obeyed here and the filter by whom score() asks.
  // Query and hits are borrowed.
  RowScan(const IndexOptions& index, VectorView query, std::span<Hit> hits,
          const SearchOptions& wanted, KeyOrder order) noexcept
      : scalar_(index.scalar),
        dimension_(index.dimension),
        exact_(index.metric, index.scalar, index.dimension, index.custom),
        limit_(std::clamp<std::size_t>(kBytesAtOnce / exact_.stride(), 1, kBlock)),
        query_(query),
        hits_(hits),
        top_(hits, order),
        block_(KeyOf{this}, scorer_, wanted.max_distance, top_, searcher_,
               wanted.budget == 0 ? ~std::uint64_t{0} : wanted.budget) {}
  RowScan(const RowScan&) = delete;
  RowScan& operator=(const RowScan&) = delete;

  Status reserve() {
    Status status = searcher_.exact.reserve(exact_.scratch_bytes());
    if (status.ok()) status = searcher_.block.reserve(kBlock);
    if (status.ok()) status = searcher_.block_distances.reserve(kBlock);
    if (status.ok()) status = keys_.reserve(limit_);
    if (status.ok()) status = rows_.reserve(limit_ * exact_.stride());
    if (!status.ok()) return status;
    scorer_ = Scorer{exact_.prepare(query_, searcher_.exact.data()), exact_.rows(rows_.data())};
    return status;
  }

  bool is_full() const noexcept { return count_ == limit_; }

  // A row as it is stored, vector_bytes() long. Not when the block is full.
  void add(Key key, std::span<const std::byte> vector) noexcept {
    exact_.encode(VectorView(vector.data(), scalar_, dimension_),
                  rows_.data() + count_ * exact_.stride());
    keys_[count_++] = key;
  }

  // Scores the rows of the block for whose keys passes(key), and empties it.
  template <class Passes>
  void score(Passes passes) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (passes(keys_[i])) block_.add(static_cast<Slot>(i));
    }
    block_.flush();
    count_ = 0;
  }

  // The budget is spent: nothing more will be scored.
  bool is_exhausted() const noexcept { return block_.exhausted(); }

  // The caller has no time for more rows.
  void give_up() noexcept { is_given_up_ = true; }

  // The best so far, in no order.
  std::span<const Hit> best() const noexcept { return hits_.first(top_.count()); }

  // Puts the hits into their order.
  SearchResult finish() noexcept {
    top_.finish();
    SearchResult result;
    result.count = static_cast<std::uint32_t>(top_.count());
    result.exhausted = block_.exhausted() || is_given_up_;
    result.exact = !result.exhausted;
    result.visited = block_.scored();
    result.bytes = result.visited * exact_.stride();
    return result;
  }

 private:
  static constexpr std::size_t kBytesAtOnce = 1 << 20;

  struct KeyOf {
    const RowScan* scan;
    Key operator()(Slot slot) const noexcept { return scan->keys_[slot]; }
  };

  Scalar scalar_;
  std::size_t dimension_;
  ExactCodes exact_;
  std::size_t limit_;  // rows of a block
  VectorView query_;
  std::span<Hit> hits_;
  Scorer scorer_;
  Searcher searcher_;
  Buffer<Key> keys_;
  Buffer<std::byte> rows_;
  std::size_t count_ = 0;  // of the block
  bool is_given_up_ = false;
  TopHits top_;
  BlockScorer<KeyOf> block_;
};

}  // namespace skerry

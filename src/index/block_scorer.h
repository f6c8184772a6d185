// block_scorer.h - exact distances of many rows, a block at a time.
//
// Collects the slots of rows, scores a block of them with one call of the kernel, and offers what
// is near enough to the hits. key_of(slot) says whose row it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "index/searcher.h"
#include "index/top_hits.h"
#include "quant/quantizer.h"

namespace skerry {

inline constexpr std::size_t kBlock = 256;  // slots scored together

// The searcher's `block` and `block_distances` have room for kBlock.
template <class KeyOf>
class BlockScorer {
 public:
  BlockScorer(KeyOf key_of, const Scorer& exact, float max_distance, TopHits& top,
              Searcher& searcher, std::uint64_t budget) noexcept
      : key_of_(key_of),
        exact_(exact),
        max_distance_(max_distance),
        top_(top),
        searcher_(searcher),
        budget_(budget) {}

  void add(Slot slot) {
    searcher_.block[count_++] = slot;
    if (count_ == kBlock) flush();
  }

  void flush() {
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(count_, budget_ - scored_));
    if (count < count_) exhausted_ = true;
    exact_(searcher_.block.data(), count, searcher_.block_distances.data());
    for (std::size_t i = 0; i < count; ++i) {
      const float distance = searcher_.block_distances[i];
      if (distance > max_distance_ || !top_.wants(distance)) continue;
      top_.offer(Hit{key_of_(searcher_.block[i]), distance});
    }
    scored_ += count;
    count_ = 0;
  }

  bool exhausted() const noexcept { return exhausted_; }
  std::uint64_t scored() const noexcept { return scored_; }

 private:
  KeyOf key_of_;
  const Scorer& exact_;
  float max_distance_;
  TopHits& top_;
  Searcher& searcher_;
  std::uint64_t budget_;
  std::size_t count_ = 0;
  std::uint64_t scored_ = 0;
  bool exhausted_ = false;  // the budget ended it
};

}  // namespace skerry

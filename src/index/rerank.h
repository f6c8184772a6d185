// rerank.h - which of those that a walk met are the nearest?
//
// Codes only choose: what may be among the k is scored again on the exact rows, a few at a time,
// until who comes next would need a larger error of his code than twice the largest that was seen.
// A walk on the exact rows themselves has the distances already.
//
// Threads: one. The searcher's `block` and `block_distances` have room for kBlock.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "graph/candidate_pool.h"
#include "index/block_scorer.h"
#include "index/searcher.h"
#include "index/slots.h"
#include "index/top_hits.h"
#include "quant/quantizer.h"

namespace skerry {

class Rerank {
 public:
  // The k nearest among the first `most` answers in the pool go to `top`; none beyond
  // max_distance. `states` are those of the pool's slots.
  Rerank(const CandidatePool& pool, const SlotState* states, std::size_t k, std::size_t most,
         float max_distance, TopHits& top) noexcept
      : pool_(pool), states_(states), k_(k), most_(most), max_distance_(max_distance), top_(top) {}

  // is_answer(slot): not everybody in the pool may be one.
  template <class IsAnswer>
  void on_codes(const Scorer& exact, Searcher& searcher, IsAnswer is_answer) {
    exact.ask(std::min(pool_.size(), most_), [this](std::size_t i) { return pool_.slot(i); });
    prefetch_states();
    float error = 0;  // the largest seen of a code's distance
    std::size_t block = 0;
    const auto flush = [&] {
      const float* const distances = searcher.block_distances.data();
      float by_code[kBlock];
      std::copy_n(distances, block, by_code);
      exact(searcher.block.data(), block, searcher.block_distances.data());
      for (std::size_t i = 0; i < block; ++i) {
        error = std::max(error, std::abs(by_code[i] - distances[i]));
        offer(searcher.block[i], distances[i]);
      }
      scored_ += block;
      block = 0;
    };
    std::size_t due = std::min(k_ + 2, kBlock);
    std::size_t& i = looked_at_;
    for (; i < pool_.size() && found_ < most_; ++i) {
      if (block == 0 && top_.full() && !top_.wants(pool_.distance(i) - 2 * error)) break;
      if (!is_answer(pool_.slot(i))) continue;
      ++found_;
      searcher.block[block] = pool_.slot(i);
      searcher.block_distances[block++] = pool_.distance(i);
      if (block == due) {
        flush();
        due = kFewMore;
      }
    }
    flush();
  }

  template <class IsAnswer>
  void on_rows(IsAnswer is_answer) {
    prefetch_states();
    std::size_t& i = looked_at_;
    for (; i < pool_.size() && found_ < most_; ++i) {
      // They come in order: behind the k best only their equals can matter.
      if (found_ >= k_ && pool_.distance(i) > pool_.distance(i - 1)) break;
      if (!is_answer(pool_.slot(i))) continue;
      ++found_;
      offer(pool_.slot(i), pool_.distance(i));
    }
  }

  std::size_t looked_at() const noexcept { return looked_at_; }  // of the pool, from its nearest
  std::size_t found() const noexcept { return found_; }          // of these, answers
  std::size_t scored() const noexcept { return scored_; }        // of them, again
  bool is_beyond() const noexcept { return is_beyond_; }         // one was beyond max_distance

 private:
  static constexpr std::size_t kFewMore = 4;  // scored at a time, once there are k

  void prefetch_states() const noexcept {
    for (std::size_t i = 0; i < std::min(pool_.size(), most_); ++i) {
      __builtin_prefetch(&states_[pool_.slot(i)]);
    }
  }

  void offer(Slot slot, float distance) {
    if (distance > max_distance_) {
      is_beyond_ = true;
    } else if (top_.wants(distance)) {
      top_.offer(Hit{states_[slot].key.load(std::memory_order_relaxed), distance});
    }
  }

  const CandidatePool& pool_;
  const SlotState* states_;
  std::size_t k_;
  std::size_t most_;
  float max_distance_;
  TopHits& top_;
  std::size_t looked_at_ = 0;
  std::size_t found_ = 0;
  std::size_t scored_ = 0;
  bool is_beyond_ = false;
};

}  // namespace skerry

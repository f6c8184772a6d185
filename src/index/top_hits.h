// top_hits.h - the k best hits, kept in the caller's own buffer.
//
// A heap with the worst on top while hits come in, sorted once at the end: nearest first, ties by
// key. Distances that are NaN count as infinite.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "index/engine.h"
#include "skerry/types.h"

namespace skerry {

// The order of answers.
inline bool is_before(const Hit& a, const Hit& b, const KeyOrder& order) noexcept {
  if (a.distance != b.distance) return a.distance < b.distance;
  return order.before != nullptr ? order.before(order.context, a.key, b.key) : a.key < b.key;
}
// As an answer's: what is not a number is infinitely far.
inline float ranked_distance(float distance) noexcept {
  return distance == distance ? distance : std::numeric_limits<float>::infinity();
}

class TopHits {
 public:
  TopHits(std::span<Hit> hits, KeyOrder order) noexcept : hits_(hits), order_(order) {}

  // May this distance still enter? (Equal to the worst may, by its key.)
  bool wants(float distance) const noexcept {
    return count_ < hits_.size() || !(distance > hits_[0].distance);
  }

  void offer(Hit hit) noexcept {
    hit.distance = ranked_distance(hit.distance);
    const auto nearer = [this](const Hit& a, const Hit& b) { return is_before(a, b, order_); };
    if (count_ < hits_.size()) {
      hits_[count_++] = hit;
      std::push_heap(hits_.begin(), hits_.begin() + count_, nearer);
    } else if (nearer(hit, hits_[0])) {
      std::pop_heap(hits_.begin(), hits_.end(), nearer);
      hits_.back() = hit;
      std::push_heap(hits_.begin(), hits_.end(), nearer);
    }
  }

  bool full() const noexcept { return count_ == hits_.size(); }
  std::size_t count() const noexcept { return static_cast<std::size_t>(count_); }
  float worst() const noexcept { return hits_[0].distance; }
  void clear() noexcept { count_ = 0; }

  // Puts the hits into their final order.
  void finish() noexcept {
    std::sort_heap(hits_.begin(), hits_.begin() + count_,
                   [this](const Hit& a, const Hit& b) { return is_before(a, b, order_); });
  }

 private:
  std::span<Hit> hits_;
  KeyOrder order_;
  std::size_t count_ = 0;
};

}  // namespace skerry

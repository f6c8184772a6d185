// patience.h - has a search run out of time, or been asked to stop?
//
// A search spends steps: a vector scored, a slot or a key looked at. Every 512 of them, some tens
// of microseconds, the clock is looked at (25 ns), and every 16 times that the caller is asked, who
// may be slow to answer. Without a Control a step is an addition and a comparison.
//
// Threads: one. Lives as long as a search with all its attempts.
#pragma once

#include <cstdint>

#include "base/watch.h"
#include "skerry/control.h"

namespace skerry {

class Patience {
 public:
  explicit Patience(const Control& control) noexcept
      : control_(control), next_look_(control.is_none() ? kNever : 0) {}

  // True when the search is to end: from then on always.
  bool spend(std::uint64_t steps) noexcept {
    spent_ += steps;
    return spent_ >= next_look_ && look();
  }
  // Whether the clock is looked at from here on; that it was late before is forgotten.
  void mind_deadline(bool minds) noexcept {
    minds_deadline_ = minds;
    is_late_ = false;
  }
  bool is_over() const noexcept { return is_late_ || is_cancelled_; }
  bool is_cancelled() const noexcept { return is_cancelled_; }  // by the caller, not the clock

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  static constexpr std::uint64_t kBetweenLooks = 512;
  static constexpr std::uint64_t kBetweenCalls = 16 * kBetweenLooks;

  bool look() noexcept {
    if (is_over()) return true;
    is_late_ = minds_deadline_ && is_late(control_);
    if (!is_late_ && control_.progress != nullptr && spent_ >= next_call_) {
      is_cancelled_ = !control_.progress(control_.context, spent_, 0);
      next_call_ = spent_ + kBetweenCalls;
    }
    next_look_ = is_over() ? 0 : spent_ + kBetweenLooks;
    return is_over();
  }

  const Control& control_;
  std::uint64_t spent_ = 0;
  std::uint64_t next_look_;
  std::uint64_t next_call_ = 0;
  bool minds_deadline_ = true;
  bool is_late_ = false;
  bool is_cancelled_ = false;
};

}  // namespace skerry

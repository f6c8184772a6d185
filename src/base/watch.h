// watch.h - may this long call go on, and how far is it?
//
// A call counts what it has done; its Control is looked at every so many items: the clock first,
// then the caller's function. The first answer that it must stop is kept, and given to every later
// look, so whoever ends a loop for it need not carry it out.
//
//   Watch watch(control, rows);
//   Status status = watch.begin();
//   while (status.ok() && ...) { one row; status = watch.advance(1); }
//   if (status.ok()) status = watch.finish();       then what others see, which cannot be stopped
//
// Threads: one, that of the call. Cost: without a Control one comparison a look.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "skerry/control.h"
#include "skerry/status.h"

namespace skerry {

inline bool is_late(const Control& control) noexcept {
  return control.deadline != kNoDeadline && std::chrono::steady_clock::now() >= control.deadline;
}

// For a search: when its time is over it returns what it has, and only the caller's function stops
// it.
inline Control without_deadline(Control control) noexcept {
  control.deadline = kNoDeadline;
  return control;
}

class Watch {
 public:
  // `total` 0: not known. Nobody watches when the control is none.
  explicit Watch(const Control& control, std::uint64_t total = 0) noexcept
      : control_(control),
        total_(total),
        stride_(total == 0 ? kStrideMax : std::clamp<std::uint64_t>(total / 256, 1, kStrideMax)),
        next_(control.is_none() ? kNever : 0) {}

  bool is_idle() const noexcept { return next_ == kNever; }

  Status begin() noexcept { return at(done_); }

  // So many are done in all. A number beyond the total is the total, one that falls is the last.
  Status at(std::uint64_t done) noexcept {
    reach(done);
    return done_ < next_ ? Status() : look();
  }
  Status advance(std::uint64_t more) noexcept { return at(done_ + more); }

  // Looks whatever the stride, where what takes long is not counted, or by others.
  Status again(std::uint64_t done = 0) noexcept {
    reach(done);
    return is_idle() ? Status() : look();
  }
  // All is done.
  Status finish() noexcept { return again(total_); }

  // For a call inside this one: whoever watches is told how far this one is. Good as long as it.
  Control inner() noexcept {
    if (is_idle()) return {};
    const auto look = [](void* watch, std::uint64_t, std::uint64_t) {
      return static_cast<Watch*>(watch)->again().ok();
    };
    return {look, this, control_.deadline};
  }

  // Why the call must stop; ok: it need not.
  Status status() const noexcept { return stopped_; }

  static Status late() noexcept { return Status(Code::cancelled, "the deadline has passed"); }
  static Status asked() noexcept { return Status(Code::cancelled, "the caller asked to stop"); }

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  static constexpr std::uint64_t kStrideMax = 4096;  // items between two looks at most

  void reach(std::uint64_t done) noexcept {
    done_ = std::max(done_, total_ == 0 ? done : std::min(done, total_));
  }

  Status look() noexcept {
    if (!stopped_.ok()) return stopped_;
    if (is_late(control_)) {
      stopped_ = late();
    } else if (control_.progress != nullptr &&
               !control_.progress(control_.context, done_, total_)) {
      stopped_ = asked();
    }
    next_ = stopped_.ok() ? done_ + stride_ : 0;
    return stopped_;
  }

  const Control control_;
  const std::uint64_t total_;
  const std::uint64_t stride_;
  std::uint64_t next_;  // done_ at which it is looked at again; kNever: nobody watches
  std::uint64_t done_ = 0;
  Status stopped_;
};

}  // namespace skerry

// batch_control.h - who asks the caller of a batch of searches, when several threads answer it?
//
// The caller's function is called by the caller's thread alone, told how many queries all of them
// have answered. What it says is heard by the others at their next look (patience.h).
//
// Threads: made by the caller's; the rest from any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "skerry/control.h"
#include "skerry/status.h"

namespace skerry {

class BatchControl {
 public:
  BatchControl(const Control& control, std::size_t queries) noexcept
      : control_(control), queries_(queries) {}

  Control of_this_thread() noexcept {
    if (control_.progress == nullptr) return control_;
    const bool is_callers = std::this_thread::get_id() == caller_;
    return {is_callers ? ask : hear, this, control_.deadline};
  }
  // A query was answered.
  void count() noexcept { done_.fetch_add(1, std::memory_order_relaxed); }

  Status finish() noexcept {
    const std::uint64_t done = done_.load(std::memory_order_relaxed);
    const bool stopped = control_.progress != nullptr && !ask(this, 0, 0);
    if (!stopped) return {};
    return Status(Code::cancelled, "the caller asked to stop: {a} of {b} queries were answered",
                  done, queries_);
  }

 private:
  static bool ask(void* context, std::uint64_t, std::uint64_t) noexcept {
    auto& self = *static_cast<BatchControl*>(context);
    if (self.stopped_.load(std::memory_order_relaxed)) return false;
    const std::uint64_t done = self.done_.load(std::memory_order_relaxed);
    if (self.control_.progress(self.control_.context, done, self.queries_)) return true;
    self.stopped_.store(true, std::memory_order_relaxed);
    return false;
  }
  static bool hear(void* context, std::uint64_t, std::uint64_t) noexcept {
    return !static_cast<BatchControl*>(context)->stopped_.load(std::memory_order_relaxed);
  }

  const Control& control_;
  const std::uint64_t queries_;
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace skerry

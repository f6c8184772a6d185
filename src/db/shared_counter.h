// shared_counter.h - has another process written?
//
// The file `<folder>/shared` is one page that every process maps:
//
//   0     u64  commits: raised by one when a commit stands, before its call returns
//   8     zero to the end, 4,096
//
// A search compares the commits of others with those it has caught up with: two loads and no call
// into the kernel. When they differ the store is asked, and only the store's answer counts. So the
// number is a hint: whatever it is when the first process opens, however wrong, costs a look at the
// store. A writer that is killed between its commit and the raising had not returned, so nothing
// was promised; the next writer or the next open finds its commit.
//
// Commits of our own must not send our searches to the store. We count them beside: `others` is the
// difference. Both are raised under a mutex, ours last, so that a reader who loads ours first gets
// at least the true number; when it is one too many, the exact one is asked for with the mutex.
//
// Threads: any. The mapping stays until the object goes.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>

#include "skerry/status.h"

namespace skerry {

class SharedCounter {
 public:
  SharedCounter() = default;
  ~SharedCounter();
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;

  // Maps the page, which whoever is alone makes when it is not there. Not called by who is never
  // told of commits, as there can be none: then others() stays 0.
  Status open(const std::filesystem::path& folder, bool alone, bool read_only);

  // Commits of other processes: all that had returned, and perhaps one too many.
  std::uint64_t others() const noexcept {
    const std::uint64_t ours = ours_.load(std::memory_order_acquire);
    return commits_->load(std::memory_order_acquire) - ours;
  }
  // The exact number.
  std::uint64_t count_others() const noexcept;

  // After a commit of ours, before its call returns.
  void raise() noexcept;

  // Sends everybody, us too, to look at the store.
  void alert() noexcept { commits_->fetch_add(1, std::memory_order_acq_rel); }

 private:
  std::atomic<std::uint64_t> none_{0};
  std::atomic<std::uint64_t>* commits_ = &none_;  // in the page
  std::atomic<std::uint64_t> ours_{0};
  mutable std::mutex raising_;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace skerry

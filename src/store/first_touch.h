// first_touch.h - has this process walked the store's tables before it trusts them?
//
// Opening a large store must not cost what the store is long, so it walks a few pages only. The
// rest is walked when a table is first touched that opening did not look at, and before the first
// write. Several threads may come at once: one walks, the others wait. A store that is damaged
// stays so: the answer is kept, and given to every later touch.
//
// What is walked is the root of a reader that is registered with LMDB, so nobody writes to its
// pages, though other processes commit meanwhile. Why is one root enough, when a thread that waited
// reads an older one, or a later? Whoever commits has walked the store before its first write: a
// page that is in one root and not in the other was walked or written by a process of ours.
//
// Threads: everything from any thread. Once walked, a touch is one load.
#pragma once

#include <atomic>
#include <mutex>

#include "skerry/status.h"
#include "store/survey.h"

namespace skerry::store {

class FirstTouch {
 public:
  bool has(Extent extent) const noexcept {
    return walked_.load(std::memory_order_acquire) >= extent;
  }

  // The store was walked so far by its open, or has just been written anew.
  void set(Extent walked) noexcept { walked_.store(walked, std::memory_order_release); }

  // Success when the store is walked so far, by whomever. `root` is that of a reader which is
  // under way. Errors: corruption (kept); io_error, out_of_memory (the next touch tries again).
  Status walk(int fd, const Root& root, Extent wanted) noexcept;

 private:
  std::atomic<Extent> walked_{Extent::opening};
  std::mutex mutex_;
  Status damage_;  // under mutex_
};

}  // namespace skerry::store

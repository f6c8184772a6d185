// parallel.h - the same work for each item, on several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "meter.h"
#include "stop.h"

namespace skerry::bench {

// Calls work(item, thread) for every item below `count`, in ascending order of their beginnings;
// `thread` is below `threads`. With one thread it runs in the caller. The first exception is
// thrown again here; Ctrl-C is Stopped.
template <class Work>
void parallel_for(std::size_t count, unsigned threads, const std::string& what, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_lock;
  Meter meter(what, count);
  const auto loop = [&](unsigned thread) {
    try {
      for (std::size_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
        check_stop();
        work(item, thread);
        if (thread == 0) meter.show(item);
      }
    } catch (...) {
      next.store(count, std::memory_order_relaxed);
      const std::lock_guard lock(failure_lock);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (unsigned thread = 1; thread < threads; ++thread) others.emplace_back(loop, thread);
  loop(0);
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace skerry::bench

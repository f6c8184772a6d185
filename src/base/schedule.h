// schedule.h - where may another thread come in between?
//
// In the library all of this is nothing: the functions are empty and Mutex is std::mutex. The tests
// compile the same code once more with SKERRY_SCHEDULES (tests/schedules/), and there one thread
// runs at a time: at each point a seed decides who goes on. So an interleaving that a machine shows
// once a year is found in seconds, and repeats.
//
// A point stands before each load or store that another thread may see, where the protocols of
// docs/concurrency.md depend on the order: the epoch, the number of what is visible, slots, links,
// directory, backlog. Whoever waits for another thread does so in a Mutex or a Condition, or calls
// schedule_blocked() in its loop.
//
// Faults are what a test breaks on purpose, to see that it would be found.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace skerry {

enum class Fault : std::uint8_t {
  none,
  epochs_pass_at_once,    // memory is used again while somebody reads it
  shown_before_written,   // the number of a write is visible before its slots are made
  departed_are_not_seen,  // a search does not look at who died since it began
  writes_of_a_key_meet,   // one begins before the other is shown
};

#ifdef SKERRY_SCHEDULES

// tests/schedules/scheduler.cc
void schedule_point(const char* where) noexcept;
void schedule_blocked(const char* where) noexcept;  // returns when another thread has let go
void schedule_released() noexcept;
bool is_broken_by(Fault fault) noexcept;

class Mutex {
 public:
  void lock() {
    schedule_point("lock");
    while (!mutex_.try_lock()) schedule_blocked("lock");
  }
  bool try_lock() {
    schedule_point("try_lock");
    return mutex_.try_lock();
  }
  void unlock() noexcept {
    mutex_.unlock();
    schedule_released();
  }

 private:
  std::mutex mutex_;
};

// Of a std::condition_variable_any what is used: whoever waits goes on when he is notified, and not
// before.
class Condition {
 public:
  template <class Lock, class Predicate>
  void wait(Lock& lock, Predicate predicate) {
    while (!predicate()) {
      const std::uint64_t seen = notified_;
      lock.unlock();
      while (notified_ == seen) schedule_blocked("wait");
      lock.lock();
    }
  }
  void notify_all() noexcept {
    ++notified_;
    schedule_released();
  }

 private:
  std::atomic<std::uint64_t> notified_ = 0;
};

#else

inline void schedule_point(const char* /*where*/) noexcept {}
constexpr bool is_broken_by(Fault /*fault*/) noexcept {
  return false;
}
using Mutex = std::mutex;
using Condition = std::condition_variable_any;

#endif

}  // namespace skerry

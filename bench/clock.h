// clock.h - how long did it take, of the wall, of this thread, of the whole process?
//
// Wall time says what a user waits; CPU time says what the code costs and hardly moves when other
// programs share the machine. All in seconds.
#pragma once

#include <time.h>

namespace skerry::bench {

inline double clock_seconds(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
inline double wall_seconds() noexcept {
  return clock_seconds(CLOCK_MONOTONIC);
}
inline double thread_seconds() noexcept {
  return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}
inline double process_seconds() noexcept {
  return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

// Wall and process CPU time since it was made.
class Stopwatch {
 public:
  double wall() const noexcept { return wall_seconds() - wall_; }
  double cpu() const noexcept { return process_seconds() - cpu_; }

 private:
  double wall_ = wall_seconds();
  double cpu_ = process_seconds();
};

}  // namespace skerry::bench

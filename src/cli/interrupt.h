// interrupt.h - Ctrl-C, once: stop when it is safe. Twice: stop.
//
// The first SIGINT or SIGTERM is noted and wakes whoever waits on stop_fd(); the second finds the
// system's default and ends the process, which is safe at any moment: the store is made for it.
#pragma once

#include <functional>
#include <thread>

namespace skerry::cli {

// From here on the first signal is only noted. Called by commands that ask interrupted() often.
void catch_interrupts();

bool interrupted() noexcept;

// Becomes readable at the first signal; -1 before catch_interrupts().
int stop_fd() noexcept;

// For a long call that cannot be asked to stop: at Ctrl-C runs `tidy`, says so and leaves with
// kInterrupted. Goes away with its scope.
class LeaveOnInterrupt {
 public:
  explicit LeaveOnInterrupt(std::function<void()> tidy);
  LeaveOnInterrupt(const LeaveOnInterrupt&) = delete;
  LeaveOnInterrupt& operator=(const LeaveOnInterrupt&) = delete;
  ~LeaveOnInterrupt();

 private:
  int done_[2];  // closing the second end tells the watcher that the call has returned
  std::thread watcher_;
};

}  // namespace skerry::cli

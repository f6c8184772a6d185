// scheduler.h - the interleaving that a seed says.
//
// The bodies of a run have a thread each, and one of them has the baton. At every point of the
// library (base/schedule.h) it asks whether to go on or to hand the baton over; the others wait. So
// the run is one sequence of steps, the same for the same seed, and every load and store between
// two points is one step to the others.
//
// Two ways to choose, drawn by the seed:
//   even       at each point somebody else goes on with a chance of one in 2 to 64
//   priority   the thread of the highest priority goes on; at one to five points of chance whoever
//              runs falls behind all others. A bug that needs d changes in an order is met with a
//              chance of 1 / (n k^(d-1)) for n threads and k steps: Burckhardt et al. 2010, "A
//              randomized scheduler with probabilistic guarantees of finding bugs" (PCT)
//
// Orders that the memory model allows and no interleaving shows are not found: they are
// ThreadSanitizer's.
//
// Threads: run() of one scheduler at a time in a process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <semaphore>
#include <span>
#include <vector>

#include "base/schedule.h"

namespace skerry::testing {

class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed) : random_(seed) {}

  // Runs the bodies to their ends. A run in which all wait for each other, or that does not end, is
  // a failure that ends the process.
  void run(std::span<const std::function<void()>> bodies);

  std::uint64_t steps() const { return steps_; }

  // What is_broken_by() answers from now on, in all threads.
  static void break_by(Fault fault);

  // For base/schedule.h.
  void point();
  void wait(const char* where);
  void released();

 private:
  struct Thread {
    std::binary_semaphore baton{0};
    bool is_ready = true;
    bool is_done = false;
    std::uint64_t priority = 0;  // the higher goes first
    const char* waits_at = "";
  };

  std::size_t choose();
  void hand_to(std::size_t next);
  void end();

  static constexpr std::size_t kNobody = ~std::size_t{0};
  static constexpr std::uint64_t kStepsMost = 5'000'000;

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Thread>> threads_;
  bool is_even_ = false;
  std::uint64_t patience_ = 2;                // even: one point in so many changes the thread
  std::vector<std::uint64_t> change_points_;  // priority: steps, the next last
  std::uint64_t lowest_ = 0;
  std::uint64_t steps_ = 0;
  std::binary_semaphore all_done_{0};
};

}  // namespace skerry::testing

#include "schedules/scheduler.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace skerry {
namespace testing {
namespace {

// Steps that a run of the scenarios has, about: change points are drawn below it.
constexpr std::uint64_t kUsualSteps = 4000;

thread_local Scheduler* t_scheduler = nullptr;  // null: the thread is in no schedule
thread_local std::size_t t_number = 0;
std::atomic<Fault> g_fault{Fault::none};

[[noreturn]] void stop(const char* what) {
  std::fprintf(stderr, "schedule: %s\n", what);
  std::abort();
}

}  // namespace

void Scheduler::break_by(Fault fault) {
  g_fault = fault;
}

void Scheduler::run(std::span<const std::function<void()>> bodies) {
  is_even_ = random_() % 2 == 0;
  patience_ = std::uint64_t{2} << random_() % 6;
  for (std::uint64_t changes = 1 + random_() % 5; changes > 0; --changes) {
    change_points_.push_back(1 + random_() % (kUsualSteps >> random_() % 4));
  }
  std::sort(change_points_.rbegin(), change_points_.rend());
  lowest_ = change_points_.size();
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    threads_.push_back(std::make_unique<Thread>());
    threads_.back()->priority = lowest_ + 1 + random_() % 1000 * bodies.size() + i;
  }
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    running.emplace_back([&, i] {
      t_scheduler = this;
      t_number = i;
      threads_[i]->baton.acquire();
      bodies[i]();
      end();
    });
  }
  threads_[choose()]->baton.release();
  all_done_.acquire();
  for (std::thread& thread : running) thread.join();
}

// Who goes next, of those that can.
std::size_t Scheduler::choose() {
  std::size_t chosen = kNobody;
  std::uint64_t ready = 0;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const Thread& thread = *threads_[i];
    if (!thread.is_ready || thread.is_done) continue;
    ++ready;
    const bool is_better = is_even_
                               ? random_() % ready == 0
                               : chosen == kNobody || thread.priority > threads_[chosen]->priority;
    if (is_better) chosen = i;
  }
  return chosen;
}

void Scheduler::hand_to(std::size_t next) {
  if (next == t_number) return;
  Thread& mine = *threads_[t_number];
  threads_[next]->baton.release();
  mine.baton.acquire();
}

void Scheduler::point() {
  if (++steps_ > kStepsMost) stop("it does not end");
  if (is_even_) {
    if (random_() % patience_ == 0) hand_to(choose());
    return;
  }
  while (!change_points_.empty() && change_points_.back() <= steps_) {
    change_points_.pop_back();
    threads_[t_number]->priority = --lowest_;
  }
  hand_to(choose());
}

void Scheduler::wait(const char* where) {
  if (++steps_ > kStepsMost) stop("it does not end");
  Thread& mine = *threads_[t_number];
  mine.is_ready = false;
  mine.waits_at = where;
  const std::size_t next = choose();
  if (next == kNobody) {
    for (const auto& thread : threads_) {
      if (!thread->is_done)
        std::fprintf(stderr, "schedule: a thread waits at %s\n", thread->waits_at);
    }
    stop("all wait for each other");
  }
  hand_to(next);
}

void Scheduler::released() {
  for (const auto& thread : threads_) thread->is_ready = true;
  point();
}

void Scheduler::end() {
  threads_[t_number]->is_done = true;
  for (const auto& thread : threads_) thread->is_ready = true;
  const std::size_t next = choose();
  t_scheduler = nullptr;
  if (next == kNobody) {
    all_done_.release();
  } else {
    threads_[next]->baton.release();
  }
}

}  // namespace testing

void schedule_point(const char* /*where*/) noexcept {
  if (testing::t_scheduler != nullptr) testing::t_scheduler->point();
}

void schedule_blocked(const char* where) noexcept {
  if (testing::t_scheduler == nullptr) {
    std::this_thread::yield();
  } else {
    testing::t_scheduler->wait(where);
  }
}

void schedule_released() noexcept {
  if (testing::t_scheduler != nullptr) testing::t_scheduler->released();
}

bool is_broken_by(Fault fault) noexcept {
  return testing::g_fault.load(std::memory_order_relaxed) == fault;
}

}  // namespace skerry

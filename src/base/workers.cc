#include "base/workers.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#include "base/fork.h"
#include "base/host_functions.h"

namespace skerry {
namespace {

std::uint32_t core_count() noexcept {
  static const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  return cores;
}

// A call that wants help. It lives on its caller's stack and is linked while hands are wanted.
struct Job {
  FunctionRef<void()> task;
  std::uint32_t wanted;       // hands that may still join
  std::uint32_t working = 0;  // hands inside task()
  Job* next = nullptr;
};

class Workers {
 public:
  void run(std::uint32_t hands, FunctionRef<void()> task) {
    Job job{task, hands, 0, nullptr};
    {
      std::lock_guard lock(mutex_);
      start();
      job.next = jobs_;
      jobs_ = &job;
    }
    called_.notify_all();
    task();
    std::unique_lock lock(mutex_);
    unlink(&job);
    finished_.wait(lock, [&] { return job.working == 0; });
  }

 private:
  // As many threads as the system gives; none is fine, the caller works alone.
  void start() {
    if (started_) return;
    started_ = true;
    for (std::uint32_t i = 1; i < core_count(); ++i) {
      try {
        std::thread([this] { work(); }).detach();
      } catch (const std::exception&) {  // of the system, or for want of memory
        return;
      }
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      called_.wait(lock, [&] { return jobs_ != nullptr; });
      Job* job = jobs_;
      ++job->working;
      if (--job->wanted == 0) unlink(job);
      lock.unlock();
      job->task();
      lock.lock();
      if (--job->working == 0) finished_.notify_all();
      // The work is shared out: whoever comes now finds nothing to do.
      unlink(job);
    }
  }

  void unlink(Job* job) {
    for (Job** at = &jobs_; *at != nullptr; at = &(*at)->next) {
      if (*at == job) {
        *at = job->next;
        return;
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable called_;
  std::condition_variable finished_;
  Job* jobs_ = nullptr;   // under mutex_
  bool started_ = false;  // under mutex_
};

// Lives as long as the process: its threads may still wait when statics are destroyed. A child of
// fork() has no threads of ours and works alone.
Workers& workers() {
  alignas(Workers) static std::byte room[sizeof(Workers)];
  static Workers* const shared = new (room) Workers;
  return *shared;
}

// Each call of a task can do all of it, so a host that makes fewer than it was asked for is slow
// and not wrong; of one that makes none, this thread works.
void run_by_host(const Executor& host, std::uint32_t hands, FunctionRef<void()> task) noexcept {
  struct Shared {
    FunctionRef<void()> task;
    std::atomic<bool> is_begun{false};
  };
  Shared shared{task};
  const auto work = [](void* argument) {
    auto& mine = *static_cast<Shared*>(argument);
    mine.is_begun.store(true, std::memory_order_relaxed);
    mine.task();
  };
  host.run(host.context, work, &shared, hands);
  if (!shared.is_begun.load(std::memory_order_relaxed)) task();
}

}  // namespace

std::uint32_t hand_count() noexcept {
  const Executor* host = host_executor();
  return host != nullptr ? host->hands : core_count();
}

void parallel(std::uint32_t threads, FunctionRef<void()> task) noexcept {
  static const std::uint64_t generation = fork_generation();
  if (threads == 1) return task();
  const std::uint32_t most = hand_count();
  const std::uint32_t hands = threads == 0 ? most : std::min(threads, most);
  if (hands <= 1 || generation != fork_generation()) return task();
  if (const Executor* host = host_executor()) return run_by_host(*host, hands, task);
  workers().run(hands - 1, task);
}

}  // namespace skerry

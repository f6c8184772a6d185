// fork.cc - one number that a fork raises.
#include "base/fork.h"

#include <pthread.h>

#include <atomic>

namespace skerry {
namespace {

std::atomic<std::uint64_t> generation{1};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace

std::uint64_t fork_generation() noexcept {
  // The handler can only be refused for want of memory; then forks go unseen, which is where we
  // would be without it.
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

}  // namespace skerry

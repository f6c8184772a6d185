// fork.cc - one number that a fork raises.
#include "base/fork.h"

#include <pthread.h>

#include <atomic>

namespace skerry {
namespace {

std::atomic<std::uint64_t> generation{1};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// When the library is loaded: later there may be no memory for it, and forks would go unseen.
[[maybe_unused]] const int forks_registered =
    pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

std::uint64_t fork_generation() noexcept {
  return generation.load(std::memory_order_relaxed);
}

}  // namespace skerry

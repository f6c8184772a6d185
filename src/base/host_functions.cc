#include "base/host_functions.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace skerry {
namespace {

constexpr std::uint32_t kHandsMost = 65536;

// A choice that is made once: by who hands something in, or by who asks first.
template <class T>
class Choice {
 public:
  // False: it was made before.
  bool make(const T& value) noexcept {
    State open = State::open;
    if (!state_.compare_exchange_strong(open, State::being_made, std::memory_order_acquire)) {
      return false;
    }
    value_ = value;
    state_.store(State::made, std::memory_order_release);
    return true;
  }

  const T* get() noexcept {
    State state = state_.load(std::memory_order_acquire);
    if (state == State::open) {
      if (state_.compare_exchange_strong(state, State::declined, std::memory_order_acquire)) {
        return nullptr;
      }
    }
    while (state == State::being_made) state = state_.load(std::memory_order_acquire);
    return state == State::made ? &value_ : nullptr;
  }

 private:
  enum class State : std::uint8_t { open, being_made, made, declined };

  std::atomic<State> state_{State::open};
  T value_;  // by make(); constant once it is made
};

constinit Choice<Allocator> allocator;
constinit Choice<Executor> executor;

}  // namespace

Status set_allocator(const Allocator& given) noexcept {
  if (given.allocate == nullptr || given.release == nullptr || given.reserve == nullptr ||
      given.commit == nullptr || given.unreserve == nullptr) {
    return Status(Code::invalid_argument, "allocator: expected all five functions, given fewer");
  }
  if (allocator.make(given)) return {};
  return Status(Code::busy, "allocator: expected before the first index or database, given later");
}

Status set_executor(const Executor& given) noexcept {
  if (given.run == nullptr) {
    return Status(Code::invalid_argument, "executor: expected a function, given none");
  }
  if (given.hands < 1 || given.hands > kHandsMost) {
    return Status(Code::invalid_argument, "executor: expected 1 to 65536 hands, given {b}", 0,
                  given.hands);
  }
  if (executor.make(given)) return {};
  return Status(Code::busy, "executor: expected before the first work is shared, given later");
}

const Allocator* host_allocator() noexcept {
  return allocator.get();
}
const Executor* host_executor() noexcept {
  return executor.get();
}

void* take_lines(std::size_t bytes) noexcept {
  const Allocator* host = host_allocator();
  if (host == nullptr) return std::aligned_alloc(kLineBytes, bytes);
  return host->allocate(host->context, bytes, kLineBytes);
}

void give_lines_back(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
  const Allocator* host = host_allocator();
  if (host == nullptr) return std::free(memory);
  host->release(host->context, memory, bytes, kLineBytes);
}

}  // namespace skerry

// scratch_pool.h - scratch of calls, lent out so that none is made twice.
//
// A call borrows a T and gives it back; after warm-up nothing is allocated. The pool is an array of
// atomic pointers: a taker starts at a place of its own thread's, so threads seldom meet. It is no
// thread-local of the caller's: a thread's first one with a destructor is registered with the C
// library, which ends the program when it has no memory for that.
//
// Threads: any. 64 are kept; more than that at once are made and thrown away.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

namespace skerry {

// Another number in each thread.
inline std::size_t number_of_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

template <class T>
class ScratchPool {
 public:
  ScratchPool() noexcept = default;
  ~ScratchPool() {
    for (std::atomic<T*>& place : places_) delete place.load(std::memory_order_relaxed);
  }
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;

  // Null when there is none and no memory for one.
  T* take() noexcept {
    const std::size_t start = number_of_thread();
    for (std::size_t i = 0; i < kPlaces; ++i) {
      std::atomic<T*>& place = places_[(start + i) % kPlaces];
      if (place.load(std::memory_order_relaxed) == nullptr) continue;
      if (T* scratch = place.exchange(nullptr, std::memory_order_acquire)) return scratch;
    }
    return new (std::nothrow) T;
  }

  void give_back(T* scratch) noexcept {
    const std::size_t start = number_of_thread();
    for (std::size_t i = 0; i < kPlaces; ++i) {
      T* empty = nullptr;
      if (places_[(start + i) % kPlaces].compare_exchange_strong(empty, scratch,
                                                                 std::memory_order_release)) {
        return;
      }
    }
    delete scratch;
  }

 private:
  static constexpr std::size_t kPlaces = 64;

  std::atomic<T*> places_[kPlaces] = {};
};

// A T for the length of a scope; null inside when there is no memory.
template <class T>
class ScratchLease {
 public:
  explicit ScratchLease(ScratchPool<T>& pool) noexcept : pool_(pool), scratch_(pool.take()) {}
  ~ScratchLease() {
    if (scratch_ != nullptr) pool_.give_back(scratch_);
  }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;

  T* get() const noexcept { return scratch_; }

 private:
  ScratchPool<T>& pool_;
  T* scratch_;
};

}  // namespace skerry

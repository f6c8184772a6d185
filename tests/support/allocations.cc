// allocations.cc - malloc, its family and operator new, counted on the way to the C library.

#include "support/allocations.h"

#include <cerrno>
#include <cstddef>
#include <new>

namespace skerry::testing {

std::atomic<std::uint64_t> allocation_calls{0};
std::atomic<std::uint64_t> allocation_bytes{0};
std::atomic<bool (*)() noexcept> allocation_gate{nullptr};

namespace {

// Whether the call may go on.
bool count(std::size_t bytes) noexcept {
  allocation_calls.fetch_add(1, std::memory_order_relaxed);
  allocation_bytes.fetch_add(bytes, std::memory_order_relaxed);
  bool (*const gate)() noexcept = allocation_gate.load(std::memory_order_relaxed);
  if (gate == nullptr || gate()) return true;
  errno = ENOMEM;
  return false;
}

}  // namespace
}  // namespace skerry::testing

using skerry::testing::count;

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) noexcept {
  return count(bytes) ? __libc_malloc(bytes) : nullptr;
}
void* calloc(std::size_t items, std::size_t bytes) noexcept {
  return count(items * bytes) ? __libc_calloc(items, bytes) : nullptr;
}
void* realloc(void* old, std::size_t bytes) noexcept {
  return count(bytes) ? __libc_realloc(old, bytes) : nullptr;
}
void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  return count(bytes) ? __libc_memalign(alignment, bytes) : nullptr;
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  return count(bytes) ? __libc_memalign(alignment, bytes) : nullptr;
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) noexcept {
  *out = count(bytes) ? __libc_memalign(alignment, bytes) : nullptr;
  return *out != nullptr ? 0 : ENOMEM;
}

}  // extern "C"

// Straight to the C library, so that nothing is counted twice. The other forms of new come here.
void* operator new(std::size_t bytes) {
  if (void* memory = count(bytes) ? __libc_malloc(bytes) : nullptr) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto boundary = static_cast<std::size_t>(alignment);
  if (void* memory = count(bytes) ? __libc_memalign(boundary, bytes) : nullptr) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  __libc_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  __libc_free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  __libc_free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  __libc_free(memory);
}

// allocation_count.cc - how often has this thread asked for memory?
#include "cli/allocation_count.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(SKERRY_NO_ALLOCATION_COUNT)

namespace {

// In the executable's own thread storage: touching it allocates nothing.
constinit thread_local std::uint64_t count = 0;

}  // namespace

// glibc's own functions under the names it keeps for those who replace malloc. free() stays
// glibc's: the memory is its own.
extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t items, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

__attribute__((visibility("default"))) void* malloc(std::size_t bytes) noexcept {
  ++count;
  return __libc_malloc(bytes);
}

__attribute__((visibility("default"))) void* calloc(std::size_t items, std::size_t bytes) noexcept {
  ++count;
  return __libc_calloc(items, bytes);
}

__attribute__((visibility("default"))) void* realloc(void* memory, std::size_t bytes) noexcept {
  ++count;
  return __libc_realloc(memory, bytes);
}

__attribute__((visibility("default"))) void* aligned_alloc(std::size_t alignment,
                                                           std::size_t bytes) noexcept {
  ++count;
  return __libc_memalign(alignment, bytes);
}

__attribute__((visibility("default"))) int posix_memalign(void** memory, std::size_t alignment,
                                                          std::size_t bytes) noexcept {
  ++count;
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  void* const given = __libc_memalign(alignment, bytes);
  if (given == nullptr) return ENOMEM;
  *memory = given;
  return 0;
}

}  // extern "C"

namespace skerry::cli {
std::optional<std::uint64_t> allocation_count() noexcept {
  return count;
}
}  // namespace skerry::cli

#else

namespace skerry::cli {
std::optional<std::uint64_t> allocation_count() noexcept {
  return std::nullopt;
}
}  // namespace skerry::cli

#endif

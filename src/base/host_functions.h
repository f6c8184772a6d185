// host_functions.h - did the program hand in memory or threads of its own (skerry/host.h)?
//
// Whoever asks first settles it: from then on nothing can be handed in, and every later answer is
// the same. So what was taken from somebody goes back to him.
//
// Threads: any. Cost: one load.
#pragma once

#include <cstddef>

#include "skerry/host.h"

namespace skerry {

// Null: none was handed in, and none will be.
const Allocator* host_allocator() noexcept;
const Executor* host_executor() noexcept;

inline constexpr std::size_t kLineBytes = 64;
constexpr std::size_t whole_lines(std::size_t bytes) noexcept {
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}

// Memory that begins on a cache line, the host's or the C library's; null: there is none. `bytes`
// is a multiple of kLineBytes, and said again when it is given back.
void* take_lines(std::size_t bytes) noexcept;
void give_lines_back(void* memory, std::size_t bytes) noexcept;

}  // namespace skerry

// fork.h - is this still the process that made the handle?
//
// After fork() a child has a copy of everything and owns none of it: threads are gone, locks may be
// held by nobody, a store's reader slots belong to the parent. A handle remembers the generation it
// was made in and compares: in the child the number is another.
//
// Threads: any. Cost: one relaxed load; the counting is done by a pthread_atfork() handler.
#pragma once

#include <cstdint>

namespace skerry {

// 1 in the process that asked first, and one more in each of its forks.
std::uint64_t fork_generation() noexcept;

}  // namespace skerry

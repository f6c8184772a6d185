// workers.h - more hands for one call, without making threads for it.
//
// The process has one set of worker threads, a core less than the machine, started at the first
// call that asks for help. A call shares its work with whoever is free and always works itself, so
// it ends even when all others are busy. Nothing is allocated per call.
//
// Threads: parallel() from any thread at once; a task must not call parallel() again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skerry/types.h"

namespace skerry {

// Cores of this machine, at least 1.
std::uint32_t core_count() noexcept;

// Calls task() on up to `threads` threads at once, this one among them, and returns when all have
// returned. The tasks share out the work among themselves (an atomic counter, say); each must be
// able to do all of it alone. threads: 0 is one a core.
void parallel(std::uint32_t threads, FunctionRef<void()> task) noexcept;

}  // namespace skerry

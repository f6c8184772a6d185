// workers.h - more hands for one call, without making threads for it.
//
// The process has one set of worker threads, a core less than the machine, started at the first
// call that asks for help. A call shares its work with whoever is free and always works itself, so
// it ends even when all others are busy. Nothing is allocated per call. Of a host that hands in an
// executor (skerry/host.h) its threads are used instead.
//
// Threads: parallel() from any thread at once; a task must not call parallel() again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skerry/types.h"

namespace skerry {

// Threads that may work for one call: the cores of this machine, or what the host's executor says.
// At least 1.
std::uint32_t hand_count() noexcept;

// Calls task() on up to `threads` threads at once, this one among them, and returns when all have
// returned. The tasks share out the work among themselves (an atomic counter, say); each must be
// able to do all of it alone. threads: 0 is hand_count().
void parallel(std::uint32_t threads, FunctionRef<void()> task) noexcept;

}  // namespace skerry

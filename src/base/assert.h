// assert.h - what we believe, checked; a belief that broke has no honest continuation.
//
// Cheap checks stay on in release: SKERRY_ASSERT prints the place and the condition and stops.
// It is for our own invariants only; a caller's mistake is a Status. SKERRY_DEBUG_ASSERT is for
// what stands on a hot path, and is nothing in release; the tests of schedules have it.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SKERRY_ASSERT(condition)                                                        \
  do {                                                                                  \
    if (!(condition)) [[unlikely]] {                                                    \
      std::fprintf(stderr, "skerry: %s:%d: broken invariant: %s\n", __FILE__, __LINE__, \
                   #condition);                                                         \
      std::abort();                                                                     \
    }                                                                                   \
  } while (false)

#if !defined(NDEBUG) || defined(SKERRY_SCHEDULES)
#define SKERRY_DEBUG_ASSERT(condition) SKERRY_ASSERT(condition)
#else
#define SKERRY_DEBUG_ASSERT(condition) static_cast<void>(0)
#endif

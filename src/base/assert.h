// assert.h - what we believe, checked; a belief that broke has no honest continuation.
//
// Cheap checks stay on in release: SKERRY_ASSERT prints the place and the condition and stops.
// It is for our own invariants only; a caller's mistake is a Status.
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

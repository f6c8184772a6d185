// targets.h - which kernels are in this build, and which of them are used?
//
// One table for each target file; dispatch.cc alone chooses among them.
//
// Threads: constants.
#pragma once

#include "simd/kernels.h"

namespace skerry::simd {

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif
#if defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

// Of `best` and the cap that SKERRY_TARGET names: the cap when `has` says that it can run here,
// otherwise `best`. A null, empty or unknown name caps nothing.
Target capped(Target best, const char* cap, bool (*has)(Target)) noexcept;

}  // namespace skerry::simd

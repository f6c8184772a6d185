// version.h - which Skerry is this? The numbers are for C too (c.h).
#pragma once

#include "skerry/export.h"

#define SKERRY_VERSION_MAJOR 0
#define SKERRY_VERSION_MINOR 1
#define SKERRY_VERSION_PATCH 0

#ifdef __cplusplus
namespace skerry {

// "0.1.0", of the library that was linked. Never null.
SKERRY_API const char* version() noexcept;

// The kernels in use: "scalar", "avx2", "avx512", "neon". Never null.
SKERRY_API const char* target() noexcept;

}  // namespace skerry
#endif

// export.h - what leaves the shared library: everything else is hidden.
#pragma once

#if defined(SKERRY_SHARED) && defined(__GNUC__)
#define SKERRY_API __attribute__((visibility("default")))
#else
#define SKERRY_API
#endif

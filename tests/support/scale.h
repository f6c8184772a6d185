// scale.h - how much work may a test do here?
//
// Sanitizers make everything five to twenty times slower. A test that counts in thousands asks
// scaled() for its count, so that one text serves every build.
#pragma once

#include <cstddef>

namespace skerry::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(undefined_behavior_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// `count`, or a `shrink`th of it (at least 1) under a sanitizer.
constexpr std::size_t scaled(std::size_t count, std::size_t shrink = 4) {
  if (!kSanitized) return count;
  return count / shrink > 0 ? count / shrink : 1;
}

}  // namespace skerry::testing

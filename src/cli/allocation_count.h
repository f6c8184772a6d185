// allocation_count.h - how often has this thread asked for memory?
//
// The command (not the library) puts itself before malloc, calloc, realloc and the aligned ones;
// operator new goes through malloc, so it is counted too. Under a sanitizer, which does the same,
// and without glibc, there is no count.
#pragma once

#include <cstdint>
#include <optional>

namespace skerry::cli {

// Since the thread began; none when it is not counted in this build.
std::optional<std::uint64_t> allocation_count() noexcept;

}  // namespace skerry::cli

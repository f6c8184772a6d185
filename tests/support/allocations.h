// allocations.h - how much memory did this stretch of the program ask for?
//
// An executable that links allocations.cc has its malloc family and operator new counted: every
// call of every thread, those of libraries too; memory that is mapped is not. glibc only, and not
// beside a sanitizer, which has a malloc of its own.
#pragma once

#include <atomic>
#include <cstdint>

namespace skerry::testing {

extern std::atomic<std::uint64_t> allocation_calls;
extern std::atomic<std::uint64_t> allocation_bytes;

// Asked at every call while it is set: false lets the call fail as if there were no memory.
extern std::atomic<bool (*)() noexcept> allocation_gate;

// Counts from its making on.
class Tally {
 public:
  std::uint64_t calls() const { return allocation_calls - calls_; }
  std::uint64_t bytes() const { return allocation_bytes - bytes_; }

 private:
  std::uint64_t calls_ = allocation_calls;
  std::uint64_t bytes_ = allocation_bytes;
};

}  // namespace skerry::testing

// refusal.h - what if there were no memory for this?
//
// For executables that link allocations.cc.
#pragma once

#include <cstdint>

#include "support/allocations.h"

namespace skerry::testing {

// For the length of a scope this thread gets no memory, or everything but the nth request.
class Refusal {
 public:
  explicit Refusal(std::uint64_t nth = 0) {
    left_ = nth;
    refuses_all_ = nth == 0;
    refused_ = 0;
    is_on_ = true;
    allocation_gate = &Refusal::may_allocate;
  }
  ~Refusal() { end(); }
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;

  void end() { is_on_ = false; }
  std::uint64_t refused() const { return refused_; }

 private:
  static bool may_allocate() noexcept {
    if (!is_on_ || (!refuses_all_ && (left_ == 0 || --left_ != 0))) return true;
    ++refused_;
    return false;
  }

  static constinit inline thread_local bool is_on_ = false;
  static constinit inline thread_local bool refuses_all_ = false;
  static constinit inline thread_local std::uint64_t left_ = 0;
  static constinit inline thread_local std::uint64_t refused_ = 0;
};

}  // namespace skerry::testing

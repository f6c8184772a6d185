// calls.h - what may a caller's function do while we are inside it?
//
// A function that for_each() calls may read and write, but it must not close or drop what is being
// walked: that would wait for itself.
#pragma once

#include "index/engine.h"
#include "skerry/status.h"

namespace skerry {

// While a caller's function may be called by for_each() on this thread.
class VisitScope {
 public:
  VisitScope() noexcept { ++depth(); }
  ~VisitScope() { --depth(); }
  VisitScope(const VisitScope&) = delete;
  VisitScope& operator=(const VisitScope&) = delete;

  static bool is_inside() noexcept { return depth() != 0; }

 private:
  static unsigned& depth() noexcept {
    thread_local unsigned depth = 0;
    return depth;
  }
};

// For calls that wait until all readers are out.
inline Status check_outside_callbacks() noexcept {
  if (!inside_filter() && !VisitScope::is_inside()) return Status();
  return Status(Code::invalid_argument, "this call cannot be made from inside a callback");
}

}  // namespace skerry

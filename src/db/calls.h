// calls.h - what is true of every call through a door? Nothing is thrown, a handle may hold
// nothing, and a caller's function may do some things while we are inside it.
//
// A function that for_each() calls may read and write, but it must not close or drop what is being
// walked: that would wait for itself.
#pragma once

#include <filesystem>
#include <new>

#include "index/engine.h"
#include "skerry/status.h"

namespace skerry {

// A handle that was moved from holds nothing.
inline Status moved_from() noexcept {
  return Status(Code::closed, "the handle was moved from");
}

// No exception crosses the door: ours are for want of memory, the library's own for paths.
template <class Call>
auto guarded(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory for the call");
  } catch (const std::filesystem::filesystem_error& error) {
    return Status(Code::io_error, "the file system refused: {e}",
                  static_cast<std::uint64_t>(error.code().value()));
  }
}

// The same, through a handle: a pointer to the state.
template <class Handle, class Call>
auto guarded(const Handle& state, Call call) -> decltype(call(*state)) {
  if (state == nullptr) return moved_from();
  return guarded([&] { return call(*state); });
}

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

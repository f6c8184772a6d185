// raised.h - what did Python raise while the library was at work?
//
// A callback must not throw through the library. What it raises is kept, the callback answers what
// ends the call soonest, and the exception goes on when the call has returned. The first one
// counts.
//
// Threads: callbacks come from any thread. The exception is touched with the GIL alone; whether
// there is one may be asked by anybody.
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "python/python.h"

namespace skerry::python {

class Raised {
 public:
  // In the handler of a py::error_already_set, with the GIL.
  void keep(py::error_already_set& error) {
    if (!error_.has_value()) error_.emplace(error);
    any_.store(true, std::memory_order_release);
  }

  bool any() const noexcept { return any_.load(std::memory_order_acquire); }

  // With the GIL, after the call. Forgets it.
  void rethrow_if_any() {
    if (!any()) return;
    py::error_already_set error = std::move(*error_);
    error_.reset();
    any_.store(false, std::memory_order_release);
    throw error;
  }

 private:
  std::optional<py::error_already_set> error_;
  std::atomic<bool> any_{false};
};

}  // namespace skerry::python

// long_call.h - a call that may take long: Ctrl-C, progress and a time limit.
//
//   LongCall call(progress, timeout);
//   Status status = without_gil([&] { return index.save(path, call.control()); });
//   call.finish(status);
//
// The library asks between pieces of its work, in the thread that made the call. Now and then we
// take the GIL then: Python looks whether a signal has come, and progress(done, total) is called,
// which may say False to stop. Whatever Python raises stops the call and is raised by finish().
//
// Threads: one, that of the call. Cost: of a short call, a comparison; the clock is read from the
// second time on that the library asks.
#pragma once

#include <chrono>
#include <cstdint>

#include "python/errors.h"
#include "python/numbers.h"
#include "python/python.h"
#include "python/raised.h"
#include "skerry/control.h"

namespace skerry::python {

// Runs `work` without the GIL.
template <class Work>
auto without_gil(Work&& work) {
  const py::gil_scoped_release released;
  return work();
}

class LongCall {
 public:
  // `progress` is None or callable, `timeout` None or seconds. `other` is what other callbacks of
  // the call, or of its index, have raised: it stops the call too.
  LongCall(py::handle progress, py::handle timeout, Raised* other = nullptr);
  LongCall(const LongCall&) = delete;
  LongCall& operator=(const LongCall&) = delete;

  Control control() noexcept { return {ask, this, deadline_}; }
  Raised& raised() noexcept { return raised_; }

  // With the GIL: raises what a callback raised, else what the status says.
  void finish(const Status& status) {
    raised_.rethrow_if_any();
    if (other_ != nullptr) other_->rethrow_if_any();
    check(status);
  }
  template <class T>
  T finish(Result<T> result) {
    finish(result.error());
    return std::move(result).value();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kPause = std::chrono::milliseconds(20);

  static bool ask(void* context, std::uint64_t done, std::uint64_t total);
  bool look(std::uint64_t done, std::uint64_t total);

  py::handle progress_;
  Clock::time_point deadline_ = kNoDeadline;
  Clock::time_point next_{};
  bool was_asked_ = false;
  Raised raised_;
  Raised* other_;
};

}  // namespace skerry::python

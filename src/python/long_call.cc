// long_call.cc - a call that may take long: Ctrl-C, progress and a time limit.
#include "python/long_call.h"

#include <algorithm>
#include <cmath>

namespace skerry::python {

LongCall::LongCall(py::handle progress, py::handle timeout, Raised* other)
    : progress_(progress), other_(other) {
  if (timeout.is_none()) return;
  const double seconds = real("timeout", timeout, 0);
  if (std::isnan(seconds) || seconds < 0) {
    raise_invalid("timeout: expected seconds from 0, given " +
                  py::str(timeout).cast<std::string>());
  }
  // A year is as good as no limit, and no clock overflows.
  const std::chrono::duration<double> limit(std::min(seconds, 3.2e7));
  deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit);
}

bool LongCall::ask(void* context, std::uint64_t done, std::uint64_t total) {
  auto& call = *static_cast<LongCall*>(context);
  if (call.raised_.any() || (call.other_ != nullptr && call.other_->any())) return false;
  const bool has_progress = !call.progress_.is_none();
  const bool is_first = !call.was_asked_;
  call.was_asked_ = true;
  if (is_first && !has_progress) return true;
  const bool is_end = has_progress && (is_first || (total != 0 && done == total));
  const Clock::time_point now = Clock::now();
  if (now < call.next_ && !is_end) return true;
  call.next_ = now + kPause;
  return call.look(done, total);
}

bool LongCall::look(std::uint64_t done, std::uint64_t total) {
  const py::gil_scoped_acquire gil;
  try {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (progress_.is_none()) return true;
    const py::object answer = progress_(done, total);
    return answer.is_none() || truth(answer);
  } catch (py::error_already_set& error) {
    raised_.keep(error);
    return false;
  }
}

}  // namespace skerry::python

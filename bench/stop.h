// stop.h - has somebody pressed Ctrl-C?
//
// The first Ctrl-C asks every loop of the benchmark to end soon; what was measured is written. A
// second one ends the process at once.
#pragma once

#include <stdexcept>

namespace skerry::bench {

// Thrown by check_stop() and caught in run_bench().
struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("stopped") {}
};

// Takes over SIGINT and SIGTERM for as long as it lives.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

bool stop_asked() noexcept;
void check_stop();

}  // namespace skerry::bench

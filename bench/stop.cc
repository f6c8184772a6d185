// stop.cc - see stop.h.
#include "stop.h"

#include <signal.h>

namespace skerry::bench {
namespace {

volatile sig_atomic_t g_stop_asked = 0;
struct sigaction g_old_int, g_old_term;

void on_signal(int) {
  g_stop_asked = 1;
}

}  // namespace

StopSignals::StopSignals() {
  g_stop_asked = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one is the system's
  sigaction(SIGINT, &action, &g_old_int);
  sigaction(SIGTERM, &action, &g_old_term);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &g_old_int, nullptr);
  sigaction(SIGTERM, &g_old_term, nullptr);
}

bool stop_asked() noexcept {
  return g_stop_asked != 0;
}

void check_stop() {
  if (stop_asked()) throw Stopped();
}

}  // namespace skerry::bench

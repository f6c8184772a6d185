// interrupt.cc - Ctrl-C, once: stop when it is safe. Twice: stop.
#include "cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "cli/exit_code.h"
#include "cli/failure.h"

namespace skerry::cli {
namespace {

std::atomic<bool> noted{false};
int ends[2] = {-1, -1};  // set before the handler is installed, never after

extern "C" void note_signal(int) {
  const int saved = errno;
  noted.store(true, std::memory_order_relaxed);
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = ::write(ends[1], &byte, 1);
  errno = saved;
}

}  // namespace

void catch_interrupts() {
  if (ends[0] >= 0) return;
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail(kStorage, "no pipe for signals");
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept {
  return noted.load(std::memory_order_relaxed);
}

int stop_fd() noexcept {
  return ends[0];
}

}  // namespace skerry::cli

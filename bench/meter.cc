// meter.cc - see meter.h.
#include "meter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "clock.h"

namespace skerry::bench {

Meter::Meter(std::string what, std::size_t total)
    : what_(std::move(what)),
      total_(std::max<std::size_t>(total, 1)),
      started_(wall_seconds()),
      on_(isatty(STDERR_FILENO) != 0) {
  show(0);
}

Meter::~Meter() {
  if (on_) fmt::print(stderr, "\r\x1b[K");
}

void Meter::show(std::size_t done) {
  if (!on_) return;
  const double now = wall_seconds();
  if (now - drawn_ < 0.1) return;
  drawn_ = now;
  constexpr std::size_t kWidth = 30;
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  const auto filled = static_cast<std::size_t>(part * kWidth);
  const double spent = now - started_;
  const std::string left = part > 0 ? fmt::format("{:.0f} s left", spent / part - spent) : "";
  fmt::print(stderr, "\r\x1b[K{} [{:#<{}}{:.<{}}] {:3.0f} % {}", what_, "", filled, "",
             kWidth - filled, part * 100, left);
  std::fflush(stderr);
}

}  // namespace skerry::bench

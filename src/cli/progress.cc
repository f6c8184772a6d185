// progress.cc - how far is it, how fast, how long still? On a terminal only.
#include "cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/output.h"

namespace skerry::cli {
namespace {

constexpr int kBarWidth = 24;
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

Progress::Progress(std::string label, std::optional<std::uint64_t> total)
    : label_(std::move(label)),
      total_(total),
      visible_(::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_(begin_ + kPause) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void Progress::update(std::uint64_t done) {
  if (!visible_) return;
  if (total_.value_or(0) == 0) return draw(done, std::nullopt);
  draw(done, static_cast<double>(done) / static_cast<double>(*total_));
}

void Progress::update(std::uint64_t done, double fraction) {
  if (visible_) draw(done, fraction);
}

void Progress::draw(std::uint64_t done, std::optional<double> fraction) {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kPause;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  std::string line = fmt::format("\r{}  ", label_);
  if (fraction.has_value()) {
    const double part = std::clamp(*fraction, 0.0, 1.0);
    const int filled = static_cast<int>(part * kBarWidth);
    line +=
        fmt::format("[{:=<{}}>{: <{}}] {:3.0f}%  ", "", filled, "", kBarWidth - filled, part * 100);
  }
  line += with_commas(done);
  if (total_.has_value()) line += " of " + with_commas(*total_);
  line += fmt::format("  {}/s", with_commas(static_cast<std::uint64_t>(done / seconds)));
  if (fraction.has_value() && *fraction > 0) {
    const auto left = static_cast<std::uint64_t>(seconds / *fraction * (1 - *fraction));
    line += fmt::format("  {}:{:02} left", left / 60, left % 60);
  }
  fmt::print(stderr, "{}\x1b[K", line);
  std::fflush(stderr);
}

}  // namespace skerry::cli

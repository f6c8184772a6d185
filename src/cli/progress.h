// progress.h - how far is it, how fast, how long still? On a terminal only.
//
//   import  [=========>          ]  47%  470,000 of 1,000,000  12,345/s  0:43 left
//
// Drawn on standard error at most ten times a second; nothing at all when that is not a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace skerry::cli {

class Progress {
 public:
  // `total` none: only the count and the rate are shown, unless update() knows a fraction.
  Progress(std::string label, std::optional<std::uint64_t> total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // wipes the line

  void update(std::uint64_t done);
  void update(std::uint64_t done, double fraction);  // of a file's bytes, when rows are not known

 private:
  using Clock = std::chrono::steady_clock;
  void draw(std::uint64_t done, std::optional<double> fraction);

  std::string label_;
  std::optional<std::uint64_t> total_;
  bool visible_;
  bool drawn_ = false;
  Clock::time_point begin_;
  Clock::time_point next_;
};

}  // namespace skerry::cli

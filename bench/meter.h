// meter.h - a progress bar on standard error: only when a person looks at it.
//
// Silent when standard error is not a terminal. Redrawn at most ten times a second, so it may be
// told of every item.
#pragma once

#include <cstddef>
#include <string>

namespace skerry::bench {

class Meter {
 public:
  Meter(std::string what, std::size_t total);
  ~Meter();  // wipes the bar
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // From one thread.
  void show(std::size_t done);

 private:
  std::string what_;
  std::size_t total_;
  double started_;
  double drawn_ = 0;
  bool on_;
};

}  // namespace skerry::bench

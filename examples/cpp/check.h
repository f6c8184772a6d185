// check.h - an example that does not find what it promised says so and fails.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <skerry/status.h>

inline void expect(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "this was not so: %s\n", what);
  std::exit(1);
}

inline void check(const skerry::Status& status, const char* what) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", what, status.message().c_str());
  std::exit(1);
}

template <class T>
T take(skerry::Result<T>&& result, const char* what) {
  check(result.status(), what);
  return std::move(*result);
}

// Seconds since it was made.
class Clock {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

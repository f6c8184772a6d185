// lanes.h - sums, least and largest of many components, eight side by side.
//
// One sum alone would wait for every addition, and the compiler may not change the order of those.
// Here it is settled so that whole registers can be used. It is part of what a norm is: to add in
// another order is to round otherwise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace skerry {

inline constexpr std::size_t kLanes = 8;

// Adds up of(i) for all i below n.
template <class Of>
double sum_of(std::size_t n, Of of) noexcept {
  double sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += of(i + lane);
  }
  for (; i < n; ++i) sums[i % kLanes] += of(i);
  const double even = (sums[0] + sums[2]) + (sums[4] + sums[6]);
  const double odd = (sums[1] + sums[3]) + (sums[5] + sums[7]);
  return even + odd;
}

struct Extent {
  float low;
  float high;
};

// The least and the largest of(i) for all i below n, which is not 0.
template <class Of>
Extent extent_of(std::size_t n, Of of) noexcept {
  float low[kLanes];
  float high[kLanes];
  std::fill_n(low, kLanes, of(0));
  std::fill_n(high, kLanes, of(0));
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = of(i + lane);
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < n; ++i) {
    low[0] = std::min(low[0], of(i));
    high[0] = std::max(high[0], of(i));
  }
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

}  // namespace skerry

// curve.h - medians, percentiles, and how fast at a recall that nobody measured exactly?
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace skerry::bench {

// The middle value, or the mean of the middle two. 0 for none.
double median(std::vector<double> values);

// The smallest value that at least part p (0 < p <= 1) of the values do not exceed: nearest rank.
// Sorts partly. 0 for none.
double percentile(std::vector<float>& values, double p);

// One measured point of a curve.
struct CurvePoint {
  double ef = 0;
  double recall = 0;
  double value = 0;  // queries per second, say; > 0
};

struct CurveValue {
  double value = 0;
  double ef = 0;
  bool at_least = false;  // the first point is beyond the recall already: the truth is faster
};

// The value at `recall`, on the first stretch of the curve (points in ascending order of ef) that
// reaches it; the logarithm of the value, and ef, are taken as straight lines over the recall.
// Nothing when the curve never gets there.
std::optional<CurveValue> value_at(std::span<const CurvePoint> points, double recall);

}  // namespace skerry::bench

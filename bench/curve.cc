// curve.cc - see curve.h.
#include "curve.h"

#include <algorithm>
#include <cmath>

namespace skerry::bench {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double percentile(std::vector<float>& values, double p) {
  if (values.empty()) return 0;
  const double rank = std::ceil(p * static_cast<double>(values.size()));
  const auto place =
      static_cast<std::ptrdiff_t>(std::clamp(rank, 1.0, static_cast<double>(values.size())) - 1);
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return static_cast<double>(values[static_cast<std::size_t>(place)]);
}

std::optional<CurveValue> value_at(std::span<const CurvePoint> points, double recall) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const CurvePoint& here = points[i];
    if (here.recall < recall) continue;
    if (i == 0) return CurveValue{here.value, here.ef, here.recall > recall};
    const CurvePoint& before = points[i - 1];  // its recall is below, so the step is not zero
    const double part = (recall - before.recall) / (here.recall - before.recall);
    const double value = std::exp(std::lerp(std::log(before.value), std::log(here.value), part));
    return CurveValue{value, std::lerp(before.ef, here.ef, part), false};
  }
  return std::nullopt;
}

}  // namespace skerry::bench

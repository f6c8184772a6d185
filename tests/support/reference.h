// reference.h - what is the right answer?
//
// Distances in double precision, straight from the definitions of types.h, and the brute force
// search over a std::map that every engine has to agree with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <numbers>
#include <set>
#include <span>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/options.h"
#include "skerry/types.h"
#include "support/vectors.h"

namespace skerry::testing {

// A distance and how large the terms were that made it: float arithmetic may be off by a few
// roundings of those, however small the difference that remains.
struct Measured {
  double distance = 0;
  double magnitude = 0;
};

// The custom metric of these tests: city blocks, weighted by the number behind `context`.
inline float city_blocks(void* context, const void* a, const void* b, std::size_t dimension) {
  const auto* x = static_cast<const float*>(a);
  const auto* y = static_cast<const float*>(b);
  double sum = 0;
  for (std::size_t i = 0; i < dimension; ++i) sum += std::abs(double{x[i]} - y[i]);
  return static_cast<float>(sum * *static_cast<const double*>(context));
}
inline double city_block_weight = 0.5;
inline CustomDistance custom_distance() {
  return {city_blocks, &city_block_weight};
}

inline Measured measure(Metric metric, VectorView a, VectorView b) {
  const std::size_t n = a.dimension();
  double l2 = 0, dot = 0, terms = 0, aa = 0, bb = 0, l1 = 0;
  std::size_t differ = 0, both = 0, either = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = component(a, i);
    const double y = component(b, i);
    l2 += (x - y) * (x - y);
    l1 += std::abs(x - y);
    dot += x * y;
    terms += std::abs(x * y);
    aa += x * x;
    bb += y * y;
    differ += x != y;
    both += x != 0 && y != 0;
    either += x != 0 || y != 0;
  }
  switch (metric) {
    case Metric::l2:
      return {l2, l2};
    case Metric::ip:
      return {1 - dot, 1 + terms};
    case Metric::cosine:
      if (aa == 0 || bb == 0) return {1, 1};
      return {std::clamp(1 - dot / std::sqrt(aa) / std::sqrt(bb), 0.0, 2.0), 2};
    case Metric::hamming:
      return {static_cast<double>(differ), 0};
    case Metric::jaccard:
      if (either == 0) return {0, 0};
      return {1 - static_cast<double>(both) / static_cast<double>(either), 1};
    case Metric::haversine: {
      constexpr double kRadius = 6'371'008.8;
      constexpr double kDegree = std::numbers::pi / 180;
      const double la = component(a, 0) * kDegree, lb = component(b, 0) * kDegree;
      const double u = std::sin((lb - la) / 2);
      const double v = std::sin((component(b, 1) - component(a, 1)) * kDegree / 2);
      const double h = u * u + std::cos(la) * std::cos(lb) * v * v;
      // In float the angle is known to some 1e-7 of itself, and near the antipodes, where the arc
      // sine is steep, to the root of that.
      return {2 * kRadius * std::asin(std::min(1.0, std::sqrt(h))),
              kRadius * (h > 0.99 ? 300.0 : 8.0)};
    }
    case Metric::custom:
      return {l1 * city_block_weight, l1};
  }
  return {};
}

// How far a float result may lie from the double one: roundings of a sum grow with the root of its
// length.
inline double tolerance(const Measured& m, std::size_t dimension) {
  constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
  return kEpsilon * (4 + std::sqrt(static_cast<double>(dimension))) * m.magnitude +
         kEpsilon * std::abs(m.distance) + std::numeric_limits<float>::denorm_min();
}

// What a collection should hold, and what searches of it should find.
class Model {
 public:
  struct Answer {
    Key key = 0;
    double distance = 0;
    double slack = 0;
  };
  using Passes = std::function<bool(Key)>;

  Model(Metric metric, Scalar scalar, std::size_t dimension)
      : metric_(metric), scalar_(scalar), dimension_(dimension) {}

  void put(Key key, VectorView v) {
    const auto* at = static_cast<const std::byte*>(v.data());
    rows_[key].assign(at, at + vector_bytes(scalar_, dimension_));
  }
  bool erase(Key key) { return rows_.erase(key) != 0; }
  void clear() { rows_.clear(); }
  bool contains(Key key) const { return rows_.contains(key); }
  std::size_t size() const { return rows_.size(); }
  const std::map<Key, std::vector<std::byte>>& rows() const { return rows_; }
  std::span<const std::byte> bytes(Key key) const { return rows_.at(key); }
  VectorView row(Key key) const { return {rows_.at(key).data(), scalar_, dimension_}; }

  Answer answer(VectorView query, Key key) const {
    const Measured m = measure(metric_, query, row(key));
    return {key, m.distance, tolerance(m, dimension_)};
  }

  // All that pass, nearest first, ties by key.
  std::vector<Answer> ranking(VectorView query, const Passes& passes = {}) const {
    std::vector<Answer> all;
    for (const auto& [key, bytes] : rows_) {
      if (!passes || passes(key)) all.push_back(answer(query, key));
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Answer& a, const Answer& b) { return a.distance < b.distance; });
    return all;
  }

  // What every search promises about its hits, approximate or not: live, passing, no key twice,
  // the distance exact, nearest first and ties by key.
  ::testing::AssertionResult honest(VectorView query, std::span<const Hit> hits,
                                    const Passes& passes = {}) const {
    std::set<Key> seen;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const Hit& hit = hits[i];
      const auto fail = [&] {
        return ::testing::AssertionFailure() << "hit " << i << " of " << hits.size() << " (key "
                                             << hit.key << ", distance " << hit.distance << "): ";
      };
      if (!contains(hit.key)) return fail() << "a ghost, the key is not there";
      if (passes && !passes(hit.key)) return fail() << "does not pass the filter";
      if (!seen.insert(hit.key).second) return fail() << "returned twice";
      const Answer truth = answer(query, hit.key);
      if (!(std::abs(hit.distance - truth.distance) <= truth.slack)) {
        return fail() << "the exact distance is " << truth.distance << ", off by "
                      << hit.distance - truth.distance << ", allowed " << truth.slack;
      }
      if (i > 0 && (hits[i - 1].distance > hit.distance ||
                    (hits[i - 1].distance == hit.distance && hits[i - 1].key > hit.key))) {
        return fail() << "out of order after key " << hits[i - 1].key << ", distance "
                      << hits[i - 1].distance;
      }
    }
    return ::testing::AssertionSuccess();
  }

  // honest(), and exactly the `k` nearest. Two answers may stand in for each other only when float
  // cannot tell them apart.
  ::testing::AssertionResult perfect(VectorView query, std::span<const Hit> hits, std::size_t k,
                                     const Passes& passes = {}) const {
    if (auto good = honest(query, hits, passes); !good) return good;
    const std::vector<Answer> truth = ranking(query, passes);
    if (hits.size() != std::min(k, truth.size())) {
      return ::testing::AssertionFailure()
             << hits.size() << " hits; " << k << " asked of " << truth.size() << " that match";
    }
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const double slack = truth[i].slack + answer(query, hits[i].key).slack;
      if (!(std::abs(hits[i].distance - truth[i].distance) <= slack)) {
        return ::testing::AssertionFailure()
               << "hit " << i << " is key " << hits[i].key << " at " << hits[i].distance
               << "; nearest are key " << truth[i].key << " at " << truth[i].distance;
      }
    }
    return ::testing::AssertionSuccess();
  }

  // How many of `hits` lie within the distance of the true k-th: duplicates count for each other.
  std::size_t found(VectorView query, std::span<const Hit> hits, std::size_t k,
                    const Passes& passes = {}) const {
    const std::vector<Answer> truth = ranking(query, passes);
    if (truth.empty() || k == 0) return 0;
    const Answer& last = truth[std::min(k, truth.size()) - 1];
    return static_cast<std::size_t>(std::count_if(hits.begin(), hits.end(), [&](const Hit& hit) {
      return hit.distance <= last.distance + 2 * last.slack;
    }));
  }

 private:
  Metric metric_;
  Scalar scalar_;
  std::size_t dimension_;
  std::map<Key, std::vector<std::byte>> rows_;
};

}  // namespace skerry::testing

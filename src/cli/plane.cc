// plane.cc - where do vectors of many dimensions lie, seen from where they differ most?
#include "cli/plane.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace skerry::cli {
namespace {

using Direction = std::vector<double>;

constexpr int kRoundsMax = 60;

double dot(const float* row, const Direction& direction) noexcept {
  return std::inner_product(direction.begin(), direction.end(), row, 0.0);
}

// Takes the part along `other`, which has length 1, out of the direction and gives it length 1.
// False when nothing is left.
bool straighten(Direction& direction, const Direction* other) noexcept {
  if (other != nullptr) {
    const double along =
        std::inner_product(direction.begin(), direction.end(), other->begin(), 0.0);
    for (std::size_t i = 0; i < direction.size(); ++i) direction[i] -= along * (*other)[i];
  }
  const double length =
      std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0));
  if (!(length > 1e-12)) return false;
  for (double& component : direction) component /= length;
  return true;
}

// Where the centred rows differ most, among what is square to `other`; zeroes when they do not.
Direction steepest(std::span<const float> rows, std::size_t dimension, const Direction* other) {
  Direction direction(dimension);
  // No axis of the data is square to this one, but by malice.
  for (std::size_t i = 0; i < dimension; ++i) direction[i] = 1 + 0.37 * static_cast<double>(i % 7);
  for (int round = 0; round < kRoundsMax && straighten(direction, other); ++round) {
    Direction next(dimension);
    for (std::size_t row = 0; row < rows.size(); row += dimension) {
      const double weight = dot(&rows[row], direction);
      for (std::size_t i = 0; i < dimension; ++i) next[i] += weight * rows[row + i];
    }
    direction.swap(next);
  }
  if (!straighten(direction, other)) std::fill(direction.begin(), direction.end(), 0.0);
  return direction;
}

}  // namespace

Plane flatten(std::span<float> rows, std::size_t dimension) {
  Plane plane;
  const std::size_t count = rows.size() / dimension;
  double variance = 0;
  for (std::size_t i = 0; i < dimension; ++i) {
    double mean = 0;
    for (std::size_t row = 0; row < count; ++row) mean += rows[row * dimension + i];
    mean /= static_cast<double>(std::max<std::size_t>(count, 1));
    for (std::size_t row = 0; row < count; ++row) {
      float& component = rows[row * dimension + i];
      // Half of it, of all: what lies between two floats may be beyond them.
      component = static_cast<float>((component - mean) / 2);
      variance += double{component} * component;
    }
  }
  const Direction x = steepest(rows, dimension, nullptr);
  const Direction y = steepest(rows, dimension, &x);
  for (std::size_t row = 0; row < count; ++row) {
    const Plane::Place place{dot(&rows[row * dimension], x), dot(&rows[row * dimension], y)};
    plane.places.push_back(place);
    plane.x_share += place.x * place.x;
    plane.y_share += place.y * place.y;
  }
  if (variance > 0) {
    plane.x_share /= variance;
    plane.y_share /= variance;
  }
  return plane;
}

}  // namespace skerry::cli

// plane.h - where do vectors of many dimensions lie, seen from where they differ most?
//
// The first two principal components (Pearson 1901), by power iteration: a dozen lines, and exact
// enough for a picture. It begins the same way each time, so the same vectors give the same one.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace skerry::cli {

struct Plane {
  struct Place {
    double x = 0;
    double y = 0;
  };
  std::vector<Place> places;  // one a row
  double x_share = 0;         // of all variance, that an axis shows: 0 .. 1
  double y_share = 0;
};

// `rows` are rows.size() / dimension finite vectors one after the other; they are moved to their
// mean, and what is far from it comes nearer by half.
Plane flatten(std::span<float> rows, std::size_t dimension);

}  // namespace skerry::cli

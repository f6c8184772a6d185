// plot.h - numbers as pictures: curves, bars, histograms and clouds of points, as SVG in a page.
//
// Every mark says its values when the pointer rests on it. Names are text from anywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::page {

// A number as an axis shows it: 12.5k, 3M.
std::string short_number(double value);

// Colours that people who see few colours can still tell apart (Okabe and Ito), again and again.
std::string_view colour(std::size_t i) noexcept;

// From the first to the last value of a scale: a hue that rises in lightness, 0 <= part <= 1.
std::string shade(double part);

struct Axis {
  std::string title;
  bool logarithmic = false;
};

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y; what is logarithmic is greater than 0
  bool is_ours = false;                           // drawn thicker
};

// Curves over common axes, and which is whose. At least one point.
std::string plot(const Axis& x, const Axis& y, const std::vector<Series>& all);

struct Bar {
  std::string name;
  double value = 0;  // at least 0
  std::string text;  // the value, as it is told
};

// Bars that lie below one another.
std::string bars(const std::vector<Bar>& all);

// The parts of a whole, side by side in one bar, and which is which.
std::string parts(const std::vector<Bar>& all);

// Bars that stand beside one another, as they come. Logarithmic: one that is not 0 has a height.
std::string histogram(const Axis& x, const Axis& y, const std::vector<Bar>& all);

struct Dot {
  double x = 0;
  double y = 0;
  std::string colour;
  std::string text;
};

// A cloud of points, as wide as its values reach, both axes to one scale.
std::string cloud(const std::vector<Dot>& dots);

}  // namespace skerry::page

// plot.cc - numbers as pictures: curves, bars, histograms and clouds of points, as SVG in a page.
#include "page/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "page/markup.h"

namespace skerry::page {
namespace {

constexpr std::array<std::string_view, 8> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                      "#e69f00", "#56b4e9", "#7a4fb5", "#8c8c8c"};

constexpr double kWidth = 760, kHeight = 440;
constexpr double kLeft = 70, kRight = 220, kTop = 20, kBottom = 50;

std::string svg(double width, double height) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:g} {:g}\" role=\"img\">\n", width,
      height);
}

struct Scale {
  bool logarithmic;
  double low, high;

  double place(double value) const {  // 0 .. 1
    if (logarithmic) return std::log(value / low) / std::log(high / low);
    return (value - low) / (high - low);
  }

  std::vector<double> ticks() const {
    std::vector<double> ticks;
    if (logarithmic) {
      for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
        for (const double step : {1.0, 2.0, 5.0}) {
          if (power * step >= low && power * step <= high) ticks.push_back(power * step);
        }
      }
      return ticks;
    }
    const double rough = (high - low) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : 2);
    // + 0.0: an axis that begins a little below 0 would show -0.
    for (double tick = std::ceil(low / step) * step + 0.0; tick <= high * (1 + 1e-9);
         tick += step) {
      ticks.push_back(tick);
    }
    return ticks;
  }
};

// With room around all values.
Scale fit(const Axis& axis, double low, double high) {
  if (axis.logarithmic) return {true, low / 1.15, high * 1.15};
  const double margin = std::max(1e-3, (high - low) * 0.03);
  return {false, low - margin, high + margin};
}

// Lines across, their values, and what is measured.
std::string upright_axis(const Scale& scale, const std::string& title, double right,
                         double bottom) {
  std::string out;
  for (const double tick : scale.ticks()) {
    const double y = bottom - scale.place(tick) * (bottom - kTop);
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        kLeft, right, y, kLeft - 6, y + 4, short_number(tick));
  }
  return out + fmt::format(
                   "<text class=\"faint\" transform=\"translate(14 {:.1f}) rotate(-90)\" "
                   "text-anchor=\"middle\">{}</text>\n",
                   (kTop + bottom) / 2, escaped(title));
}

std::string title_below(const std::string& title, double right, double height) {
  return fmt::format(
      "<text class=\"faint\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n",
      (kLeft + right) / 2, height - 8, escaped(title));
}

}  // namespace

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

std::string_view colour(std::size_t i) noexcept {
  return kColours[i % kColours.size()];
}

std::string shade(double part) {
  struct Stop {
    double red, green, blue;
  };
  constexpr std::array<Stop, 5> kStops = {
      {{53, 42, 135}, {0, 114, 178}, {0, 158, 115}, {178, 190, 60}, {249, 219, 80}}};
  // What is no number is the first.
  const double place = (part > 0 ? std::min(part, 1.0) : 0.0) * (kStops.size() - 1);
  const std::size_t from = std::min<std::size_t>(static_cast<std::size_t>(place), 3);
  const double rest = place - static_cast<double>(from);
  const Stop &a = kStops[from], &b = kStops[from + 1];
  return fmt::format("#{:02x}{:02x}{:02x}", std::lround(a.red + (b.red - a.red) * rest),
                     std::lround(a.green + (b.green - a.green) * rest),
                     std::lround(a.blue + (b.blue - a.blue) * rest));
}

std::string plot(const Axis& x, const Axis& y, const std::vector<Series>& all) {
  double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
  for (const Series& series : all) {
    for (const auto& [px, py] : series.points) {
      low[0] = std::min(low[0], px), high[0] = std::max(high[0], px);
      low[1] = std::min(low[1], py), high[1] = std::max(high[1], py);
    }
  }
  const Scale across = fit(x, low[0], high[0]), up = fit(y, low[1], high[1]);
  const double right = kWidth - kRight, bottom = kHeight - kBottom;
  const auto px = [&](double value) { return kLeft + across.place(value) * (right - kLeft); };
  const auto py = [&](double value) { return bottom - up.place(value) * (bottom - kTop); };
  std::string out = svg(kWidth, kHeight);
  for (const double tick : across.ticks()) {
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
        px(tick), kTop, bottom, bottom + 18, short_number(tick));
  }
  out += upright_axis(up, y.title, right, bottom) + title_below(x.title, right, kHeight);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double width = all[i].is_ours ? 3 : 1.5;
    std::string path, dots;
    for (const auto& [vx, vy] : all[i].points) {
      path += fmt::format("{:.1f},{:.1f} ", px(vx), py(vy));
      dots += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {} at "
          "{:.4g}</title></circle>",
          px(vx), py(vy), colour(i), escaped(all[i].name), short_number(vy), vx);
    }
    out += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{}/>{}\n", path,
        colour(i), width, i >= kColours.size() ? " stroke-dasharray=\"5 3\"" : "", dots);
    const double line = kTop + 14 + 20 * static_cast<double>(i);
    out += fmt::format(
        "<line x1=\"{0}\" y1=\"{2}\" x2=\"{1}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"{4}\"/>"
        "<text x=\"{5}\" y=\"{6}\">{7}</text>\n",
        right + 14, right + 38, line, colour(i), width, right + 46, line + 4, escaped(all[i].name));
  }
  return out + "</svg>\n";
}

std::string bars(const std::vector<Bar>& all) {
  double most = 1e-300;
  for (const Bar& bar : all) most = std::max(most, bar.value);
  std::string out = svg(kWidth, 30 * static_cast<double>(all.size()) + 10);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double top = 8 + 30 * static_cast<double>(i);
    const double width = all[i].value / most * 430;
    out += fmt::format(
        "<text x=\"190\" y=\"{0}\" text-anchor=\"end\">{1}</text><rect x=\"200\" y=\"{2}\" "
        "width=\"{3:.1f}\" height=\"20\" rx=\"2\" fill=\"{4}\"/><text x=\"{5:.1f}\" y=\"{0}\">"
        "{6}</text>\n",
        top + 15, escaped(all[i].name), top, width, colour(i), 206 + width, escaped(all[i].text));
  }
  return out + "</svg>\n";
}

std::string parts(const std::vector<Bar>& all) {
  double whole = 1e-300;
  for (const Bar& bar : all) whole += bar.value;
  std::string out = svg(kWidth, 76), names;
  double begin = 0;  // of this part
  double name = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double width = all[i].value / whole * kWidth;
    const std::string told = escaped(all[i].name + ": " + all[i].text);
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"4\" width=\"{:.1f}\" height=\"34\" "
        "fill=\"{}\"><title>{}</title></rect>\n",
        begin, width, colour(i), told);
    names += fmt::format(
        "<rect x=\"{:.1f}\" y=\"52\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{}\"/>"
        "<text x=\"{:.1f}\" y=\"62\">{}</text>\n",
        name, colour(i), name + 18, told);
    begin += width;
    name += kWidth / static_cast<double>(all.size());
  }
  return out + names + "</svg>\n";
}

std::string histogram(const Axis& x, const Axis& y, const std::vector<Bar>& all) {
  constexpr double kShort = 300, kNarrow = 560;  // height and width: they stand in pairs
  const double right = kNarrow - 10, bottom = kShort - kBottom;
  double most = 1;
  for (const Bar& bar : all) most = std::max(most, bar.value);
  // Half of one, and half as much again: a bar of 1 is seen, and there is room above the highest.
  const Scale up = y.logarithmic ? Scale{true, 0.5, most * 1.5} : Scale{false, 0, most * 1.05};
  const double each = (right - kLeft) / std::max<double>(1, static_cast<double>(all.size()));
  // As many names as there is room for below: of every so many bars.
  std::size_t longest = 1;
  for (const Bar& bar : all) longest = std::max(longest, bar.name.size());
  const auto step =
      static_cast<std::size_t>(std::ceil((static_cast<double>(longest) * 7 + 10) / each));
  std::string out = svg(kNarrow, kShort) + upright_axis(up, y.title, right, bottom);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double begin = kLeft + each * static_cast<double>(i);
    const double height =
        all[i].value <= 0 ? 0 : std::max(1.0, up.place(all[i].value) * (bottom - kTop));
    const double gap = std::min(each * 0.2, 4.0);
    out += fmt::format(
        "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
        "fill=\"{}\"><title>{}: {}</title></rect>",
        begin + gap / 2, bottom - height, std::max(each - gap, 0.5), height, colour(0),
        escaped(all[i].name), escaped(all[i].text));
    if (i % step == 0) {
      out += fmt::format("<text x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>",
                         begin + each / 2, bottom + 18, escaped(all[i].name));
    }
    out += '\n';
  }
  return out + title_below(x.title, right, kShort) + "</svg>\n";
}

std::string cloud(const std::vector<Dot>& dots) {
  constexpr double kHigh = 520, kEdge = 12;
  double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
  for (const Dot& dot : dots) {
    low[0] = std::min(low[0], dot.x), high[0] = std::max(high[0], dot.x);
    low[1] = std::min(low[1], dot.y), high[1] = std::max(high[1], dot.y);
  }
  const double room[2] = {kWidth - 2 * kEdge, kHigh - 2 * kEdge};
  double scale = 1e300;
  for (const int i : {0, 1}) {
    if (high[i] > low[i]) scale = std::min(scale, room[i] / (high[i] - low[i]));
  }
  if (scale == 1e300) scale = 1;  // all in one place
  const auto place = [&](int i, double value) {
    return (value - (low[i] + high[i]) / 2) * scale + room[i] / 2 + kEdge;
  };
  std::string out = svg(kWidth, kHigh);
  out += fmt::format(
      "<rect class=\"grid\" x=\"0.5\" y=\"0.5\" width=\"{:g}\" height=\"{:g}\" rx=\"6\" "
      "fill=\"none\"/>\n",
      kWidth - 1, kHigh - 1);
  for (const Dot& dot : dots) {
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\" fill=\"{}\" "
        "fill-opacity=\"0.75\"><title>{}</title></circle>\n",
        place(0, dot.x), kHigh - place(1, dot.y), dot.colour, escaped(dot.text));
  }
  return out + "</svg>\n";
}

}  // namespace skerry::page

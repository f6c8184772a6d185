// lines.cc - see lines.h.
#include "lines.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <stdexcept>

namespace skerry::bench {

double rounded(double value, int digits) {
  const double unit = std::pow(10.0, digits);
  return std::round(value * unit) / unit;
}

Lines::Lines(const std::string& path)
    : file_(path.empty() || path == "-" ? stdout : std::fopen(path.c_str(), "w")) {
  if (!file_) throw std::runtime_error(fmt::format("{}: cannot be written", path));
}

void Lines::write(Line line) {
  fmt::print(file_.get(), "{}\n", line.dump());
  std::fflush(file_.get());
  lines_.push_back(std::move(line));
}

std::vector<Line> read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(fmt::format("{}: cannot be opened", path.string()));
  std::vector<Line> lines;
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    if (text.empty()) continue;
    Line line = Line::parse(text, nullptr, false);
    if (!line.is_object()) {
      throw std::runtime_error(
          fmt::format("{}: line {}: not a JSON object", path.string(), number));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace skerry::bench

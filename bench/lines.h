// lines.h - the benchmark's only output: a line of JSON a measurement.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace skerry::bench {

using Line = nlohmann::ordered_json;

// Rounded to `digits` after the point, so that a line stays readable.
double rounded(double value, int digits);

// Writes lines to standard output, or to a file, each at once; keeps them for the report.
class Lines {
 public:
  // "" or "-": standard output. Throws std::runtime_error when the file cannot be written.
  explicit Lines(const std::string& path);

  void write(Line line);
  const std::vector<Line>& all() const noexcept { return lines_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept {
      if (file != stdout) std::fclose(file);
    }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<Line> lines_;
};

// Lines that write() wrote. Throws std::runtime_error naming file and line number.
std::vector<Line> read_lines(const std::filesystem::path& path);

}  // namespace skerry::bench

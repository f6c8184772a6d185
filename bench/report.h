// report.h - the lines as a page one can look at.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lines.h"

namespace skerry::bench {

// One HTML file with plots in SVG: recall against speed, build rate against size, recall and
// speed over the rounds of a runbook, bytes a vector,
// and every line in a table. No script, nothing loaded from elsewhere. Kinds of measurements that
// have no lines have no plot.
std::string report_page(const std::vector<Line>& lines);

// Throws std::runtime_error when the file cannot be written.
void write_report(const std::vector<Line>& lines, const std::filesystem::path& path);

}  // namespace skerry::bench

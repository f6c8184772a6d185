// report.cc - see report.h.
#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include "page/markup.h"
#include "page/plot.h"

namespace skerry::bench {
namespace {

using page::heading;
using page::plot;
using page::Series;

std::string text_of(const Line& line, const char* name) {
  const auto field = line.find(name);
  if (field == line.end() || field->is_null()) return "";
  return field->is_string() ? field->get<std::string>() : field->dump();
}

double number_of(const Line& line, const char* name) {
  const auto field = line.find(name);
  return field != line.end() && field->is_number() ? field->get<double>() : 0;
}

// "skerry f32 sq8": what tells two series of one plot apart.
std::string series_of(const Line& line) {
  std::string name = text_of(line, "impl");
  if (text_of(line, "scalar") != "none") name += " " + text_of(line, "scalar");
  if (text_of(line, "codes") != "exact") name += " " + text_of(line, "codes");
  if (const std::string way = text_of(line, "way"); !way.empty()) name += " " + way;
  if (text_of(line, "by") == "recall_target") name += " by recall";
  if (line.contains("ef_construction_of_others")) {
    name += ", ef_construction " + text_of(line, "ef_construction");
  }
  return name;
}

constexpr double kLeastRecall = 0.8;  // of the points that are drawn

// The lines of one plot, cut into series in the order in which they first come.
std::vector<Series> series(const std::vector<const Line*>& lines, const char* x, const char* y) {
  std::vector<Series> all;
  for (const Line* line : lines) {
    if (number_of(*line, y) <= 0) continue;  // has no place on a logarithmic axis
    const std::string name = series_of(*line);
    auto place = std::find_if(all.begin(), all.end(),
                              [&](const Series& series) { return series.name == name; });
    if (place == all.end()) {
      place = all.insert(all.end(), Series{name, {}, name.starts_with("skerry")});
    }
    place->points.emplace_back(number_of(*line, x), number_of(*line, y));
  }
  return all;
}

// One bar a series: its last value.
std::string bars(const std::vector<Series>& all, const std::string& unit) {
  std::vector<page::Bar> drawn;
  for (const Series& one : all) {
    const double value = one.points.back().second;
    drawn.push_back({one.name, value, fmt::format("{:.0f} {}", value, unit)});
  }
  return page::bars(drawn);
}

// Lines of one word whose `fields` agree, under a heading that says what they agree in.
std::map<std::string, std::vector<const Line*>> groups(const std::vector<Line>& lines,
                                                       const std::string& bench,
                                                       const std::vector<const char*>& fields) {
  std::map<std::string, std::vector<const Line*>> found;
  for (const Line& line : lines) {
    if (text_of(line, "bench") != bench || line.contains("missing")) continue;
    std::string heading;
    for (const char* field : fields) {
      const std::string text = text_of(line, field);
      if (!text.empty())
        heading += fmt::format("{}{} {}", heading.empty() ? "" : ", ", field, text);
    }
    found[heading].push_back(&line);
  }
  return found;
}

std::string table(const std::vector<const Line*>& lines) {
  std::vector<std::string> columns;
  for (const Line* line : lines) {
    for (const auto& [name, value] : line->items()) {
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
  }
  std::vector<std::vector<std::string>> rows;
  for (const Line* line : lines) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const std::string& column : columns) row.push_back(text_of(*line, column.c_str()));
  }
  return page::table(columns, rows);
}

}  // namespace

std::string report_page(const std::vector<Line>& lines) {
  std::string html = "<h1>Skerry benchmark</h1>\n";

  for (const auto& [what, found] :
       groups(lines, "search", {"data", "n", "d", "metric", "threads"})) {
    const std::string recall = fmt::format("recall_at_{}", text_of(*found.front(), "k"));
    // A library that answers wrongly would squeeze all others into a corner: it is in the table.
    std::vector<const Line*> shown;
    std::copy_if(found.begin(), found.end(), std::back_inserter(shown), [&](const Line* line) {
      return number_of(*line, recall.c_str()) >= kLeastRecall;
    });
    if (!shown.empty()) {
      html += heading(fmt::format("Recall (from {}) against speed: {}", kLeastRecall, what));
      html += plot({"recall@" + text_of(*found.front(), "k")}, {"queries a second", true},
                   series(shown, recall.c_str(), "qps"));
    }
    html += heading("Bytes a vector: " + what);
    html += bars(series(found, "ef", "bytes_per_vector"), "bytes");
  }
  for (const auto& [what, found] :
       groups(lines, "build", {"data", "d", "metric", "mode", "threads"})) {
    html += heading("Build rate against size: " + what);
    html +=
        plot({"vectors", true}, {"inserts a second", true}, series(found, "n", "inserts_per_s"));
  }
  for (const auto& [what, found] :
       groups(lines, "insert", {"data", "d", "mode", "threads", "batch"})) {
    html += heading("Cost of an insert against size: " + what);
    html += plot({"vectors", true}, {"microseconds", true}, series(found, "n", "insert_us"));
  }
  for (const auto& [what, found] : groups(lines, "crossover", {"data", "d", "batch"})) {
    html += heading("A batch on top of an index, against its size: " + what);
    html += plot({"vectors before", true}, {"microseconds a vector", true},
                 series(found, "n", "us_per_vector"));
  }
  for (const auto& [what, found] :
       groups(lines, "durable", {"data", "d", "durability", "writers"})) {
    html += heading("Durable upserts a second against batch: " + what);
    html += plot({"vectors a commit", true}, {"vectors a second", true},
                 series(found, "batch", "upserts_per_s"));
  }
  for (const auto& [what, found] : groups(lines, "memory", {"data", "n", "d", "what"})) {
    html += heading("Resident bytes a vector: " + what);
    html += bars(series(found, "n", "rss_bytes_per_vector"), "bytes");
  }
  for (const auto& [what, found] : groups(lines, "update", {"data", "n", "d", "phase", "ef"})) {
    html += heading("Recall after each round: " + what);
    html += plot({"round"}, {"recall"}, series(found, "round", "recall_after"));
  }
  for (const auto& [what, found] : groups(lines, "churn", {"runbook", "data", "n", "d", "ef"})) {
    const std::string k = text_of(*found.front(), "k");
    html += heading("Recall over the rounds: " + what);
    html += plot({"round"}, {"recall@" + k}, series(found, "round", ("recall_at_" + k).c_str()));
    html += heading("Speed over the rounds: " + what);
    html += plot({"round"}, {"queries a second"}, series(found, "round", "qps"));
  }
  for (const auto& [what, found] : groups(lines, "mixed", {"what", "data", "n", "d", "ef"})) {
    for (const auto& [name, title] :
         {std::pair{"p99_idle_us", "A reader's 99th percentile, alone: "},
          std::pair{"p99_mixed_us", "A reader's 99th percentile, beside a writer: "}}) {
      html += heading(title + what);
      html += bars(series(found, "ef", name), "microseconds");
    }
    html += heading("Writes a second beside a reader: " + what);
    html += bars(series(found, "ef", "upserts_per_s"), "vectors");
  }

  std::vector<std::string> words;
  for (const Line& line : lines) {
    const std::string word = text_of(line, "bench");
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  for (const std::string& word : words) {
    std::vector<const Line*> found;
    for (const Line& line : lines) {
      if (text_of(line, "bench") == word) found.push_back(&line);
    }
    html += heading("Every line of " + word) + table(found);
  }
  return page::document("Skerry benchmark", html);
}

void write_report(const std::vector<Line>& lines, const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::binary);
  file << report_page(lines);
  file.close();
  if (!file) throw std::runtime_error(fmt::format("{}: cannot be written", path.string()));
}

}  // namespace skerry::bench

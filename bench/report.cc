// report.cc - see report.h.
#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace skerry::bench {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

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

// Colours that people who see few colours can still tell apart (Okabe and Ito); Skerry's series
// come first and are drawn thicker.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                    "#e69f00", "#56b4e9", "#000000", "#999999"};

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y
};

struct Axis {
  std::string title;
  bool logarithmic = false;
  double low = 0, high = 1;

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

std::string tick_text(double value) {
  if (value >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

constexpr double kLeastRecall = 0.8;  // of the points that are drawn

constexpr double kWidth = 760, kHeight = 440;
constexpr double kLeft = 70, kRight = 220, kTop = 20, kBottom = 50;

// Makes room around the points of all series.
void fit(Axis& x, Axis& y, const std::vector<Series>& all) {
  double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
  for (const Series& series : all) {
    for (const auto& [px, py] : series.points) {
      low[0] = std::min(low[0], px), high[0] = std::max(high[0], px);
      low[1] = std::min(low[1], py), high[1] = std::max(high[1], py);
    }
  }
  int i = 0;
  for (Axis* axis : {&x, &y}) {
    if (axis->logarithmic) {
      axis->low = low[i] / 1.15, axis->high = high[i] * 1.15;
    } else {
      const double margin = std::max(1e-3, (high[i] - low[i]) * 0.03);
      axis->low = low[i] - margin, axis->high = high[i] + margin;
    }
    ++i;
  }
}

std::string plot(Axis x, Axis y, const std::vector<Series>& all) {
  fit(x, y, all);
  const double right = kWidth - kRight, bottom = kHeight - kBottom;
  const auto px = [&](double value) { return kLeft + x.place(value) * (right - kLeft); };
  const auto py = [&](double value) { return bottom - y.place(value) * (bottom - kTop); };
  std::string svg =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\">\n",
                  kWidth, kHeight);
  for (const double tick : x.ticks()) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
        px(tick), kTop, bottom, bottom + 18, tick_text(tick));
  }
  for (const double tick : y.ticks()) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        kLeft, right, py(tick), kLeft - 6, py(tick) + 4, tick_text(tick));
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                     (kLeft + right) / 2, kHeight - 8, escaped(x.title));
  svg += fmt::format(
      "<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
      (kTop + bottom) / 2, escaped(y.title));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const char* colour = kColours[i % std::size(kColours)];
    const bool ours = all[i].name.starts_with("skerry");
    std::string path, dots;
    for (const auto& [vx, vy] : all[i].points) {
      path += fmt::format("{:.1f},{:.1f} ", px(vx), py(vy));
      dots += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {} at "
          "{:.4g}</title></circle>",
          px(vx), py(vy), colour, escaped(all[i].name), tick_text(vy), vx);
    }
    svg += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{}/>{}\n", path,
        colour, ours ? 3 : 1.5, i >= std::size(kColours) ? " stroke-dasharray=\"5 3\"" : "", dots);
    const double line = kTop + 14 + 20 * static_cast<double>(i);
    svg += fmt::format(
        "<line x1=\"{0}\" y1=\"{2}\" x2=\"{1}\" y2=\"{2}\" stroke=\"{3}\" stroke-width=\"{4}\"/>"
        "<text x=\"{5}\" y=\"{6}\">{7}</text>\n",
        right + 14, right + 38, line, colour, ours ? 3 : 1.5, right + 46, line + 4,
        escaped(all[i].name));
  }
  return svg + "</svg>\n";
}

// Lines across: one bar a series.
std::string bars(const std::vector<Series>& all, const std::string& unit) {
  double most = 1e-300;
  for (const Series& series : all) most = std::max(most, series.points.back().second);
  const double height = 30 * static_cast<double>(all.size()) + 10;
  std::string svg =
      fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\">\n",
                  kWidth, height);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double top = 8 + 30 * static_cast<double>(i);
    const double value = all[i].points.back().second;
    svg += fmt::format(
        "<text x=\"190\" y=\"{0}\" text-anchor=\"end\">{1}</text><rect x=\"200\" y=\"{2}\" "
        "width=\"{3:.1f}\" height=\"20\" fill=\"{4}\"/><text x=\"{5:.1f}\" y=\"{0}\">{6:.0f} "
        "{7}</text>\n",
        top + 15, escaped(all[i].name), top, value / most * 430, kColours[i % std::size(kColours)],
        206 + value / most * 430, value, escaped(unit));
  }
  return svg + "</svg>\n";
}

// The lines of one plot, cut into series in the order in which they first come.
std::vector<Series> series(const std::vector<const Line*>& lines, const char* x, const char* y) {
  std::vector<Series> all;
  for (const Line* line : lines) {
    if (number_of(*line, y) <= 0) continue;  // has no place on a logarithmic axis
    const std::string name = series_of(*line);
    auto place = std::find_if(all.begin(), all.end(),
                              [&](const Series& series) { return series.name == name; });
    if (place == all.end()) place = all.insert(all.end(), Series{name, {}});
    place->points.emplace_back(number_of(*line, x), number_of(*line, y));
  }
  return all;
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

std::string heading(const std::string& text) {
  return "<h2>" + escaped(text) + "</h2>\n";
}

std::string table(const std::vector<const Line*>& lines) {
  std::vector<std::string> columns;
  for (const Line* line : lines) {
    for (const auto& [name, value] : line->items()) {
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
    }
  }
  std::string html = "<div class=\"wide\"><table><tr>";
  for (const std::string& column : columns) html += "<th>" + escaped(column) + "</th>";
  html += "</tr>\n";
  for (const Line* line : lines) {
    html += "<tr>";
    for (const std::string& column : columns) {
      html += "<td>" + escaped(text_of(*line, column.c_str())) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

constexpr const char* kStyle =
    "body{font:15px/1.5 "
    "system-ui,sans-serif;color:#222;background:#fff;max-width:60rem;margin:2rem "
    "auto;padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem}svg{width:100%;"
    "height:auto;font:12px system-ui,sans-serif}.grid{stroke:#e3e3e3}.wide{overflow-x:auto}table{"
    "border-collapse:collapse;font-size:12px}th,td{padding:2px 8px;border-bottom:1px solid #e3e3e3;"
    "text-align:right;white-space:nowrap}";

}  // namespace

std::string report_page(const std::vector<Line>& lines) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>Skerry "
      "benchmark</title><style>{}</style></head>\n<body><h1>Skerry benchmark</h1>\n",
      kStyle);

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
  return html + "</body></html>\n";
}

void write_report(const std::vector<Line>& lines, const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::binary);
  file << report_page(lines);
  file.close();
  if (!file) throw std::runtime_error(fmt::format("{}: cannot be written", path.string()));
}

}  // namespace skerry::bench

// filter.cc - how fast at which recall, when only some of the rows may be answers?
//
// Rows pass in three ways, at each share of them:
//
//     any    by chance, whatever the query
//     near   the nearest of a pivot; asked by the queries that are nearest to it
//     far    the same rows; asked by the queries that are farthest from it
//
// A walk meets many answers in the second and hardly any in the third. There are a few pivots, each
// of them a query, and what is told is the mean over them. Truth is brute force among the rows that
// pass. Libraries take turns as in search.cc.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contestant.h"
#include "curve.h"
#include "measure.h"
#include "meter.h"
#include "parallel.h"
#include "run_queries.h"
#include "samples.h"
#include "stop.h"

namespace skerry::bench {
namespace {

constexpr std::size_t kPivots = 4;
constexpr std::size_t kQueriesAPivot = 50;
constexpr double kRecall = 0.95;  // that summaries are of

// Rows that pass, who asks for them, and the truth.
struct Task {
  std::vector<std::uint8_t> passes;     // by row
  std::vector<std::uint32_t> place_of;  // by row: its number among those that pass
  QueryList queries;
  Matrix base;   // the rows that pass
  Matrix asked;  // the queries
  Truth truth;
  std::optional<Judge> judge;

  std::uint32_t row_of(Key key) const { return passes[key] != 0 ? place_of[key] : kNoRow; }
};

Matrix rows_of(const Matrix& matrix, const std::vector<std::uint32_t>& rows) {
  Matrix chosen(rows.size(), matrix.dimension);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(matrix.row(rows[i]), matrix.dimension, chosen.row(i));
  }
  return chosen;
}

void finish(Task& task, const Dataset& set, const Settings& settings) {
  std::vector<std::uint32_t> rows;
  task.place_of.assign(set.base.rows, 0);
  for (std::uint32_t row = 0; row < set.base.rows; ++row) {
    if (task.passes[row] == 0) continue;
    task.place_of[row] = static_cast<std::uint32_t>(rows.size());
    rows.push_back(row);
  }
  task.base = rows_of(set.base, rows);
  task.asked = rows_of(set.queries, task.queries);
  task.truth = find_truth(set.metric, task.base, task.asked, settings.k, settings.data.threads);
  task.judge.emplace(set.metric, task.base, task.asked, task.truth, settings.k);
}

// The rows of a matrix by their distance from a vector, nearest first.
std::vector<std::uint32_t> by_distance(const Dataset& set, const Matrix& matrix, const float* from,
                                       unsigned threads) {
  std::vector<double> distances(matrix.rows);
  parallel_for(matrix.rows, threads, "filtering", [&](std::size_t row, unsigned) {
    distances[row] = exact_distance(set.metric, from, matrix.row(row), matrix.dimension);
  });
  std::vector<std::uint32_t> rows(matrix.rows);
  std::iota(rows.begin(), rows.end(), 0u);
  std::sort(rows.begin(), rows.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(distances[a], a) < std::pair(distances[b], b);
  });
  return rows;
}

std::vector<Task> tasks_of(const Dataset& set, const Settings& settings, double share,
                           const std::string& way) {
  const auto count = std::max<std::size_t>(
      settings.k, static_cast<std::size_t>(share * static_cast<double>(set.base.rows)));
  std::vector<Task> tasks(way == "any" ? 1 : kPivots);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Task& task = tasks[i];
    task.passes.assign(set.base.rows, 0);
    if (way == "any") {
      // A step without a common divisor meets each row once, far from the one before.
      std::size_t step = set.base.rows * 5 / 8 + 1;
      while (std::gcd(step, set.base.rows) != 1) ++step;
      for (std::size_t n = 0; n < count; ++n) task.passes[n * step % set.base.rows] = 1;
      task.queries =
          first_queries(std::min<std::size_t>(set.queries.rows, kPivots * kQueriesAPivot));
    } else {
      const float* const pivot = set.queries.row(i);
      const std::vector<std::uint32_t> rows =
          by_distance(set, set.base, pivot, settings.data.threads);
      for (std::size_t n = 0; n < count; ++n) task.passes[rows[n]] = 1;
      QueryList queries = by_distance(set, set.queries, pivot, settings.data.threads);
      if (way == "far") std::reverse(queries.begin(), queries.end());
      queries.resize(std::min(queries.size(), kQueriesAPivot));
      task.queries = std::move(queries);
    }
    finish(task, set, settings);
  }
  return tasks;
}

// One share of rows that pass in one way.
void measure_one(const Settings& settings, const Dataset& set,
                 const std::vector<Contestant>& contestants, double share, const std::string& way,
                 Meter& meter, std::size_t& done, Lines& lines) {
  std::vector<Task> tasks = tasks_of(set, settings, share, way);
  // [library][ef]; means over the tasks, harmonic ones of speeds: each is asked as often.
  std::vector<std::vector<Samples>> all(contestants.size(),
                                        std::vector<Samples>(settings.ef.size()));
  for (std::size_t e = 0; e < settings.ef.size(); ++e) {
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      Peer& peer = *contestants[i].peer;
      peer.set_ef(std::max(settings.ef[e], settings.k));
      Samples& samples = all[i][e];
      const auto parts = static_cast<double>(tasks.size());
      std::vector<Speed> means(settings.runs);
      for (const Task& task : tasks) {
        check_stop();
        peer.set_filter(task.passes.data());
        samples.recall += mean_recall(peer, *task.judge, task.queries,
                                      [&](Key key) { return task.row_of(key); }) /
                          parts;
        for (Speed& mean : means) {
          const Speed speed =
              run_queries(peer, task.queries, settings.k, 1, settings.seconds / parts);
          mean.qps += 1 / speed.qps / parts;
          mean.qps_cpu += 1 / speed.qps_cpu / parts;
          mean.p50_us += speed.p50_us / parts;
          mean.p99_us += speed.p99_us / parts;
        }
        peer.set_filter(nullptr);
      }
      for (const Speed& mean : means) {
        samples.add({1 / mean.qps, 1 / mean.qps_cpu, mean.p50_us, mean.p99_us});
      }
      meter.show(++done);
    }
  }

  const auto head = [&](const char* bench, const Contestant& contestant) {
    Line line = begin_line(bench, contestant.kind, set, settings);
    line["share"] = share;
    line["passes"] = way;
    line["k"] = settings.k;
    return line;
  };
  std::optional<CurveValue> rival;
  for (const bool is_rival : {true, false}) {  // hnswlib first: the others are told by its speed
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      if ((contestants[i].kind.impl == "hnswlib") != is_rival) continue;
      std::vector<CurvePoint> curve;
      for (std::size_t e = 0; e < settings.ef.size(); ++e) {
        const Samples& samples = all[i][e];
        Line line = head("filter", contestants[i]);
        line["ef"] = settings.ef[e];
        put_samples(line, samples, settings.k);
        line["runs"] = settings.runs;
        lines.write(line);
        curve.push_back({double(settings.ef[e]), samples.recall, median(samples.qps_cpu)});
      }
      const auto here = value_at(curve, kRecall);
      if (is_rival) rival = here;
      Line line = head("filter_summary", contestants[i]);
      line["recall"] = kRecall;
      line["reached"] = here.has_value();
      if (here) {
        line["ef"] = rounded(here->ef, 1);
        line["qps_cpu"] = rounded(here->value, 1);
        if (here->at_least) line["at_least"] = true;
        if (rival) line["ratio_to_hnswlib_cpu"] = rounded(here->value / rival->value, 3);
      }
      lines.write(line);
    }
  }
}

}  // namespace

void measure_filter(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  std::vector<Contestant> contestants = build_all("filter", settings, set, lines);
  std::erase_if(contestants,
                [](const Contestant& contestant) { return !contestant.peer->set_filter(nullptr); });
  constexpr std::array kWays = {"any", "near", "far"};
  Meter meter("searching",
              settings.shares.size() * kWays.size() * contestants.size() * settings.ef.size());
  std::size_t done = 0;
  for (const double share : settings.shares) {
    for (const char* way : kWays) {
      measure_one(settings, set, contestants, share, way, meter, done, lines);
    }
  }
}

}  // namespace skerry::bench

// search.cc - how fast at which recall, each library in turn?
//
// All libraries are built first, from the same rows in the same order; then for every run, every
// number of threads and every ef they search one after the other, A B C A B C, so that a machine
// that grows slower does so for all of them. The medians over the runs are reported.
#include <fmt/format.h>

#include <map>

#include "clock.h"
#include "curve.h"
#include "measure.h"
#include "meter.h"
#include "run_queries.h"
#include "stop.h"

namespace skerry::bench {
namespace {

struct Contestant {
  PeerKind kind;
  std::unique_ptr<Peer> peer;
  double build_s = 0;
  double build_cpu_s = 0;
};

struct Samples {
  std::vector<double> qps, qps_cpu, p50_us, p99_us;

  void add(const Speed& speed) {
    qps.push_back(speed.qps);
    qps_cpu.push_back(speed.qps_cpu);
    p50_us.push_back(speed.p50_us);
    p99_us.push_back(speed.p99_us);
  }
};

std::vector<Contestant> build_all(const Settings& settings, const Dataset& set, Lines& lines) {
  std::vector<Contestant> contestants;
  for (PeerKind& kind : present_peers("search", settings, lines)) {
    GraphOptions graph = settings.graph;
    graph.capacity = set.base.rows;
    Contestant contestant{std::move(kind), nullptr, 0, 0};
    contestant.peer = contestant.kind.make(set, graph);
    Meter meter("building " + contestant.kind.label(), set.base.rows);
    const Stopwatch watch;
    // In pieces, so that the bar moves and Ctrl-C is heard; a piece is many times what a batch
    // needs to be worth its threads.
    const std::size_t piece = settings.build_threads == 1 ? 1 : 10'000;
    for (std::size_t row = 0; row < set.base.rows; row += piece) {
      check_stop();
      contestant.peer->add(row, std::min(piece, set.base.rows - row), settings.build_threads);
      meter.show(row);
    }
    contestant.build_s = watch.wall();
    contestant.build_cpu_s = watch.cpu();
    contestants.push_back(std::move(contestant));
  }
  return contestants;
}

// One line a library, number of threads and recall: the speed there, and over hnswlib's.
void summarise(const Settings& settings, const Dataset& set,
               const std::vector<Contestant>& contestants, unsigned threads,
               const std::vector<std::vector<CurvePoint>>& wall,
               const std::vector<std::vector<CurvePoint>>& cpu, Lines& lines) {
  for (const double recall : {0.90, 0.95, 0.99}) {
    std::optional<CurveValue> rival, rival_cpu;
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      if (contestants[i].kind.impl != "hnswlib") continue;
      rival = value_at(wall[i], recall);
      rival_cpu = value_at(cpu[i], recall);
    }
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const auto here = value_at(wall[i], recall);
      const auto here_cpu = value_at(cpu[i], recall);
      Line line = begin_line("search_summary", contestants[i].kind, set, settings);
      line["threads"] = threads;
      line["recall"] = recall;
      line["reached"] = here.has_value();
      if (here) {
        line["ef"] = rounded(here->ef, 1);
        line["qps"] = rounded(here->value, 1);
        line["qps_cpu"] = rounded(here_cpu->value, 1);
        if (here->at_least) line["at_least"] = true;
        // Two curves that begin beyond the recall say nothing of how they compare at it.
        if (rival && !rival->at_least && !here->at_least) {
          line["ratio_to_hnswlib"] = rounded(here->value / rival->value, 3);
          line["ratio_to_hnswlib_cpu"] = rounded(here_cpu->value / rival_cpu->value, 3);
        }
      }
      lines.write(line);
    }
  }
}

}  // namespace

void measure_search(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  const Truth truth = load_truth(settings.data, set, settings.k);
  const Judge judge(set.metric, set.base, set.queries, truth, settings.k);
  const std::vector<Contestant> contestants = build_all(settings, set, lines);
  const std::size_t queries = set.queries.rows;

  // [library][ef]
  std::vector<std::map<std::uint32_t, double>> recalls(contestants.size());
  for (const unsigned threads : settings.threads) {
    std::vector<std::map<std::uint32_t, Samples>> samples(contestants.size());
    const std::size_t stretches = settings.runs * settings.ef.size() * contestants.size();
    Meter meter(fmt::format("searching, {} thread{}", threads, threads == 1 ? "" : "s"), stretches);
    std::size_t done = 0;
    for (std::uint32_t run = 0; run < settings.runs; ++run) {
      for (const std::uint32_t ef : settings.ef) {
        for (std::size_t i = 0; i < contestants.size(); ++i) {
          Peer& peer = *contestants[i].peer;
          peer.set_ef(std::max(ef, settings.k));
          if (!recalls[i].contains(ef)) {
            recalls[i][ef] = mean_recall(peer, judge, queries,
                                         [](Key key) { return static_cast<std::uint32_t>(key); });
          }
          samples[i][ef].add(run_queries(peer, queries, judge.k(), threads, settings.seconds));
          meter.show(++done);
        }
      }
    }

    std::vector<std::vector<CurvePoint>> wall(contestants.size()), cpu(contestants.size());
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const Contestant& contestant = contestants[i];
      const double bytes = static_cast<double>(contestant.peer->bytes());
      for (const auto& [ef, sample] : samples[i]) {
        Line line = begin_line("search", contestant.kind, set, settings);
        line["threads"] = threads;
        line["k"] = judge.k();
        line["ef"] = ef;
        line[fmt::format("recall_at_{}", judge.k())] = rounded(recalls[i][ef], 5);
        line["qps"] = rounded(median(sample.qps), 1);
        line["qps_cpu"] = rounded(median(sample.qps_cpu), 1);
        line["p50_us"] = rounded(median(sample.p50_us), 2);
        line["p99_us"] = rounded(median(sample.p99_us), 2);
        line["bytes_per_vector"] = rounded(bytes / static_cast<double>(set.base.rows), 1);
        line["build_s"] = rounded(contestant.build_s, 3);
        line["build_cpu_s"] = rounded(contestant.build_cpu_s, 3);
        line["build_threads"] = settings.build_threads;
        line["runs"] = settings.runs;
        lines.write(line);
        wall[i].push_back({double(ef), recalls[i][ef], median(sample.qps)});
        cpu[i].push_back({double(ef), recalls[i][ef], median(sample.qps_cpu)});
      }
    }
    summarise(settings, set, contestants, threads, wall, cpu, lines);
  }
}

}  // namespace skerry::bench

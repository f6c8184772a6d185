// search.cc - how fast at which recall, each library in turn?
//
// All libraries are built first, from the same rows in the same order; then for every run, every
// number of threads and every ef they search one after the other, A B C A B C, so that a machine
// that grows slower does so for all of them. The medians over the runs are reported. A library that
// can be asked for a recall instead of an ef competes a second time, by recall_target. Beside
// Skerry's speed stands what this machine would allow at best (roofline.h).
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "contestant.h"
#include "curve.h"
#include "measure.h"
#include "meter.h"
#include "roofline.h"
#include "run_queries.h"
#include "samples.h"
#include "stop.h"

namespace skerry::bench {
namespace {

// A contestant and what it is asked for, one thing after the other.
struct Entrant {
  const Contestant* contestant;
  bool by_target;               // else by ef
  std::vector<double> asked{};  // ascending
  std::vector<Samples> samples{};
  std::vector<SearchCounts> counts{};  // Skerry's
  std::optional<TableCosts> costs{};   // Skerry's

  const char* by() const { return by_target ? "recall_target" : "ef"; }
  void ask(std::size_t i, std::uint32_t k) const {
    if (by_target) {
      contestant->peer->set_recall_target(static_cast<float>(asked[i]));
    } else {
      contestant->peer->set_ef(std::max(static_cast<std::uint32_t>(asked[i]), k));
    }
  }
  std::vector<CurvePoint> curve(std::vector<double> Samples::*values) const {
    std::vector<CurvePoint> points;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      points.push_back({asked[i], samples[i].recall, median(samples[i].*values)});
    }
    return points;
  }
};

std::vector<Entrant> entrants_of(const Settings& settings, const Dataset& set,
                                 const std::vector<Contestant>& contestants) {
  std::vector<Entrant> entrants;
  Roofline roofline(set.base.rows);
  Meter meter("probing", contestants.size());
  for (const Contestant& contestant : contestants) {
    const PeerKind& kind = contestant.kind;
    std::optional<TableCosts> costs;
    if (kind.index_options) {
      IndexOptions options = kind.index_options(set, settings.graph);
      options.codes = contestant.peer->picked().value_or(options.codes);
      costs = roofline.costs_of(options);
    }
    meter.show(&contestant - contestants.data() + 1);
    entrants.push_back({&contestant, false});
    entrants.back().asked.assign(settings.ef.begin(), settings.ef.end());
    entrants.back().costs = costs;
    if (!settings.recall_targets.empty() && contestant.peer->set_recall_target(0.9F)) {
      entrants.push_back({&contestant, true});
      entrants.back().asked = settings.recall_targets;
      entrants.back().costs = costs;
    }
  }
  return entrants;
}

// The recall at each thing asked for, and of Skerry what the searches cost.
void look(Entrant& entrant, std::uint32_t k, const Judge& judge, std::size_t queries) {
  Peer& peer = *entrant.contestant->peer;
  std::vector<Key> keys(judge.k());
  for (std::size_t i = 0; i < entrant.asked.size(); ++i) {
    entrant.ask(i, k);
    entrant.samples.emplace_back();
    entrant.samples[i].recall =
        mean_recall(peer, judge, queries, [](Key key) { return static_cast<std::uint32_t>(key); });
    if (!entrant.costs) continue;
    entrant.counts.emplace_back();
    for (std::size_t query = 0; query < queries; ++query) {
      check_stop();
      entrant.counts[i].add(*peer.count_search(query, keys));
    }
  }
}

// What the searches cost, and how much of the time that they took they must have taken.
void put_bound(Line& line, const SearchCounts& counts, const TableCosts& costs, double cpu_us) {
  line["hops"] = rounded(counts.mean(counts.hops), 1);
  line["evaluations"] = rounded(counts.mean(counts.evaluations), 1);
  line["reranks"] = rounded(counts.mean(counts.reranks), 1);
  line["bytes_touched"] = rounded(counts.mean(counts.bytes), 0);
  const std::vector<Stage> stages = stages_of(counts, costs);
  if (stages.empty()) return;
  const Bound bound = bound_of(stages);
  line["compute_us"] = rounded(bound.compute_us, 2);
  line["memory_us"] = rounded(bound.memory_us, 2);
  line["bound_us"] = rounded(bound.us(), 2);
  line["bound_by"] = bound.by();
  line["share_of_bound"] = rounded(bound.us() / cpu_us, 3);
}

// One line an entrant, number of threads and recall: the speed there, and over hnswlib's.
void summarise(const Settings& settings, const Dataset& set, const std::vector<Entrant>& entrants,
               unsigned threads, Lines& lines) {
  for (const double recall : {0.90, 0.95, 0.99}) {
    std::optional<CurveValue> rival, rival_cpu;
    for (const Entrant& entrant : entrants) {
      if (entrant.contestant->kind.impl != "hnswlib") continue;
      rival = value_at(entrant.curve(&Samples::qps), recall);
      rival_cpu = value_at(entrant.curve(&Samples::qps_cpu), recall);
    }
    for (const Entrant& entrant : entrants) {
      const auto here = value_at(entrant.curve(&Samples::qps), recall);
      const auto here_cpu = value_at(entrant.curve(&Samples::qps_cpu), recall);
      Line line = begin_line("search_summary", entrant.contestant->kind, set, settings);
      line["threads"] = threads;
      line["by"] = entrant.by();
      line["recall"] = recall;
      line["reached"] = here.has_value();
      if (here) {
        line[entrant.by()] = rounded(here->ef, entrant.by_target ? 4 : 1);
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
  const std::vector<Contestant> contestants = build_all("search", settings, set, lines);
  const std::size_t queries = set.queries.rows;
  std::vector<Entrant> entrants = entrants_of(settings, set, contestants);
  const std::size_t rounds = std::max(settings.ef.size(), settings.recall_targets.size());

  for (Entrant& entrant : entrants) look(entrant, settings.k, judge, queries);
  for (const unsigned threads : settings.threads) {
    for (Entrant& entrant : entrants) {
      for (Samples& samples : entrant.samples) samples.forget_speeds();
    }
    Meter meter(fmt::format("searching, {} thread{}", threads, threads == 1 ? "" : "s"),
                settings.runs * rounds);
    for (std::uint32_t run = 0; run < settings.runs; ++run) {
      for (std::size_t i = 0; i < rounds; ++i) {
        for (Entrant& entrant : entrants) {
          if (i >= entrant.asked.size()) continue;
          entrant.ask(i, settings.k);
          entrant.samples[i].add(run_queries(*entrant.contestant->peer, queries, judge.k(), threads,
                                             settings.seconds));
        }
        meter.show(run * rounds + i + 1);
      }
    }

    for (const Entrant& entrant : entrants) {
      const Contestant& contestant = *entrant.contestant;
      const double bytes = static_cast<double>(contestant.peer->bytes());
      for (std::size_t i = 0; i < entrant.asked.size(); ++i) {
        const Samples& samples = entrant.samples[i];
        Line line = begin_line("search", contestant.kind, set, settings);
        line["threads"] = threads;
        line["k"] = judge.k();
        line["by"] = entrant.by();
        line[entrant.by()] = entrant.asked[i];
        put_samples(line, samples, judge.k());
        if (const auto picked = contestant.peer->picked()) line["picked"] = name_of(*picked);
        line["bytes_per_vector"] = rounded(bytes / static_cast<double>(set.base.rows), 1);
        line["build_s"] = rounded(contestant.build_s, 3);
        line["build_cpu_s"] = rounded(contestant.build_cpu_s, 3);
        line["build_threads"] = settings.build_threads;
        line["runs"] = settings.runs;
        if (entrant.costs) {
          put_bound(line, entrant.counts[i], *entrant.costs,
                    1e6 * threads / median(samples.qps_cpu));
        }
        lines.write(line);
      }
    }
    summarise(settings, set, entrants, threads, lines);
  }
}

}  // namespace skerry::bench

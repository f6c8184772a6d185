// update.cc - what do changes cost, and does the graph survive them?
//
// A round has three phases, each on another random part of the keys: `update` deals the vectors of
// those keys out anew among them, `remove` takes keys out, `reinsert` puts the same back. The set
// of live vectors is the same after an update and after a reinsert, so recall before and after is
// measured against one truth; after a removal, against the truth without the removed.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>

#include "clock.h"
#include "curve.h"
#include "measure.h"
#include "meter.h"
#include "run_queries.h"
#include "stop.h"

namespace skerry::bench {
namespace {

struct UpdateContestant {
  PeerKind kind;
  std::unique_ptr<Peer> peer;
  std::vector<std::uint32_t> row_of;       // by key; kNoRow: not in it
  std::map<std::uint32_t, double> recall;  // by ef, as last measured
};

// The part of 0 .. n - 1 that one phase of one round works on, in random order.
std::vector<std::uint32_t> draw(std::size_t n, double fraction, std::uint32_t seed) {
  std::vector<std::uint32_t> keys(n);
  std::iota(keys.begin(), keys.end(), 0u);
  std::mt19937 random(seed);
  for (std::size_t i = n - 1; i > 0; --i) std::swap(keys[i], keys[random() % (i + 1)]);
  keys.resize(
      std::max<std::size_t>(2, static_cast<std::size_t>(fraction * static_cast<double>(n))));
  return keys;
}

// The first k of each query's true neighbours that are live.
Truth live_truth(const Truth& truth, const std::vector<std::uint32_t>& removed, std::size_t k) {
  std::vector<bool> is_removed;
  for (const std::uint32_t row : removed) {
    if (row >= is_removed.size()) is_removed.resize(row + std::size_t{1});
    is_removed[row] = true;
  }
  Truth live{truth.queries, k, {}};
  for (std::size_t query = 0; query < truth.queries; ++query) {
    std::size_t kept = 0;
    for (const std::uint32_t row : truth.of(query)) {
      if (kept == k || (row < is_removed.size() && is_removed[row])) continue;
      live.rows.push_back(row);
      ++kept;
    }
    if (kept < k) throw std::runtime_error("--fraction: too few true neighbours are left");
  }
  return live;
}

class Rounds {
 public:
  Rounds(const Settings& settings, const Dataset& set, const Truth& truth, Lines& lines)
      : settings_(settings), set_(set), truth_(truth), lines_(lines) {}

  void measure_recall(UpdateContestant& contestant, const Judge& judge) {
    for (const std::uint32_t ef : settings_.ef) {
      contestant.peer->set_ef(std::max(ef, settings_.k));
      contestant.recall[ef] = mean_recall(*contestant.peer, judge, set_.queries.rows,
                                          [&](Key key) { return contestant.row_of[key]; });
    }
  }

  // Calls act(i) for each of `count` items and writes a line an ef; false when the library cannot.
  template <class Act>
  bool phase(UpdateContestant& contestant, const char* name, std::uint32_t round, std::size_t count,
             const Judge& judge, const Act& act) {
    Meter meter(fmt::format("round {}, {}, {}", round, name, contestant.kind.label()), count);
    const std::map<std::uint32_t, double> before = contestant.recall;
    std::vector<float> latencies_us;
    const Stopwatch watch;
    double last = wall_seconds();
    for (std::size_t i = 0; i < count; ++i) {
      check_stop();
      if (!act(i)) return false;
      const double now = wall_seconds();
      latencies_us.push_back(static_cast<float>((now - last) * 1e6));
      last = now;
      meter.show(i);
    }
    const double wall = watch.wall(), cpu = watch.cpu();
    measure_recall(contestant, judge);
    for (const auto& [ef, recall] : contestant.recall) {
      Line line = begin_line("update", contestant.kind, set_, settings_);
      line["round"] = round;
      line["phase"] = name;
      line["fraction"] = settings_.fraction;
      line["threads"] = 1;
      line["changes_per_s"] = rounded(static_cast<double>(count) / wall, 1);
      line["changes_per_cpu_s"] = rounded(static_cast<double>(count) / cpu, 1);
      line["p50_us"] = rounded(percentile(latencies_us, 0.5), 1);
      line["p99_us"] = rounded(percentile(latencies_us, 0.99), 1);
      line["k"] = judge.k();
      line["ef"] = ef;
      line["recall_before"] = rounded(before.at(ef), 5);
      line["recall_after"] = rounded(recall, 5);
      line["bytes_per_vector"] = rounded(
          static_cast<double>(contestant.peer->bytes()) / static_cast<double>(set_.base.rows), 1);
      lines_.write(std::move(line));
    }
    return true;
  }

  void run(std::vector<UpdateContestant>& contestants) {
    const Judge whole(set_.metric, set_.base, set_.queries, truth_, settings_.k);
    for (UpdateContestant& contestant : contestants) measure_recall(contestant, whole);
    for (std::uint32_t round = 1; round <= settings_.rounds; ++round) {
      const auto updated = draw(set_.base.rows, settings_.fraction, 3 * round);
      for (UpdateContestant& contestant : contestants) update(contestant, round, updated, whole);
      const auto removed = draw(set_.base.rows, settings_.fraction, 3 * round + 1);
      for (UpdateContestant& contestant : contestants) replace(contestant, round, removed, whole);
    }
  }

 private:
  // Every key takes the vector of the next; the last takes the first's.
  void update(UpdateContestant& contestant, std::uint32_t round,
              const std::vector<std::uint32_t>& keys, const Judge& whole) {
    std::vector<std::uint32_t>& row_of = contestant.row_of;
    const std::uint32_t first_row = row_of[keys.front()];
    phase(contestant, "update", round, keys.size(), whole, [&](std::size_t i) {
      const std::uint32_t row = i + 1 < keys.size() ? row_of[keys[i + 1]] : first_row;
      if (!contestant.peer->update(keys[i], row)) return false;
      row_of[keys[i]] = row;
      return true;
    });
  }

  void replace(UpdateContestant& contestant, std::uint32_t round,
               const std::vector<std::uint32_t>& keys, const Judge& whole) {
    std::vector<std::uint32_t> rows;
    for (const std::uint32_t key : keys) rows.push_back(contestant.row_of[key]);
    const Truth live = live_truth(truth_, rows, settings_.k);
    const Judge without(set_.metric, set_.base, set_.queries, live, settings_.k);
    const bool can = phase(contestant, "remove", round, keys.size(), without, [&](std::size_t i) {
      contestant.row_of[keys[i]] = kNoRow;
      return contestant.peer->remove(keys[i]);
    });
    if (!can) {
      for (std::size_t i = 0; i < keys.size(); ++i) contestant.row_of[keys[i]] = rows[i];
      return;
    }
    phase(contestant, "reinsert", round, keys.size(), whole, [&](std::size_t i) {
      contestant.row_of[keys[i]] = rows[i];
      return contestant.peer->insert(keys[i], rows[i], 0);
    });
  }

  const Settings& settings_;
  const Dataset& set_;
  const Truth& truth_;
  Lines& lines_;
};

}  // namespace

void measure_update(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  // Deep enough to have k left of when half are removed.
  const Truth truth = load_truth(settings.data, set, 4 * std::size_t{settings.k} + 60);
  std::vector<UpdateContestant> contestants;
  for (PeerKind& kind : present_peers("update", settings, lines)) {
    GraphOptions graph = settings.graph;
    graph.capacity = set.base.rows;
    UpdateContestant contestant{std::move(kind), nullptr, {}, {}};
    contestant.peer = contestant.kind.make(set, graph);
    contestant.peer->add(0, set.base.rows, settings.build_threads);
    contestant.row_of.resize(set.base.rows);
    std::iota(contestant.row_of.begin(), contestant.row_of.end(), 0u);
    contestants.push_back(std::move(contestant));
  }
  Rounds(settings, set, truth, lines).run(contestants);
}

}  // namespace skerry::bench

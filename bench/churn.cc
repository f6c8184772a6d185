// churn.cc - does an index that lives through a runbook stay as good as a fresh one?
//
// Every library gets the same changes in the same order, a call each. At each search of the runbook
// its recall is measured against the exact neighbours among what is live then, and its speed; at
// some of them the same library also builds an index of the same live vectors from nothing, and the
// two are searched in turn. What the old one has lost to the new one is what the churn has cost.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "clock.h"
#include "curve.h"
#include "live_truth.h"
#include "measure.h"
#include "meter.h"
#include "player.h"
#include "run_queries.h"
#include "runbook.h"
#include "stop.h"

namespace skerry::bench {
namespace {

// What one search of the runbook found of one index at one ef.
struct Showing {
  double recall = 0;
  double qps = 0;
  double qps_cpu = 0;
  double p99_us = 0;
};
using Showings = std::map<std::uint32_t, Showing>;  // by ef

struct Size {
  double bytes = 0;            // a live vector
  std::optional<double> disk;  // a live vector
};

struct ChurnContestant {
  PeerKind kind;
  std::unique_ptr<Peer> peer;
  bool is_out = false;      // it cannot do what the runbook asks for
  std::size_t changes = 0;  // since the last search
  double busy_s = 0;

  // For the summary.
  std::size_t searches = 0;
  Showings first, last, fresh;
  std::map<std::uint32_t, double> least_recall;  // by ef
  Size size, fresh_size;
};

bool apply(Peer& peer, const Change& change) {
  if (change.verb == Step::Verb::insert) return peer.insert(change.key, change.row, 0);
  if (change.verb == Step::Verb::remove) return peer.remove(change.key);
  return peer.update(change.key, change.row);
}

class Play {
 public:
  Play(const Settings& settings, const Dataset& set, const Runbook& runbook, Lines& lines)
      : settings_(settings),
        set_(set),
        runbook_(runbook),
        lines_(lines),
        graph_(settings.graph),
        player_(runbook, set),
        truth_(set, settings.k, settings.data.threads) {
    graph_.capacity = most_live(runbook, set.base.rows);  // or says what is wrong
    searches_ = static_cast<std::size_t>(
        std::count_if(runbook.steps.begin(), runbook.steps.end(),
                      [](const Step& step) { return step.verb == Step::Verb::search; }));
    for (PeerKind& kind : present_peers("churn", settings, lines)) {
      ChurnContestant contestant;
      contestant.peer = kind.make(set, graph_);
      contestant.kind = std::move(kind);
      contestants_.push_back(std::move(contestant));
    }
  }

  void run() {
    std::size_t round = 0;
    for (std::size_t number = 0; number < runbook_.steps.size(); ++number) {
      const Step& step = runbook_.steps[number];
      if (step.verb == Step::Verb::search) {
        search(number, round++);
      } else {
        change(number, player_.play(step));
      }
    }
    for (const ChurnContestant& contestant : contestants_) summarise(contestant);
  }

 private:
  void change(std::size_t number, const std::vector<Change>& changes) {
    for (ChurnContestant& contestant : contestants_) {
      if (contestant.is_out) continue;
      Meter meter(fmt::format("step {} of {}, {}", number + 1, runbook_.steps.size(),
                              contestant.kind.label()),
                  changes.size());
      const double began = wall_seconds();
      for (std::size_t i = 0; i < changes.size() && !contestant.is_out; ++i) {
        check_stop();
        contestant.is_out = !apply(*contestant.peer, changes[i]);
        meter.show(i);
      }
      contestant.busy_s += wall_seconds() - began;
      contestant.changes += changes.size();
      if (contestant.is_out) {
        lines_.write({{"bench", "churn"},
                      {"impl", contestant.kind.impl},
                      {"missing", "it cannot insert, replace or remove one at a time"}});
      }
    }
  }

  // The same library with the same live vectors, put in by age.
  std::unique_ptr<Peer> build_fresh(const ChurnContestant& contestant) {
    Meter meter("fresh, " + contestant.kind.label(), player_.live().size());
    std::unique_ptr<Peer> peer = contestant.kind.make(set_, graph_);
    std::size_t done = 0;
    for (const auto& [key, row] : player_.live()) {
      check_stop();
      peer->insert(key, row, 0);
      meter.show(done++);
    }
    return peer;
  }

  Size size_of(Peer& peer) const {
    const auto live = static_cast<double>(player_.live().size());
    Size size;
    size.bytes = static_cast<double>(peer.bytes()) / live;
    if (const auto disk = peer.disk_bytes()) size.disk = static_cast<double>(*disk) / live;
    return size;
  }

  // All in turn at each ef, run after run.
  std::vector<Showings> show(const std::vector<Peer*>& peers, const Judge& judge) const {
    const auto row_of = [&](Key key) {
      const auto place = player_.live().find(key);
      return place == player_.live().end() ? kNoRow : place->second;
    };
    std::vector<Showings> showings(peers.size());
    for (const std::uint32_t ef : settings_.ef) {
      std::vector<std::vector<Speed>> speeds(peers.size());
      for (Peer* peer : peers) peer->set_ef(std::max(ef, settings_.k));
      for (std::uint32_t run = 0; run < settings_.runs; ++run) {
        for (std::size_t i = 0; i < peers.size(); ++i) {
          speeds[i].push_back(
              run_queries(*peers[i], set_.queries.rows, judge.k(), 1, settings_.seconds));
        }
      }
      for (std::size_t i = 0; i < peers.size(); ++i) {
        const auto middle = [&](double Speed::*field) {
          std::vector<double> values;
          for (const Speed& speed : speeds[i]) values.push_back(speed.*field);
          return median(std::move(values));
        };
        showings[i][ef] = {mean_recall(*peers[i], judge, set_.queries.rows, row_of),
                           middle(&Speed::qps), middle(&Speed::qps_cpu), middle(&Speed::p99_us)};
      }
    }
    return showings;
  }

  void search(std::size_t number, std::size_t round) {
    std::vector<std::uint32_t> rows;
    for (const auto& [key, row] : player_.live()) rows.push_back(row);
    const Truth truth = truth_.among(rows);
    const Judge judge(set_.metric, set_.base, set_.queries, truth, truth.depth);
    const bool is_fresh = round % runbook_.fresh_every == 0 || round + 1 == searches_;
    for (ChurnContestant& contestant : contestants_) {
      if (contestant.is_out) continue;
      std::vector<Peer*> peers = {contestant.peer.get()};
      std::unique_ptr<Peer> fresh;
      if (is_fresh) {
        fresh = build_fresh(contestant);
        peers.push_back(fresh.get());
      }
      const std::vector<Showings> showings = show(peers, judge);
      contestant.last = showings[0];
      contestant.size = size_of(*contestant.peer);
      if (fresh) {
        contestant.fresh = showings[1];
        contestant.fresh_size = size_of(*fresh);
      }
      tell(contestant, number, round, judge.k(), is_fresh);
    }
  }

  void tell(ChurnContestant& contestant, std::size_t number, std::size_t round, std::size_t k,
            bool is_fresh) {
    const Wear wear = contestant.peer->wear();
    for (const auto& [ef, showing] : contestant.last) {
      Line line = begin_line("churn", contestant.kind, set_, settings_);
      line["runbook"] = runbook_.name;
      line["round"] = round;
      line["step"] = number + 1;
      line["live"] = player_.live().size();
      line["changes"] = contestant.changes;
      if (contestant.changes != 0) {
        line["updates_per_s"] =
            rounded(static_cast<double>(contestant.changes) / contestant.busy_s, 1);
      }
      line["k"] = k;
      line["ef"] = ef;
      const auto put = [&](const Showing& shown, const Size& size, const std::string& suffix) {
        line[suffix.empty() ? fmt::format("recall_at_{}", k) : "recall" + suffix] =
            rounded(shown.recall, 5);
        line["qps" + suffix] = rounded(shown.qps, 1);
        line["qps_cpu" + suffix] = rounded(shown.qps_cpu, 1);
        line["p99_us" + suffix] = rounded(shown.p99_us, 1);
        line["bytes_per_vector" + suffix] = rounded(size.bytes, 1);
        if (size.disk) line["disk_bytes_per_vector" + suffix] = rounded(*size.disk, 1);
      };
      put(showing, contestant.size, "");
      if (is_fresh) put(contestant.fresh[ef], contestant.fresh_size, "_fresh");
      const auto put_count = [&](const char* name, const std::optional<std::uint64_t>& count) {
        if (count) {
          line[name] = *count;
        } else {
          line[name] = nullptr;
        }
      };
      put_count("tombstones", wear.tombstones);
      put_count("unreachable", wear.unreachable);
      lines_.write(std::move(line));

      const auto least = contestant.least_recall.emplace(ef, showing.recall).first;
      least->second = std::min(least->second, showing.recall);
    }
    if (contestant.searches++ == 0) contestant.first = contestant.last;
    contestant.changes = 0;
    contestant.busy_s = 0;
  }

  // The last search is one with a fresh build.
  void summarise(const ChurnContestant& contestant) {
    if (contestant.is_out || contestant.searches == 0) return;
    for (const auto& [ef, last] : contestant.last) {
      const Showing& fresh = contestant.fresh.at(ef);
      Line line = begin_line("churn_summary", contestant.kind, set_, settings_);
      line["runbook"] = runbook_.name;
      line["searches"] = contestant.searches;
      line["ef"] = ef;
      line["recall_first"] = rounded(contestant.first.at(ef).recall, 5);
      line["recall_least"] = rounded(contestant.least_recall.at(ef), 5);
      line["recall_last"] = rounded(last.recall, 5);
      line["recall_fresh"] = rounded(fresh.recall, 5);
      line["recall_minus_fresh"] = rounded(last.recall - fresh.recall, 5);
      line["qps_ratio_to_fresh"] = rounded(last.qps / fresh.qps, 3);
      line["qps_cpu_ratio_to_fresh"] = rounded(last.qps_cpu / fresh.qps_cpu, 3);
      line["bytes_ratio_to_fresh"] =
          rounded(contestant.size.bytes / contestant.fresh_size.bytes, 3);
      if (contestant.size.disk) {
        line["disk_ratio_to_fresh"] =
            rounded(*contestant.size.disk / *contestant.fresh_size.disk, 3);
      }
      lines_.write(std::move(line));
    }
  }

  const Settings& settings_;
  const Dataset& set_;
  const Runbook& runbook_;
  Lines& lines_;
  GraphOptions graph_;
  Player player_;
  LiveTruth truth_;
  std::size_t searches_ = 0;  // that the runbook has
  std::vector<ChurnContestant> contestants_;
};

}  // namespace

void measure_churn(const Settings& settings, Lines& lines) {
  const Runbook runbook = read_runbook(settings.runbook);
  const Dataset set = load_dataset(settings.data);
  Play(settings, set, runbook, lines).run();
}

}  // namespace skerry::bench

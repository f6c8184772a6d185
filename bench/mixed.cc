// mixed.cc - what does a reader feel of a writer?
//
// One thread searches, first alone and then beside another that writes as fast as it can: new keys
// (`insert`), or other vectors under present ones (`update`), a call each. The two have a core
// each, the same ones in both stretches, so what a reader loses is lost to the writer and not to
// the scheduler. Every stretch pair begins with a new index of half of the rows; the libraries take
// turns, run after run, and medians are reported: of the ratios too, whose parts are neighbours in
// time. A library does only what it says may be done beside a search, or a note says what else.
// Databases meet twice more: new keys are written while images are saved, or the store is
// compacted, one after the other and on the writer's core (`image`, `compact`).
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <numeric>
#include <random>
#include <stdexcept>

#include "clock.h"
#include "curve.h"
#include "live_truth.h"
#include "measure.h"
#include "meter.h"
#include "run_queries.h"
#include "stop.h"

namespace skerry::bench {
namespace {

constexpr unsigned kReader = 0, kWriter = 1;  // their numbers as callers, and their cores

// The cores that this process may use, in order.
std::vector<int> cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return {};
  std::vector<int> found;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) found.push_back(core);
  }
  return found;
}

// Runs `work` in a thread that stays on one core; what it throws is thrown by get(). With a single
// core all share it.
template <class Work>
auto on_core(unsigned number, const Work& work) {
  return std::async(std::launch::async, [number, work] {
    const std::vector<int> all = cores();
    if (!all.empty()) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(all[number % all.size()], &one);
      sched_setaffinity(0, sizeof(one), &one);  // a system that refuses places it itself
    }
    return work();
  });
}

enum class What : std::uint8_t { insert, update, image, compact };

const char* name_of(What what) {
  static constexpr const char* kNames[] = {"insert", "update", "image", "compact"};
  return kNames[static_cast<std::size_t>(what)];
}

bool is_upkeep(What what) {
  return what == What::image || what == What::compact;
}

bool may(const PeerKind& kind, What what) {
  if (is_upkeep(what)) return kind.has_upkeep;
  return what == What::insert || kind.may_update_beside_search;
}

// What a writer writes, one after the other. Of the set's 2 `half` rows the first half is there. An
// update takes the keys in random order, pass after pass, and moves key k from row k to row half +
// k or back: so no row is ever there twice.
class Stream {
 public:
  Stream(What what, std::size_t half) : what_(what), half_(half), order_(half), row_of_(half) {
    std::iota(row_of_.begin(), row_of_.end(), 0u);
    std::iota(order_.begin(), order_.end(), 0u);
    std::mt19937_64 random(1);
    for (std::size_t i = half - 1; i > 0; --i) std::swap(order_[i], order_[random() % (i + 1)]);
  }

  bool is_over() const noexcept { return what_ != What::update && row_of_.size() == 2 * half_; }

  // False: the library cannot.
  bool write_next(Peer& peer) {
    if (what_ != What::update) {
      const auto row = static_cast<std::uint32_t>(row_of_.size());
      if (!peer.insert(row, row, kWriter)) return false;
      row_of_.push_back(row);
    } else {
      const std::uint32_t key = order_[count_ % half_];
      const auto row = static_cast<std::uint32_t>((row_of_[key] + half_) % (2 * half_));
      if (!peer.update(key, row)) return false;
      row_of_[key] = row;
    }
    ++count_;
    return true;
  }

  std::size_t count() const noexcept { return count_; }
  const std::vector<std::uint32_t>& row_of() const noexcept { return row_of_; }  // by key

 private:
  What what_;
  std::size_t half_;
  std::size_t count_ = 0;  // of what was written
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> row_of_;
};

struct MixedContestant {
  PeerKind kind;
  bool is_out = false;  // it cannot write one at a time
  std::vector<Speed> idle, mixed;
  std::vector<double> upserts_per_s;
  double recall_idle = 0, recall_after = 0;

  double middle(const std::vector<Speed>& speeds, double Speed::*field) const {
    std::vector<double> values;
    for (const Speed& speed : speeds) values.push_back(speed.*field);
    return median(std::move(values));
  }
  double ratio(double Speed::*field) const {
    std::vector<double> values;
    for (std::size_t i = 0; i < idle.size(); ++i) {
      values.push_back(mixed[i].*field / (idle[i].*field));
    }
    return median(std::move(values));
  }
};

class Meeting {
 public:
  Meeting(const Settings& settings, const Dataset& set, What what, std::uint32_t ef)
      : settings_(settings), set_(set), what_(what), ef_(std::max(ef, settings.k)) {
    graph_ = settings.graph;
    graph_.capacity = set.base.rows;
    graph_.threads = std::max(graph_.threads, 2u);
  }

  // One run of one library.
  void run(MixedContestant& contestant, bool is_last) {
    const std::size_t half = set_.base.rows / 2;
    const std::unique_ptr<Peer> peer = contestant.kind.make(set_, graph_);
    peer->add(0, half, settings_.build_threads);
    peer->set_ef(ef_);
    Stream stream(what_, half);
    if (is_last) contestant.recall_idle = recall(*peer, stream);

    contestant.idle.push_back(on_core(kReader, [&] { return read(*peer, nullptr); }).get());
    std::atomic<bool> is_read{false}, is_written{false};
    auto writer = on_core(kWriter, [&] { return write(*peer, stream, is_read, is_written); });
    auto keeper = on_core(kWriter, [&] { keep_up(*peer, is_read, is_written); });
    auto reader = on_core(kReader, [&] { return read(*peer, &is_written); });
    reader.wait();
    is_read = true;
    keeper.get();
    const double seconds = writer.get();
    contestant.mixed.push_back(reader.get());
    contestant.is_out = stream.count() == 0;
    contestant.upserts_per_s.push_back(static_cast<double>(stream.count()) / seconds);
    if (is_last) contestant.recall_after = recall(*peer, stream);
  }

 private:
  Speed read(Peer& peer, const std::atomic<bool>* ended) const {
    return run_queries(peer, set_.queries.rows, settings_.k, 1, settings_.seconds, ended);
  }

  // How long it wrote, once at least. Out of rows, or of luck, it tells the reader to end too.
  static double write(Peer& peer, Stream& stream, const std::atomic<bool>& is_read,
                      std::atomic<bool>& is_written) {
    struct Tell {
      std::atomic<bool>& flag;
      ~Tell() { flag = true; }
    } tell{is_written};
    const double began = wall_seconds();
    while (stream.write_next(peer) && !is_read && !stream.is_over() && !stop_asked()) {
    }
    return wall_seconds() - began;
  }

  // Once at least, when there is something to keep up.
  void keep_up(Peer& peer, const std::atomic<bool>& is_read,
               const std::atomic<bool>& is_written) const {
    if (!is_upkeep(what_)) return;
    do {
      peer.keep_up(what_ == What::image ? Upkeep::image : Upkeep::compact);
    } while (!is_read && !is_written && !stop_asked());
  }

  double recall(Peer& peer, const Stream& stream) const {
    const std::vector<std::uint32_t>& row_of = stream.row_of();
    const Truth truth = LiveTruth(set_, settings_.k, settings_.data.threads).among(row_of);
    const Judge judge(set_.metric, set_.base, set_.queries, truth, truth.depth);
    return mean_recall(peer, judge, set_.queries.rows,
                       [&](Key key) { return key < row_of.size() ? row_of[key] : kNoRow; });
  }

  const Settings& settings_;
  const Dataset& set_;
  What what_;
  std::uint32_t ef_;
  GraphOptions graph_;
};

void tell(const Settings& settings, const Dataset& set, const MixedContestant& contestant,
          What what, std::uint32_t ef, Lines& lines) {
  Line line = begin_line("mixed", contestant.kind, set, settings);
  if (!contestant.kind.write_note.empty()) {
    line["note"] = contestant.kind.note + (contestant.kind.note.empty() ? "" : "; ") +
                   contestant.kind.write_note;
  }
  line["what"] = name_of(what);
  line["live"] = set.base.rows / 2;
  line["cores"] = std::min<std::size_t>(2, cores().size());
  line["k"] = settings.k;
  line["ef"] = ef;
  line[fmt::format("recall_at_{}", settings.k)] = rounded(contestant.recall_idle, 5);
  line["recall_after"] = rounded(contestant.recall_after, 5);
  const auto put = [&](const std::string& name, const std::string& unit, double Speed::*field) {
    line[name + "_idle" + unit] = rounded(contestant.middle(contestant.idle, field), 1);
    line[name + "_mixed" + unit] = rounded(contestant.middle(contestant.mixed, field), 1);
    line[name + "_ratio"] = rounded(contestant.ratio(field), 3);
  };
  put("p50", "_us", &Speed::p50_us);
  put("p99", "_us", &Speed::p99_us);
  put("qps", "", &Speed::qps);
  line["upserts_per_s"] = rounded(median(contestant.upserts_per_s), 1);
  line["runs"] = settings.runs;
  lines.write(std::move(line));
}

}  // namespace

void measure_mixed(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  if (set.base.rows < 2 * std::size_t{settings.k}) {
    throw std::runtime_error(fmt::format("-k {}: {} has {} rows, and half of them are searched",
                                         settings.k, set.name, set.base.rows));
  }
  const std::vector<PeerKind> kinds = present_peers("mixed", settings, lines);
  for (const std::uint32_t ef : settings.ef) {
    for (const What what : {What::insert, What::update, What::image, What::compact}) {
      std::vector<MixedContestant> contestants;
      for (const PeerKind& kind : kinds) {
        if (may(kind, what)) contestants.push_back({kind, false, {}, {}, {}, 0, 0});
      }
      if (contestants.empty()) continue;
      Meeting meeting(settings, set, what, ef);
      Meter meter(fmt::format("{}, ef {}", name_of(what), ef), settings.runs * contestants.size());
      std::size_t done = 0;
      for (std::uint32_t run = 0; run < settings.runs; ++run) {
        for (MixedContestant& contestant : contestants) {
          if (!contestant.is_out) meeting.run(contestant, run + 1 == settings.runs);
          meter.show(++done);
        }
      }
      for (const MixedContestant& contestant : contestants) {
        if (contestant.is_out) {
          lines.write({{"bench", "mixed"},
                       {"impl", contestant.kind.impl},
                       {"missing", "it cannot insert one at a time"}});
        } else {
          tell(settings, set, contestant, what, ef, lines);
        }
      }
    }
  }
}

}  // namespace skerry::bench

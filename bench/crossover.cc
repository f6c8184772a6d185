// crossover.cc - is it cheapest to insert one by one, to insert as a batch, or to build anew?
//
// At each size, for each library and each batch: the time to have n + batch vectors where there
// were n, in every way that there is, and the recall afterwards at one ef.
//
//   one_by_one  a call a vector, on one thread
//   batch       one call, on all the threads that were asked for
//   rebuild     a new index of all n + batch, on all of them
//   default     one call as a user writes it who says nothing of threads (Skerry)
//
// A batch of more than a twentieth of n gets an index of its own in each way, and so does its
// rebuild. Smaller ones go on top of each other, and n is a little more by then: the ways take
// turns, and what is told of each is the median. Their rebuild is the build of n, in proportion.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clock.h"
#include "curve.h"
#include "live_truth.h"
#include "measure.h"
#include "run_queries.h"
#include "skerry/options.h"
#include "stop.h"

namespace skerry::bench {
namespace {

constexpr std::size_t kSmallPart = 20;     // a batch of n / 20 at most leaves n as it is
constexpr std::size_t kVectorsAWay = 300;  // that small batches add in each way, if not n / 50
constexpr std::size_t kMostPart = 50;
constexpr const char* kInserts[] = {"one_by_one", "batch", "default"};

bool is_small(std::size_t batch, std::size_t n) noexcept {
  return batch * kSmallPart <= n;
}
std::size_t turns_of(std::size_t batch, std::size_t n) noexcept {
  if (!is_small(batch, n)) return 1;
  return std::max<std::size_t>(1, std::min(kVectorsAWay, n / kMostPart) / batch);
}

// One library at one size.
class AtSize {
 public:
  AtSize(const Settings& settings, const PeerKind& kind, const Dataset& set, LiveTruth& truth,
         std::size_t n, Lines& lines)
      : settings_(settings), kind_(kind), set_(set), truth_(truth), lines_(lines), n_(n) {}

  void run() {
    const Cost built = build(n_);
    const double build_recall = recall();
    for (const std::size_t batch : settings_.batches) {
      std::vector<Outcome> outcomes;
      for (const char* way : kInserts) {
        const bool is_default = way == std::string_view("default");
        if (is_default && !kind_.index_options) continue;
        const unsigned threads = way == std::string_view("batch") ? settings_.graph.threads
                                 : is_default                     ? BatchOptions().threads
                                                                  : 1;
        outcomes.push_back({way, threads, {}, {}, 0});
      }
      Outcome rebuild{"rebuild", settings_.graph.threads, {}, {}, 0};
      if (is_small(batch, n_)) {
        for (std::size_t turn = 0; turn < turns_of(batch, n_); ++turn) {
          for (Outcome& outcome : outcomes) insert(batch, outcome);
        }
        const double after = recall();
        for (Outcome& outcome : outcomes) outcome.recall = after;
        const double part = static_cast<double>(n_ + batch) / static_cast<double>(n_);
        rebuild.take({built.wall_s * part, built.cpu_s * part});
        rebuild.recall = build_recall;
      } else {
        for (Outcome& outcome : outcomes) {
          build(n_);
          insert(batch, outcome);
          outcome.recall = recall();
        }
        rebuild.take(build(n_ + batch));
        rebuild.recall = recall();
      }
      outcomes.push_back(std::move(rebuild));
      tell(batch, outcomes);
    }
  }

 private:
  struct Cost {
    double wall_s;
    double cpu_s;
  };
  struct Outcome {
    std::string way;
    unsigned threads;
    std::vector<double> wall_s, cpu_s;
    double recall;

    void take(const Cost& cost) {
      wall_s.push_back(cost.wall_s);
      cpu_s.push_back(cost.cpu_s);
    }
    double wall() const { return median(wall_s); }
    double cpu() const { return median(cpu_s); }
  };

  // A new index of the first `rows`.
  Cost build(std::size_t rows) {
    check_stop();
    peer_ = nullptr;  // its memory first
    GraphOptions graph = settings_.graph;
    graph.capacity = set_.base.rows;
    peer_ = kind_.make(set_, graph);
    const Stopwatch watch;
    peer_->add(0, rows, settings_.graph.threads);
    rows_ = rows;
    return {watch.wall(), watch.cpu()};
  }

  void insert(std::size_t batch, Outcome& outcome) {
    check_stop();
    const Stopwatch watch;
    if (outcome.way == kInserts[0]) {
      for (std::size_t row = 0; row < batch; ++row) peer_->add(rows_ + row, 1, 1);
    } else {
      peer_->add(rows_, batch, outcome.threads);
    }
    outcome.take({watch.wall(), watch.cpu()});
    rows_ += batch;
  }

  double recall() {
    std::vector<std::uint32_t> live(rows_);
    std::iota(live.begin(), live.end(), 0u);
    const Truth truth = truth_.among(live);
    const Judge judge(set_.metric, set_.base, set_.queries, truth, settings_.k);
    peer_->set_ef(std::max(settings_.ef.front(), settings_.k));
    return mean_recall(*peer_, judge, set_.queries.rows,
                       [](Key key) { return static_cast<std::uint32_t>(key); });
  }

  void tell(std::size_t batch, const std::vector<Outcome>& outcomes) {
    const auto head = [&](const char* bench) {
      Line line = begin_line(bench, kind_, set_, settings_);
      line["n"] = n_;
      line["batch"] = batch;
      return line;
    };
    const Outcome* best = nullptr;
    const Outcome* usual = nullptr;
    for (const Outcome& outcome : outcomes) {
      Line line = head("crossover");
      line["way"] = outcome.way;
      line["threads"] = outcome.threads;
      const auto vectors = static_cast<double>(batch);
      line["seconds"] = rounded(outcome.wall(), 9);
      line["us_per_vector"] = rounded(outcome.wall() * 1e6 / vectors, 2);
      line["cpu_us_per_vector"] = rounded(outcome.cpu() * 1e6 / vectors, 2);
      line["k"] = settings_.k;
      line["ef"] = settings_.ef.front();
      line[fmt::format("recall_at_{}", settings_.k)] = rounded(outcome.recall, 5);
      lines_.write(std::move(line));
      if (outcome.way == "default") {
        usual = &outcome;
      } else if (best == nullptr || outcome.wall() < best->wall()) {
        best = &outcome;
      }
    }
    Line line = head("crossover_summary");
    line["best"] = best->way;
    line["best_s"] = rounded(best->wall(), 9);
    if (usual != nullptr) {
      line["default_s"] = rounded(usual->wall(), 9);
      line["default_over_best"] = rounded(usual->wall() / best->wall(), 3);
    }
    lines_.write(std::move(line));
  }

  const Settings& settings_;
  const PeerKind& kind_;
  const Dataset& set_;
  LiveTruth& truth_;
  Lines& lines_;
  const std::size_t n_;
  std::unique_ptr<Peer> peer_;
  std::size_t rows_ = 0;  // that are in it: the first so many
};

// Rows that the largest size needs, with all that is put on top of it.
std::size_t rows_needed(const Settings& settings) {
  std::size_t rows = 0;
  for (const std::size_t n : settings.sizes) {
    std::size_t small = 0;
    std::size_t large = 0;
    for (const std::size_t batch : settings.batches) {
      const std::size_t all = batch * turns_of(batch, n);
      if (is_small(batch, n)) {
        small += all * std::size(kInserts);
      } else {
        large = std::max(large, all);
      }
    }
    rows = std::max(rows, n + std::max(small, large));
  }
  return rows;
}

}  // namespace

void measure_crossover(const Settings& settings, Lines& lines) {
  const std::size_t needed = rows_needed(settings);
  DataOptions data = settings.data;
  if (data.data.empty()) data.limit = needed;
  const Dataset set = load_dataset(data);
  if (set.base.rows < needed) {
    throw std::runtime_error(fmt::format("--sizes and --batches need {} rows, and {} has {}",
                                         needed, set.name, set.base.rows));
  }
  const std::vector<PeerKind> kinds = present_peers("crossover", settings, lines);
  for (const std::size_t n : settings.sizes) {
    if (n < settings.k) throw std::runtime_error(fmt::format("--sizes {}: fewer than -k", n));
    for (const PeerKind& kind : kinds) {
      LiveTruth truth(set, settings.k, settings.data.threads);
      AtSize(settings, kind, set, truth, n, lines).run();
    }
  }
}

}  // namespace skerry::bench

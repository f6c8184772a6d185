// build.cc - what does a vector cost to put in, and when is it cheaper to build anew?
//
// The question is an old quarrel: a program that rebuilds its index on every change wants to know
// from which size on inserting pays, and how large a batch may grow before rebuilding wins again.
// So at each size, for each library: the whole index one by one, the whole index as one batch, and
// then a batch of new vectors on top of it, one by one and as one batch. The libraries take turns
// at each size. With several threads also by as many writers at once, each with calls of its own.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "clock.h"
#include "curve.h"
#include "measure.h"
#include "meter.h"
#include "stop.h"

namespace skerry::bench {
namespace {

struct Cost {
  double wall_s = 0;
  double cpu_s = 0;
  double p50_us = 0;
  double p99_us = 0;
};

// Rows [first, first + count), each by a call of its own.
Cost insert_each(Peer& peer, std::size_t first, std::size_t count, const std::string& label) {
  Meter meter("inserting, " + label, count);
  std::vector<float> latencies_us;
  latencies_us.reserve(count);
  const Stopwatch watch;
  double before = wall_seconds();
  for (std::size_t row = first; row < first + count; ++row) {
    check_stop();
    peer.add(row, 1, 1);
    const double after = wall_seconds();
    latencies_us.push_back(static_cast<float>((after - before) * 1e6));
    before = after;
    meter.show(row - first);
  }
  Cost cost{watch.wall(), watch.cpu(), 0, 0};
  cost.p50_us = percentile(latencies_us, 0.5);
  cost.p99_us = percentile(latencies_us, 0.99);
  return cost;
}

Cost insert_batch(Peer& peer, std::size_t first, std::size_t count, unsigned threads) {
  check_stop();
  const Stopwatch watch;
  peer.add(first, count, threads);
  return {watch.wall(), watch.cpu(), 0, 0};
}

// Each row by a call of its own, from so many threads at once.
Cost insert_beside(Peer& peer, std::size_t count, unsigned threads) {
  check_stop();
  const Stopwatch watch;
  peer.add_each(0, count, threads);
  return {watch.wall(), watch.cpu(), 0, 0};
}

Line cost_line(Line line, const Cost& cost, std::size_t count, unsigned threads) {
  line["threads"] = threads;
  line["inserts_per_s"] = rounded(static_cast<double>(count) / cost.wall_s, 1);
  line["inserts_per_cpu_s"] = rounded(static_cast<double>(count) / cost.cpu_s, 1);
  if (cost.p99_us > 0) {
    line["p50_us"] = rounded(cost.p50_us, 1);
    line["p99_us"] = rounded(cost.p99_us, 1);
  }
  return line;
}

// What one library showed at one size.
struct AtSize {
  std::size_t n = 0;
  double rebuild_s = std::numeric_limits<double>::infinity();  // the fastest way
  double insert_s = std::numeric_limits<double>::infinity();   // a vector, the fastest way
};

AtSize measure_size(const Settings& settings, const PeerKind& kind, const Dataset& set,
                    std::size_t n, Lines& lines) {
  AtSize at{n};
  Line head = begin_line("build", kind, set, settings);
  head["n"] = n;
  GraphOptions graph = settings.graph;
  graph.capacity = n + 2 * settings.batch;

  std::unique_ptr<Peer> peer = kind.make(set, graph);
  const auto tell_build = [&](const char* mode, const Cost& cost, unsigned threads) {
    Line line = head;
    line["mode"] = mode;
    line = cost_line(std::move(line), cost, n, threads);
    line["build_s"] = rounded(cost.wall_s, 4);
    line["build_cpu_s"] = rounded(cost.cpu_s, 4);
    line["bytes_per_vector"] =
        rounded(static_cast<double>(peer->bytes()) / static_cast<double>(n), 1);
    lines.write(std::move(line));
    at.rebuild_s = std::min(at.rebuild_s, cost.wall_s);
  };
  tell_build("one_by_one", insert_each(*peer, 0, n, kind.label()), 1);

  const auto tell_insert = [&](const char* mode, const Cost& cost, unsigned threads) {
    Line line = head;
    line["bench"] = "insert";
    line["mode"] = mode;
    line["batch"] = settings.batch;
    line = cost_line(std::move(line), cost, settings.batch, threads);
    line["insert_us"] = rounded(cost.wall_s * 1e6 / static_cast<double>(settings.batch), 1);
    lines.write(std::move(line));
    at.insert_s = std::min(at.insert_s, cost.wall_s / static_cast<double>(settings.batch));
  };
  tell_insert("one_by_one", insert_each(*peer, n, settings.batch, kind.label()), 1);
  tell_insert("batch",
              insert_batch(*peer, n + settings.batch, settings.batch, settings.graph.threads),
              settings.graph.threads);

  for (const unsigned threads : settings.threads) {
    peer = nullptr;  // its memory first
    peer = kind.make(set, graph);
    tell_build("batch", insert_batch(*peer, 0, n, threads), threads);
    if (threads == 1) continue;  // one_by_one
    peer = nullptr;
    peer = kind.make(set, graph);
    tell_build("writers", insert_beside(*peer, n, threads), threads);
  }
  return at;
}

// Building anew takes in the new vectors too: b inserts cost b * insert, a rebuild costs
// (n + b) * rebuild / n. They meet at this b; never (nothing) when a vector costs no more to insert
// than to build.
void tell_crossover(const Settings& settings, const PeerKind& kind, const Dataset& set,
                    const std::vector<AtSize>& sizes, Lines& lines) {
  std::size_t inserting_from = 0;
  bool pays = false;
  for (const AtSize& at : sizes) {
    const double each = at.rebuild_s / static_cast<double>(at.n);
    const double batch_s = at.insert_s * static_cast<double>(settings.batch);
    const double rebuild_s = each * static_cast<double>(at.n + settings.batch);
    const double ratio = rebuild_s / batch_s;
    Line line = begin_line("crossover", kind, set, settings);
    line["n"] = at.n;
    line["batch"] = settings.batch;
    line["rebuild_s"] = rounded(rebuild_s, 4);  // with the batch
    line["insert_batch_s"] = rounded(batch_s, 6);
    line["rebuild_over_insert"] = rounded(ratio, 2);
    if (at.insert_s > each) {
      line["break_even_batch"] =
          rounded(static_cast<double>(at.n) * each / (at.insert_s - each), 0);
    } else {
      line["break_even_batch"] = nullptr;
    }
    lines.write(std::move(line));
    if (ratio <= 1) pays = false;
    if (ratio > 1 && !pays) {
      pays = true;
      inserting_from = at.n;
    }
  }
  Line line = begin_line("crossover_summary", kind, set, settings);
  line.erase("n");
  line["batch"] = settings.batch;
  line["smallest_n"] = sizes.front().n;
  line["largest_n"] = sizes.back().n;
  // From this measured size on, and at all larger ones, inserting the batch beats a rebuild.
  if (pays) {
    line["inserting_pays_from_n"] = inserting_from;
  } else {
    line["inserting_pays_from_n"] = nullptr;
  }
  lines.write(std::move(line));
}

}  // namespace

void measure_build(const Settings& settings, Lines& lines) {
  DataOptions data = settings.data;
  const std::size_t largest = *std::max_element(settings.sizes.begin(), settings.sizes.end());
  if (data.data.empty()) data.limit = largest + 2 * settings.batch;
  const Dataset set = load_dataset(data);
  const std::vector<PeerKind> kinds = present_peers("build", settings, lines);
  std::vector<std::vector<AtSize>> sizes(kinds.size());
  for (const std::size_t n : settings.sizes) {
    if (n == 0 || n + 2 * settings.batch > set.base.rows) {
      throw std::runtime_error(
          fmt::format("--sizes {}: with two batches of {} that is more than "
                      "the {} rows of {}",
                      n, settings.batch, set.base.rows, set.name));
    }
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      sizes[i].push_back(measure_size(settings, kinds[i], set, n, lines));
    }
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    tell_crossover(settings, kinds[i], set, sizes[i], lines);
  }
}

}  // namespace skerry::bench

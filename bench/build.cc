// build.cc - what does a vector cost to put in, while an index grows and when it has grown?
//
// At each size, for each library: the whole index one by one, the whole index as one batch, and
// then a batch of new vectors on top of it, one by one and as one batch. The libraries take turns
// at each size. With several threads also by as many writers at once, each with calls of its own.
// Whether it is cheaper to build anew is crossover.cc's question.
#include <fmt/format.h>

#include <algorithm>

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

void measure_size(const Settings& settings, const PeerKind& kind, const Dataset& set, std::size_t n,
                  Lines& lines) {
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
    if (const auto picked = peer->picked()) line["picked"] = name_of(*picked);
    line["bytes_per_vector"] =
        rounded(static_cast<double>(peer->bytes()) / static_cast<double>(n), 1);
    lines.write(std::move(line));
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
}

}  // namespace

void measure_build(const Settings& settings, Lines& lines) {
  DataOptions data = settings.data;
  const std::size_t largest = *std::max_element(settings.sizes.begin(), settings.sizes.end());
  if (data.data.empty()) data.limit = largest + 2 * settings.batch;
  const Dataset set = load_dataset(data);
  const std::vector<PeerKind> kinds = present_peers("build", settings, lines);
  for (const std::size_t n : settings.sizes) {
    if (n == 0 || n + 2 * settings.batch > set.base.rows) {
      throw std::runtime_error(
          fmt::format("--sizes {}: with two batches of {} that is more than "
                      "the {} rows of {}",
                      n, settings.batch, set.base.rows, set.name));
    }
    for (const PeerKind& kind : kinds) measure_size(settings, kind, set, n, lines);
  }
}

}  // namespace skerry::bench

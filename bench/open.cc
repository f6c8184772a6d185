// open.cc - how soon after opening is the first answer there?
//
// Three ways home: with a saved image; with an image and a log of changes after it, left by a
// process that ended without closing; and without an image, rebuilt from the store. Every opening
// is in a process of its own. The files are in the system's cache: this is a restart of the
// program, not of the machine. Peers load, and map where they can, the file that they saved: it
// holds no log, and nobody checks it.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "child.h"
#include "clock.h"
#include "curve.h"
#include "durable_store.h"
#include "measure.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

// The clock of one opening: until it is open, until the first answer, and of the answers after it.
template <class Open, class Search>
Line timed_open(const PeerKind& kind, const Dataset& set, const Settings& settings, Open open,
                Search search) {
  const double start = wall_seconds();
  open();
  const double opened = wall_seconds();
  search(0);
  const double answered = wall_seconds();
  std::vector<float> latencies_us;
  double before = answered;
  for (std::size_t query = 1; query < std::min<std::size_t>(set.queries.rows, 200); ++query) {
    search(query);
    const double after = wall_seconds();
    latencies_us.push_back(static_cast<float>((after - before) * 1e6));
    before = after;
  }
  Line line = begin_line("open", kind, set, settings);
  line["open_ms"] = rounded((opened - start) * 1e3, 3);
  line["first_query_ms"] = rounded((answered - opened) * 1e3, 3);
  line["p50_us"] = rounded(percentile(latencies_us, 0.5), 1);
  return line;
}

Line open_database(const Settings& settings, const PeerKind& kind, const Dataset& set,
                   const std::filesystem::path& folder, bool use_images) {
  std::vector<Hit> hits(settings.k);
  DurableStore* store = nullptr;
  Line line = timed_open(
      kind, set, settings,
      // Never destroyed: closing would save an image, and the next opening would find another
      // database.
      [&] {
        store = new DurableStore(folder, kind, set, settings.graph, Durability::commit, use_images);
      },
      [&](std::size_t query) { store->search(query, hits); });
  const CollectionStats stats = store->collection_stats();
  line["opened"] = name_of(stats.opened);
  line["replayed"] = stats.replayed;
  return line;
}

Line open_file(const Settings& settings, const PeerKind& kind, const Dataset& set,
               const std::string& file, bool mapped) {
  GraphOptions graph = settings.graph;
  graph.capacity = 1;  // of the empty index that the file's takes the place of
  const std::unique_ptr<Peer> peer = kind.make(set, graph);
  std::vector<Key> keys(settings.k);
  Line line = timed_open(
      kind, set, settings, [&] { peer->open(file, mapped); },
      [&](std::size_t query) { peer->search(query, 0, keys); });
  line["opened"] = mapped ? "mapped" : "loaded";
  return line;
}

// Builds the peer, saves it, and says in which ways it can be opened: loaded (false), mapped
// (true).
std::vector<bool> can_open(const Settings& settings, const PeerKind& kind, const Dataset& set,
                           const std::string& file) {
  const std::vector<Line> answers = in_child([&] {
    GraphOptions graph = settings.graph;
    graph.capacity = set.base.rows;
    const std::unique_ptr<Peer> peer = kind.make(set, graph);
    peer->add(0, set.base.rows, settings.build_threads);
    Line answer;
    answer["loaded"] = peer->save(file) && peer->open(file, false);
    answer["mapped"] = answer["loaded"].get<bool>() && peer->open(file, true);
    return std::vector<Line>{answer};
  });
  std::vector<bool> ways;
  if (answers[0]["loaded"].get<bool>()) ways.push_back(false);
  if (answers[0]["mapped"].get<bool>()) ways.push_back(true);
  return ways;
}

// The line of the run whose opening took the median time.
Line median_line(std::vector<Line> runs) {
  std::sort(runs.begin(), runs.end(), [](const Line& a, const Line& b) {
    return a["open_ms"].get<double>() < b["open_ms"].get<double>();
  });
  Line line = runs[runs.size() / 2];
  line["runs"] = runs.size();
  return line;
}

}  // namespace

void measure_open(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  const std::size_t n = set.base.rows;
  const std::size_t logged = std::max<std::size_t>(1, n / 100);
  for (const PeerKind& kind : present_peers("open", settings, lines)) {
    const TemporaryFolder folder(settings.folder);
    const auto open_runs = [&](std::uint32_t runs, const std::function<Line()>& open) {
      std::vector<Line> found;
      for (std::uint32_t run = 0; run < runs; ++run) {
        for (Line& line : in_child([&] { return std::vector<Line>{open()}; })) {
          found.push_back(std::move(line));
        }
      }
      lines.write(median_line(std::move(found)));
    };
    if (kind.impl != "skerry") {
      const std::string file = folder.path() / "index";
      for (const bool mapped : can_open(settings, kind, set, file)) {
        open_runs(settings.runs, [&] { return open_file(settings, kind, set, file, mapped); });
      }
      continue;
    }
    const auto fill = [&](std::size_t first, std::size_t limit, bool close) {
      return [&, first, limit, close] {
        auto store = std::make_unique<DurableStore>(folder.path(), kind, set, settings.graph,
                                                    Durability::commit);
        constexpr std::size_t kBatch = 4096;
        for (std::size_t row = first; row < limit; row += kBatch) {
          store->upsert(row, std::min(kBatch, limit - row), settings.build_threads);
        }
        if (close) {
          store->close();
        } else {
          store.release();  // left as a process leaves it that is killed
        }
        return std::vector<Line>{};
      };
    };
    const auto open_all = [&](std::uint32_t runs, bool use_images) {
      open_runs(runs,
                [&] { return open_database(settings, kind, set, folder.path(), use_images); });
    };
    in_child(fill(0, n, true));
    open_all(settings.runs, true);
    in_child(fill(0, logged, false));  // the same rows again: changes, and no goodbye
    open_all(settings.runs, true);
    open_all(1, false);
  }
}

}  // namespace skerry::bench

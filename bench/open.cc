// open.cc - how soon after opening is the first answer there?
//
// Three ways home: with a saved image; with an image and a log of changes after it, left by a
// process that ended without closing; and without an image, rebuilt from the store. Every opening
// is in a process of its own. The files are in the system's cache: this is a restart of the
// program, not of the machine.
#include <fmt/format.h>

#include <algorithm>

#include "child.h"
#include "clock.h"
#include "curve.h"
#include "durable_store.h"
#include "measure.h"

namespace skerry::bench {
namespace {

Line open_once(const Settings& settings, const PeerKind& kind, const Dataset& set,
               const std::filesystem::path& folder, bool use_images) {
  std::vector<Hit> hits(settings.k);
  const double start = wall_seconds();
  // Never destroyed: closing would save an image, and the next opening would find another database.
  auto& store = *new DurableStore(folder, kind, set, settings, Durability::commit, use_images);
  const double opened = wall_seconds();
  store.search(0, hits);
  const double answered = wall_seconds();
  std::vector<float> latencies_us;
  double before = answered;
  for (std::size_t query = 1; query < std::min<std::size_t>(set.queries.rows, 200); ++query) {
    store.search(query, hits);
    const double after = wall_seconds();
    latencies_us.push_back(static_cast<float>((after - before) * 1e6));
    before = after;
  }
  const CollectionStats stats = store.collection_stats();
  Line line = begin_line("open", kind, set, settings);
  line["opened"] = name_of(stats.opened);
  line["replayed"] = stats.replayed;
  line["open_ms"] = rounded((opened - start) * 1e3, 3);
  line["first_query_us"] = rounded((answered - opened) * 1e6, 1);
  line["p50_us"] = rounded(percentile(latencies_us, 0.5), 1);
  return line;
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
    if (kind.impl != "skerry") continue;
    const TemporaryFolder folder(settings.folder);
    const auto fill = [&](std::size_t first, std::size_t limit, bool close) {
      return [&, first, limit, close] {
        auto store =
            std::make_unique<DurableStore>(folder.path(), kind, set, settings, Durability::commit);
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
      std::vector<Line> found;
      for (std::uint32_t run = 0; run < runs; ++run) {
        for (Line& line : in_child([&] {
               return std::vector<Line>{open_once(settings, kind, set, folder.path(), use_images)};
             })) {
          found.push_back(std::move(line));
        }
      }
      lines.write(median_line(std::move(found)));
    };
    in_child(fill(0, n, true));
    open_all(settings.runs, true);
    in_child(fill(0, logged, false));  // the same rows again: changes, and no goodbye
    open_all(settings.runs, true);
    open_all(1, false);
  }
}

}  // namespace skerry::bench

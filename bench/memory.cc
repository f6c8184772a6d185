// memory.cc - how much memory and disk does a vector take?
//
// Each library is built in a process of its own, and its resident memory is taken before and after;
// the library's own account stands beside it. Copies that the benchmark makes to feed it are taken
// off. Scratch memory of searches is in: a few are made before the second look.
#include <algorithm>
#include <filesystem>

#include "child.h"
#include "durable_store.h"
#include "measure.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

double a_vector(std::uint64_t bytes, std::size_t n) {
  return rounded(static_cast<double>(bytes) / static_cast<double>(n), 1);
}

void put_resident(Line& line, const Resident& before, const Resident& after, std::uint64_t feed,
                  std::size_t n) {
  const auto less = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
  const std::uint64_t anonymous = less(after.anonymous, before.anonymous + feed);
  const std::uint64_t file = less(after.file, before.file);
  line["rss_bytes_per_vector"] = a_vector(anonymous + file, n);
  line["rss_anon_bytes_per_vector"] = a_vector(anonymous, n);
  line["rss_file_bytes_per_vector"] = a_vector(file, n);
}

Line index_line(const Settings& settings, const PeerKind& kind, const Dataset& set) {
  const std::size_t n = set.base.rows;
  GraphOptions graph = settings.graph;
  graph.capacity = n;
  const Resident before = resident();
  const std::unique_ptr<Peer> peer = kind.make(set, graph);
  peer->add(0, n, settings.build_threads);
  peer->set_ef(std::max(settings.k, 100u));
  std::vector<Key> keys(settings.k);
  for (std::size_t query = 0; query < std::min<std::size_t>(set.queries.rows, 100); ++query) {
    peer->search(query, 0, keys);
  }
  Line line = begin_line("memory", kind, set, settings);
  line["what"] = "index";
  line["bytes_per_vector"] = a_vector(peer->bytes(), n);
  put_resident(line, before, resident(), peer->feed_bytes(), n);
  return line;
}

Line database_line(const Settings& settings, const PeerKind& kind, const Dataset& set,
                   const std::filesystem::path& folder) {
  const std::size_t n = set.base.rows;
  const Resident before = resident();
  DurableStore store(folder, kind, set, settings.graph, Durability::commit);
  constexpr std::size_t kBatch = 256;  // LMDB keeps the pages of its largest commit
  for (std::size_t row = 0; row < n; row += kBatch) {
    store.upsert(row, std::min(kBatch, n - row), settings.build_threads);
  }
  store.save_images();
  Line line = begin_line("memory", kind, set, settings);
  line["what"] = "database";
  line["bytes_per_vector"] = a_vector(store.index_bytes(), n);
  put_resident(line, before, resident(), 0, n);
  const DatabaseStats stats = store.stats();
  const IndexOptions options = kind.index_options(set, settings.graph);
  line["raw_bytes_per_vector"] = vector_bytes(options.scalar, options.dimension);
  line["store_disk_bytes_per_vector"] = a_vector(stats.store_disk_bytes, n);
  line["image_disk_bytes_per_vector"] = a_vector(stats.image_disk_bytes, n);
  line["disk_bytes_per_vector"] = a_vector(stats.store_disk_bytes + stats.image_disk_bytes, n);
  return line;
}

}  // namespace

void measure_memory(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  for (const PeerKind& kind : present_peers("memory", settings, lines)) {
    for (Line& line :
         in_child([&] { return std::vector<Line>{index_line(settings, kind, set)}; })) {
      lines.write(std::move(line));
    }
    if (kind.impl != "skerry") continue;
    const TemporaryFolder folder(settings.folder);
    for (Line& line : in_child([&] {
           return std::vector<Line>{database_line(settings, kind, set, folder.path())};
         })) {
      lines.write(std::move(line));
    }
  }
}

}  // namespace skerry::bench

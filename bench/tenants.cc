// tenants.cc - what do very many small collections cost, and a large one beside them?
//
// One database is made and filled, then opened again in a process of its own, so that everything is
// cold to the library (the system's cache is not): the time to open it; a search of a collection
// that nobody has opened yet, handle and all, beside one that is in memory; what every collection
// holds in memory once it was searched and left alone, its handle kept; and the searches of the
// large collection before and after. At last a thousand collections are dropped, one commit each,
// the rest without syncs, and the store compacted.
//
// Vectors are generated; a collection's are other rows of the same block. The memory that is told
// is anonymous: pages of the store that the system keeps are not counted.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "child.h"
#include "clock.h"
#include "curve.h"
#include "durable_store.h"
#include "generate.h"
#include "measure.h"
#include "meter.h"
#include "must.h"
#include "skerry/database.h"
#include "skerry/version.h"
#include "stop.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

constexpr std::size_t kBlockRows = 20'000;
constexpr std::size_t kSample = 1000;  // searches of a kind, drops of a kind
constexpr const char* kLarge = "large";

Database open(const std::filesystem::path& folder, Durability durability) {
  return must(Database::open(folder, {.durability = durability}));
}

std::string name_of_tenant(std::size_t tenant) {
  return fmt::format("tenant-{:08}", tenant);
}

// What every part of the measurement is told.
struct Subject {
  const Settings& settings;
  const Matrix& block;
  const Matrix& queries;
  std::filesystem::path folder;

  CollectionOptions options() const {
    return {.index = {.dimension = static_cast<std::uint32_t>(block.dimension),
                      .metric = Metric::cosine}};
  }

  Line line(const char* what) const {
    Line line;
    line["bench"] = "tenants";
    line["impl"] = "skerry";
    line["scalar"] = "f32";
    line["codes"] = "exact";
    line["data"] = "lid24-384";
    line["n"] = settings.tenants;
    line["each"] = settings.each;
    line["d"] = block.dimension;
    line["metric"] = name_of(Metric::cosine);
    line["M"] = options().index.M;
    line["ef_construction"] = options().index.ef_construction;
    line["beside"] = settings.beside;
    line["commit"] = build_commit();
    line["target"] = target();
    line["what"] = what;
    return line;
  }

  // A thousand tenants, or all, drawn evenly.
  std::vector<std::size_t> some(std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::vector<std::size_t> drawn(std::min(kSample, settings.tenants));
    for (std::size_t& tenant : drawn) tenant = random() % settings.tenants;
    return drawn;
  }
};

double a_second(std::size_t count, double seconds) {
  return rounded(static_cast<double>(count) / seconds, 1);
}

void put_latencies(Line& line, std::vector<float> us) {
  line["p50_us"] = rounded(percentile(us, 0.5), 1);
  line["p99_us"] = rounded(percentile(us, 0.99), 1);
}

// Of calling `work` with each.
template <class Each, class Work>
std::vector<float> latencies_us(const Each& each, Work work) {
  std::vector<float> us;
  for (const auto& one : each) {
    const double before = wall_seconds();
    work(one);
    us.push_back(static_cast<float>((wall_seconds() - before) * 1e6));
  }
  return us;
}

// One by one, each its own commit; then as many as are asked for in one.
std::vector<Line> make_collections(const Subject& subject) {
  std::vector<Line> lines;
  const std::size_t n = subject.settings.tenants;
  for (const Durability durability : {Durability::commit, Durability::none}) {
    const TemporaryFolder folder(subject.settings.folder);
    Database database = open(folder.path(), durability);
    const std::size_t count = std::min(n, 10 * kSample);
    const double before = wall_seconds();
    for (std::size_t i = 0; i < count; ++i) {
      check_stop();
      check(database.create(name_of_tenant(i), subject.options()).status());
    }
    Line line = subject.line("create");
    line["durability"] = durability == Durability::commit ? "commit" : "none";
    line["collections_a_commit"] = 1;
    line["collections_per_s"] = a_second(count, wall_seconds() - before);
    lines.push_back(std::move(line));
  }
  Database database = open(subject.folder, Durability::commit);
  std::vector<std::string> names(n);
  for (std::size_t i = 0; i < n; ++i) names[i] = name_of_tenant(i);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const double before = wall_seconds();
  check(database.create(views, subject.options()));
  Line line = subject.line("create");
  line["durability"] = "commit";
  line["collections_a_commit"] = n;
  line["collections_per_s"] = a_second(n, wall_seconds() - before);
  lines.push_back(std::move(line));
  return lines;
}

std::vector<Line> fill(const Subject& subject) {
  const std::size_t n = subject.settings.tenants;
  const std::size_t each = subject.settings.each;
  Database database = open(subject.folder, Durability::none);
  const Resident empty = resident();
  if (subject.settings.beside != 0) {
    Collection large = must(database.create(kLarge, subject.options()));
    Meter meter("filling the large one", subject.settings.beside);
    std::vector<Key> keys;
    for (std::size_t row = 0; row < subject.settings.beside; row += keys.size()) {
      check_stop();
      meter.show(row);
      keys.resize(std::min(kBlockRows, subject.settings.beside - row));
      std::iota(keys.begin(), keys.end(), Key{row});
      check(large.upsert(
          keys,
          MatrixView(subject.block.row(row), Scalar::f32, keys.size(), subject.block.dimension), {},
          {.threads = 0}));
    }
  }
  std::vector<Key> keys(each);
  std::iota(keys.begin(), keys.end(), Key{0});
  Meter meter("filling", n);
  const double before = wall_seconds();
  for (std::size_t i = 0; i < n; ++i) {
    check_stop();
    meter.show(i);
    Collection tenant = must(database.open_collection(name_of_tenant(i)));
    const std::size_t row = i * each % (kBlockRows - each);
    check(tenant.upsert(
        keys, MatrixView(subject.block.row(row), Scalar::f32, each, subject.block.dimension)));
  }
  check(database.sync());
  Line line = subject.line("fill");
  line["collections_per_s"] = a_second(n, wall_seconds() - before);
  const std::uint64_t bytes =
      resident().anonymous - std::min(resident().anonymous, empty.anonymous);
  line["memory_mb"] = rounded(static_cast<double>(bytes) / 1e6, 1);
  const DatabaseStats stats = must(database.stats());
  line["store_bytes_per_vector"] =
      rounded(static_cast<double>(stats.store_used_bytes) / static_cast<double>(n * each), 1);
  const double closing = wall_seconds();
  check(database.close());
  line["close_ms"] = rounded((wall_seconds() - closing) * 1e3, 1);
  return {line};
}

std::vector<Line> use(const Subject& subject) {
  std::vector<Line> lines;
  const std::size_t n = subject.settings.tenants;
  std::vector<Hit> hits(subject.settings.k);
  std::size_t asked = 0;
  const auto query = [&] { return subject.queries.span(asked++ % subject.queries.rows); };

  double before = wall_seconds();
  Database database = open(subject.folder, Durability::commit);
  Line opened = subject.line("open");
  opened["open_ms"] = rounded((wall_seconds() - before) * 1e3, 3);
  before = wall_seconds();
  const std::size_t found = must(database.collections()).size();
  opened["list_with_counts_ms"] = rounded((wall_seconds() - before) * 1e3, 3);
  must(database.stats());  // walks a large store, once
  before = wall_seconds();
  if (must(database.stats()).collections != found) throw std::runtime_error("collections are lost");
  opened["stats_us"] = rounded((wall_seconds() - before) * 1e6, 1);
  lines.push_back(std::move(opened));

  std::unique_ptr<Collection> large;
  const auto ask_large = [&](const char* when) {
    if (subject.settings.beside == 0) return;
    if (!large) large = std::make_unique<Collection>(must(database.open_collection(kLarge)));
    const std::vector<int> times(5000);
    const auto search = [&](int) { check(large->search(query(), hits).status()); };
    latencies_us(times, search);
    Line line = subject.line("large");
    line["when"] = when;
    put_latencies(line, latencies_us(times, search));
    lines.push_back(std::move(line));
  };
  ask_large("alone");

  const Resident untouched = resident();
  const auto some = subject.some(1);
  Line cold = subject.line("search");
  cold["collection"] = "not opened yet";
  put_latencies(cold, latencies_us(some, [&](std::size_t tenant) {
                  const Collection one = must(database.open_collection(name_of_tenant(tenant)));
                  check(one.search(query(), hits).status());
                }));
  lines.push_back(std::move(cold));

  // Everybody once, and then nobody.
  std::vector<Collection> handles;
  handles.reserve(n);
  const std::uint64_t room = n * sizeof(Collection);
  before = wall_seconds();
  for (std::size_t i = 0; i < n; ++i) {
    check_stop();
    handles.push_back(must(database.open_collection(name_of_tenant(i))));
    check(handles.back().search(query(), hits).status());
  }
  Line idle = subject.line("idle");
  idle["opened_and_searched_per_s"] = a_second(n, wall_seconds() - before);
  const std::uint64_t bytes =
      resident().anonymous - std::min(resident().anonymous, untouched.anonymous);
  idle["bytes_per_collection"] =
      rounded(static_cast<double>(bytes - std::min(bytes, room)) / static_cast<double>(n), 1);
  lines.push_back(std::move(idle));

  // Those of the sample were put away when there are more than are kept.
  Line away = subject.line("search");
  away["collection"] = "opened, idle";
  put_latencies(away, latencies_us(subject.some(2), [&](std::size_t tenant) {
                  check(handles[tenant].search(query(), hits).status());
                }));
  lines.push_back(std::move(away));
  auto few = subject.some(3);
  few.resize(std::min<std::size_t>(few.size(), 100));  // fewer than are kept
  const auto ask = [&](std::size_t tenant) {
    check(handles[tenant].search(query(), hits).status());
  };
  latencies_us(few, ask);
  Line warm = subject.line("search");
  warm["collection"] = "in use";
  put_latencies(warm, latencies_us(few, ask));
  lines.push_back(std::move(warm));
  ask_large("beside them");
  return lines;
}

std::vector<Line> drop(const Subject& subject) {
  std::vector<Line> lines;
  const std::size_t n = subject.settings.tenants;
  std::size_t next = 0;
  for (const Durability durability : {Durability::commit, Durability::none}) {
    Database database = open(subject.folder, durability);
    const std::uint64_t used = must(database.stats()).store_used_bytes;
    const std::size_t first = next;
    const std::size_t limit = durability == Durability::commit ? std::min(kSample, n / 2) : n;
    const double before = wall_seconds();
    for (; next < limit; ++next) {
      check_stop();
      check(database.drop(name_of_tenant(next)));
    }
    check(database.sync());
    Line line = subject.line("drop");
    line["durability"] = durability == Durability::commit ? "commit" : "none";
    line["collections_per_s"] = a_second(next - first, wall_seconds() - before);
    const DatabaseStats stats = must(database.stats());
    const double raw = static_cast<double>((next - first) * subject.settings.each) *
                       static_cast<double>(vector_bytes(Scalar::f32, subject.block.dimension));
    line["returned_to_raw"] =
        rounded(static_cast<double>(used - std::min(used, stats.store_used_bytes)) / raw, 3);
    if (next == n) {
      line["file_mb"] = rounded(static_cast<double>(stats.store_file_bytes) / 1e6, 1);
      check(database.compact());
      line["compacted_mb"] =
          rounded(static_cast<double>(must(database.stats()).store_file_bytes) / 1e6, 1);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

void measure_tenants(const Settings& settings, Lines& lines) {
  const ClusterSet set;
  const Matrix block =
      generate(set, Stream::base, std::max(kBlockRows, settings.beside), settings.data.threads);
  const Matrix queries = generate(set, Stream::queries, kSample, settings.data.threads);
  const TemporaryFolder folder(settings.folder);
  const Subject subject{settings, block, queries, folder.path()};
  for (const auto part : {make_collections, fill, use, drop}) {
    for (Line& line : in_child([&] { return part(subject); })) lines.write(std::move(line));
  }
}

}  // namespace skerry::bench

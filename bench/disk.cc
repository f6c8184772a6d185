// disk.cc - how much disk does a vector take, new and old?
//
// For each dimension a database is filled in the order of the keys, and another one in random
// order; that one then lives: a third of the keys get other vectors, a third is removed and put
// back; and at last every vector is replaced, again and again. There is no graph and no image: the
// store alone is looked at. What the vectors hold does not matter to it. (With Durability::none the
// file would also hold what was there at the last sync.)
#include <algorithm>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "clock.h"
#include "durable_store.h"
#include "measure.h"
#include "must.h"
#include "skerry/database.h"
#include "stop.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

constexpr std::size_t kBytesMax = 128 << 20;  // of vectors

// A database that is filled and changed, in commits of `batch`.
class DiskSubject {
 public:
  DiskSubject(const std::filesystem::path& folder, std::uint32_t dimension, std::size_t batch)
      : database_(must(
            Database::open(folder, {.durability = Durability::interval, .use_images = false}))),
        collection_(must(database_.create(
            "bench", {.index = {.dimension = dimension, .flat_below = ~std::uint32_t{0}}}))),
        dimension_(dimension),
        batch_(batch),
        vectors_(batch * dimension, 0.5F) {}

  void upsert(std::span<const Key> keys) {
    for (std::size_t at = 0; at < keys.size(); at += batch_) {
      check_stop();
      const auto part = keys.subspan(at, std::min(batch_, keys.size() - at));
      for (std::size_t i = 0; i < part.size(); ++i) vectors_[i * dimension_] = ++stamp_;
      check(collection_.upsert(part,
                               MatrixView(vectors_.data(), Scalar::f32, part.size(), dimension_)));
    }
    settle();
  }
  void remove(std::span<const Key> keys) {
    for (std::size_t at = 0; at < keys.size(); at += batch_) {
      check_stop();
      check(collection_.remove(keys.subspan(at, std::min(batch_, keys.size() - at))).status());
    }
    settle();
  }

  DatabaseStats stats() const { return must(database_.stats()); }

 private:
  // The log is for images; without one it goes when one would be saved.
  void settle() { check(database_.checkpoint()); }

  Database database_;
  Collection collection_;
  std::size_t dimension_;
  std::size_t batch_;
  std::vector<float> vectors_;
  float stamp_ = 0;
};

void shuffle(std::vector<Key>& keys, std::mt19937_64& random) {
  for (std::size_t i = keys.size() - 1; i > 0; --i) std::swap(keys[i], keys[random() % (i + 1)]);
}

void measure_dimension(const Settings& settings, std::uint32_t dimension, std::size_t batch,
                       Lines& lines) {
  const std::size_t raw = vector_bytes(Scalar::f32, dimension);
  const std::size_t n = std::min(settings.rows, kBytesMax / raw);
  double first_load = 0;
  const auto write = [&](const char* what, const DiskSubject& subject, double seconds) {
    const DatabaseStats stats = subject.stats();
    const double disk = static_cast<double>(stats.store_disk_bytes) / static_cast<double>(n);
    if (first_load == 0) first_load = disk;
    Line line;
    line["bench"] = "disk";
    line["impl"] = "skerry";
    line["scalar"] = "f32";
    line["n"] = n;
    line["d"] = dimension;
    line["commit"] = build_commit();
    line["what"] = what;
    line["batch"] = batch;
    line["raw_bytes_per_vector"] = raw;
    line["used_bytes_per_vector"] =
        rounded(static_cast<double>(stats.store_used_bytes) / static_cast<double>(n), 1);
    line["disk_bytes_per_vector"] = rounded(disk, 1);
    line["ratio_to_raw"] = rounded(disk / static_cast<double>(raw), 3);
    line["ratio_to_load"] = rounded(disk / first_load, 3);
    line["seconds"] = rounded(seconds, 3);
    lines.write(std::move(line));
  };
  const auto timed = [&](auto&& work) {
    const double before = wall_seconds();
    work();
    return wall_seconds() - before;
  };

  std::vector<Key> keys(n);
  std::iota(keys.begin(), keys.end(), Key{0});
  {
    const TemporaryFolder folder(settings.folder);
    DiskSubject subject(folder.path(), dimension, batch);
    write("load", subject, timed([&] { subject.upsert(keys); }));
  }
  const TemporaryFolder folder(settings.folder);
  DiskSubject subject(folder.path(), dimension, batch);
  std::mt19937_64 random(1);
  shuffle(keys, random);
  write("random_load", subject, timed([&] { subject.upsert(keys); }));
  const auto live = [&] {
    shuffle(keys, random);
    const std::span<const Key> all = keys;
    subject.upsert(all.first(n / 3));
    subject.remove(all.subspan(n / 3, n / 3));
    subject.upsert(all.subspan(n / 3, n / 3));
  };
  write("life", subject, timed(live));
  const auto turn_over = [&] {
    for (std::uint32_t i = 0; i < settings.turnovers; ++i) {
      shuffle(keys, random);
      subject.upsert(keys);
    }
  };
  write("turnovers", subject, timed(turn_over));
}

}  // namespace

void measure_disk(const Settings& settings, Lines& lines) {
  for (const std::size_t batch : settings.batches) {
    if (batch == 0) throw std::runtime_error("--batches: a commit has at least one change");
    for (const std::uint32_t dimension : settings.dimensions) {
      measure_dimension(settings, dimension, batch, lines);
    }
  }
}

}  // namespace skerry::bench

// durable.cc - how many vectors a second survive a power failure?
//
// For each batch size and number of writers a fresh database takes commits of that many upserts
// until the time is up or the data ends; beside it LMDB alone stores the same bytes in the same
// batches: what the disk and the store cost without an index. They take turns. With --updates all
// keys are present beforehand, and each gets another's vector, in random order.
#include <fmt/format.h>
#include <lmdb.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>

#include "clock.h"
#include "curve.h"
#include "durable_store.h"
#include "measure.h"
#include "stop.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

// Something that keeps rows on a disk.
class Store {
 public:
  virtual ~Store() = default;
  // The vectors [first, first + count) under their keys, in one commit; from any thread.
  virtual void upsert(std::size_t first, std::size_t count) = 0;
  // Keys[i] is the key of vector i from now on.
  virtual void set_keys(const std::vector<Key>& keys) = 0;
};

class Skerry final : public Store {
 public:
  Skerry(const std::filesystem::path& folder, const PeerKind& kind, const Dataset& set,
         const Settings& settings, Durability durability)
      : store_(folder, kind, set, settings.graph, durability), threads_(settings.build_threads) {}

  void upsert(std::size_t first, std::size_t count) override {
    store_.upsert(first, count, threads_);
  }
  void set_keys(const std::vector<Key>& keys) override { store_.set_keys(keys); }

 private:
  DurableStore store_;
  unsigned threads_;
};

// LMDB's own calls, nothing around them: eight bytes of key, the row's bytes as the value.
class Lmdb final : public Store {
 public:
  Lmdb(const std::filesystem::path& folder, const Dataset& set, Durability durability) : set_(set) {
    check(mdb_env_create(&env_));
    const std::size_t bytes = set.base.values.size() * sizeof(float);
    check(mdb_env_set_mapsize(env_, 4 * bytes + (std::size_t{1} << 28)));
    check(mdb_env_open(env_, folder.c_str(), durability == Durability::commit ? 0 : MDB_NOSYNC,
                       0644));
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    check(mdb_dbi_open(txn, nullptr, MDB_INTEGERKEY, &table_));
    check(mdb_txn_commit(txn));
    for (std::size_t row = 0; row < set.base.rows; ++row) keys_.push_back(row);
  }
  ~Lmdb() override { mdb_env_close(env_); }

  void upsert(std::size_t first, std::size_t count) override {
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn));
    for (std::size_t row = first; row < first + count; ++row) {
      Key key = keys_[row];
      MDB_val name{sizeof(key), &key};
      MDB_val value{set_.base.dimension * sizeof(float),
                    const_cast<float*>(set_.base.row(row))};  // LMDB only reads it
      const int code = mdb_put(txn, table_, &name, &value, 0);
      if (code != 0) {
        mdb_txn_abort(txn);
        check(code);
      }
    }
    check(mdb_txn_commit(txn));
  }
  void set_keys(const std::vector<Key>& keys) override { keys_ = keys; }

 private:
  static void check(int code) {
    if (code != 0) throw std::runtime_error(fmt::format("lmdb: {}", mdb_strerror(code)));
  }

  const Dataset& set_;
  std::vector<Key> keys_;
  MDB_env* env_ = nullptr;
  MDB_dbi table_ = 0;
};

struct CommitSpeed {
  double upserts_per_s = 0, commits_per_s = 0, p50_us = 0, p99_us = 0;
};

// Each writer takes the next `batch` rows, until there are none or the time is up.
CommitSpeed write(Store& store, std::size_t first, std::size_t rows, std::size_t batch,
                  unsigned writers, double seconds) {
  std::atomic<std::size_t> next{first};
  std::vector<std::vector<float>> latencies(writers);
  std::exception_ptr failure;
  std::mutex failure_lock;
  const double start = wall_seconds();
  const auto loop = [&](unsigned writer) {
    try {
      for (double before = start; before - start < seconds && !stop_asked();) {
        const std::size_t row = next.fetch_add(batch);
        if (row + batch > rows) return;
        before = wall_seconds();
        store.upsert(row, batch);
        const double after = wall_seconds();
        latencies[writer].push_back(static_cast<float>((after - before) * 1e6));
        before = after;
      }
    } catch (...) {
      const std::lock_guard lock(failure_lock);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (unsigned writer = 1; writer < writers; ++writer) others.emplace_back(loop, writer);
  loop(0);
  for (std::thread& other : others) other.join();
  const double wall = wall_seconds() - start;
  if (failure) std::rethrow_exception(failure);
  check_stop();
  std::vector<float> all;
  for (const auto& part : latencies) all.insert(all.end(), part.begin(), part.end());
  const auto commits = static_cast<double>(all.size());
  return {commits * static_cast<double>(batch) / wall, commits / wall, percentile(all, 0.5),
          percentile(all, 0.99)};
}

// Everybody's key, in an order that is random and the same in every run.
std::vector<Key> shuffled_keys(std::size_t rows) {
  std::vector<Key> keys(rows);
  std::iota(keys.begin(), keys.end(), Key{0});
  std::mt19937_64 random(1);
  for (std::size_t i = rows - 1; i > 0; --i) std::swap(keys[i], keys[random() % (i + 1)]);
  return keys;
}

struct DurableContestant {
  PeerKind kind;
  std::vector<CommitSpeed> runs;

  double middle(double CommitSpeed::*field) const {
    std::vector<double> values;
    for (const CommitSpeed& run : runs) values.push_back(run.*field);
    return median(std::move(values));
  }
};

void measure_point(const Settings& settings, const Dataset& set, Durability durability,
                   std::size_t batch, unsigned writers, std::size_t prefill,
                   std::vector<DurableContestant> contestants, Lines& lines) {
  for (std::uint32_t run = 0; run < settings.runs; ++run) {
    for (DurableContestant& contestant : contestants) {
      const TemporaryFolder folder(settings.folder);
      std::unique_ptr<Store> store;
      if (contestant.kind.impl == "lmdb") {
        store = std::make_unique<Lmdb>(folder.path(), set, durability);
      } else {
        store = std::make_unique<Skerry>(folder.path(), contestant.kind, set, settings, durability);
      }
      if (prefill != 0) store->upsert(0, prefill);
      if (settings.updates) store->set_keys(shuffled_keys(set.base.rows));
      contestant.runs.push_back(write(*store, settings.updates ? 0 : prefill, set.base.rows, batch,
                                      writers, settings.seconds));
    }
  }
  const double lmdb = contestants.back().middle(&CommitSpeed::upserts_per_s);
  for (const DurableContestant& contestant : contestants) {
    Line line = begin_line("durable", contestant.kind, set, settings);
    line["durability"] = name_of(durability);
    line["what"] = settings.updates ? "update" : "insert";
    line["batch"] = batch;
    line["writers"] = writers;
    line["threads"] = settings.build_threads;
    line["prefill"] = prefill;
    line["upserts_per_s"] = rounded(contestant.middle(&CommitSpeed::upserts_per_s), 1);
    if (contestant.kind.impl != "lmdb" && lmdb > 0) {
      line["ratio_to_lmdb"] = rounded(contestant.middle(&CommitSpeed::upserts_per_s) / lmdb, 3);
    }
    line["commits_per_s"] = rounded(contestant.middle(&CommitSpeed::commits_per_s), 1);
    line["p50_us"] = rounded(contestant.middle(&CommitSpeed::p50_us), 1);
    line["p99_us"] = rounded(contestant.middle(&CommitSpeed::p99_us), 1);
    line["runs"] = settings.runs;
    lines.write(std::move(line));
  }
}

}  // namespace

void measure_durable(const Settings& settings, Lines& lines) {
  const Dataset set = load_dataset(settings.data);
  std::vector<DurableContestant> contestants;
  for (PeerKind& kind : present_peers("durable", settings, lines)) {
    if (kind.impl == "skerry") contestants.push_back({std::move(kind), {}});
  }
  PeerKind lmdb;
  lmdb.impl = "lmdb";
  lmdb.scalar = "f32";
  lmdb.codes = "exact";
  lmdb.note = "LMDB alone, storing the same bytes: no index";
  contestants.push_back({std::move(lmdb), {}});

  const std::size_t prefill =
      settings.updates ? set.base.rows : std::min(settings.prefill, set.base.rows / 2);
  for (const Durability durability : settings.durability) {
    for (const unsigned writers : settings.writers) {
      for (const std::size_t batch : settings.batches) {
        const std::size_t before = settings.updates ? 0 : prefill;
        if (batch == 0 || before + batch * writers > set.base.rows) {
          throw std::runtime_error(fmt::format("--batches {}: {} rows after {} are too few", batch,
                                               set.base.rows, before));
        }
        measure_point(settings, set, durability, batch, writers, prefill, contestants, lines);
      }
    }
  }
}

}  // namespace skerry::bench

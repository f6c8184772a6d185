// demo.cc - `skerry demo`: real vectors, stored durably, changed, removed, found again.
//
// What scripts/demo.sh runs. Each shipped set goes into a collection of a fresh database, batch by
// batch, each batch one durable commit; then a fifth of the keys get new vectors, a tenth goes, the
// database is closed and opened again. Everything measured after that is measured on what was
// opened: recall against brute force over what ought to be live, time and allocations of each
// search on one thread, bytes, and whether store and index agree.
#include <fmt/core.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/allocation_count.h"
#include "cli/command.h"
#include "cli/demo_set.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace skerry::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 256;  // rows a commit
constexpr std::size_t kNearest = 10;
constexpr std::size_t kSearches = 3000;  // timed ones, a set
constexpr double kRecallPromised = 0.98;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A folder for the database that goes away with the demo, unless it is to be kept.
class DemoFolder {
 public:
  explicit DemoFolder(const std::string& keep) : kept_(!keep.empty()), path_(keep) {
    if (kept_) {
      if (fs::exists(path_)) fail(kUsage, path_.string() + ": is there already");
      return;
    }
    std::string pattern = (fs::temp_directory_path() / "skerry-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail(kStorage, pattern + ": cannot be made");
    path_ = pattern;
  }
  DemoFolder(const DemoFolder&) = delete;
  DemoFolder& operator=(const DemoFolder&) = delete;
  ~DemoFolder() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  std::string database() const { return kept_ ? path_.string() : (path_ / "demo.skerry").string(); }

 private:
  bool kept_;
  fs::path path_;
};

// What one set measured; added up, what all did.
struct Figures {
  std::uint64_t vectors = 0;
  std::uint64_t inserted = 0;
  double insert_s = 0;
  std::uint64_t right = 0;
  std::uint64_t wanted = 0;
  std::vector<double> latencies_us;
  std::optional<std::uint64_t> allocations;
  std::uint64_t bytes = 0;

  void add(const Figures& other) {
    vectors += other.vectors;
    inserted += other.inserted;
    insert_s += other.insert_s;
    right += other.right;
    wanted += other.wanted;
    latencies_us.insert(latencies_us.end(), other.latencies_us.begin(), other.latencies_us.end());
    if (other.allocations.has_value()) {
      allocations = allocations.value_or(0) + *other.allocations;
    }
    bytes += other.bytes;
  }

  double recall() const {
    return wanted == 0 ? 1 : static_cast<double>(right) / static_cast<double>(wanted);
  }
  double inserts_per_s() const { return static_cast<double>(inserted) / insert_s; }
  double qps() const {
    double sum = 0;
    for (const double latency : latencies_us) sum += latency;
    return sum == 0 ? 0 : static_cast<double>(latencies_us.size()) * 1e6 / sum;
  }
  double p99_us() const {
    std::vector<double> sorted = latencies_us;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? 0 : sorted[sorted.size() * 99 / 100];
  }
  std::optional<double> allocations_per_search() const {
    if (!allocations.has_value() || latencies_us.empty()) return std::nullopt;
    return static_cast<double>(*allocations) / static_cast<double>(latencies_us.size());
  }
  double bytes_per_vector() const {
    return vectors == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(vectors);
  }
};

struct Demo {
  Place place;
  std::string data = SKERRY_DATA_DIR;
  std::string keep;
  std::uint32_t ef = 64;
  Codes codes = Codes::sq8;
  std::uint32_t rows_max = ~std::uint32_t{0};
  std::uint32_t queries_max = ~std::uint32_t{0};

  std::vector<DemoSet> sets;
  std::vector<Figures> figures;
  double reopen_ms = 0;

  void run() {
    catch_interrupts();
    const auto load = [&](const char* name, const char* extension, Metric metric) {
      sets.emplace_back(data, name, extension, metric, rows_max, queries_max);
    };
    load("capdocs-minilm-384-cos", "fbin", Metric::cosine);
    load("glove6b-100-cos", "fbin", Metric::cosine);
    load("fashion-mnist-5k-784-l2", "u8bin", Metric::l2);
    figures.resize(sets.size());
    const DemoFolder folder(keep);
    place.database = folder.database();
    say(fmt::format("a fresh database in {}", place.database));
    change_everything();
    open_again();
  }

  static void say(const std::string& sentence) {
    if (!json_wanted()) fmt::print("{}\n", sentence);
    std::fflush(stdout);
  }

  static void stop_if_asked() {
    if (interrupted()) fail(kInterrupted, "interrupted");
  }

  void change_everything() {
    Database database = open_database(place, true);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      DemoSet& set = sets[i];
      CollectionOptions options;
      options.index.dimension = set.dimension();
      options.index.metric = set.metric();
      options.index.scalar = set.scalar();
      options.index.codes = codes;
      options.index.ef = ef;
      options.index.flat_below = 0;  // a graph from the first vector on: that is what is shown
      Collection collection = take(database.create(set.name(), options), set.name());
      insert(collection, set, figures[i]);
      update(collection, set);
      remove(collection, set);
    }
    check(database.close(), place.database);
  }

  static void insert(Collection& collection, const DemoSet& set, Figures& out) {
    Progress progress("insert " + set.name(), set.rows());
    std::vector<Key> keys;
    const Clock::time_point begin = Clock::now();
    for (std::size_t row = 0; row < set.rows(); row += keys.size()) {
      stop_if_asked();
      keys.resize(std::min(kBatch, set.rows() - row));
      for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = row + i;
      const BatchOptions all_cores{0};
      check(collection.insert(keys, set.base(row, keys.size()), {}, all_cores), set.name());
      progress.update(row + keys.size());
    }
    out.inserted = set.rows();
    out.insert_s = seconds_since(begin);
    say(fmt::format("{}: {} vectors of {} components stored durably, {:.2f} s", set.name(),
                    with_commas(set.rows()), set.dimension(), out.insert_s));
  }

  // Every fifth key gets a new vector.
  static void update(Collection& collection, DemoSet& set) {
    Progress progress("update " + set.name(), set.rows() / 5);
    const std::size_t bytes = vector_bytes(set.scalar(), set.dimension());
    std::vector<Key> keys;
    std::vector<std::byte> vectors;
    std::size_t updated = 0;
    const Clock::time_point begin = Clock::now();
    for (std::size_t row = 0; row < set.rows(); row += 5) {
      const auto* vector = static_cast<const std::byte*>(set.renew(row));
      keys.push_back(row);
      vectors.insert(vectors.end(), vector, vector + bytes);
      if (keys.size() < kBatch && row + 5 < set.rows()) continue;
      stop_if_asked();
      const MatrixView matrix(vectors.data(), set.scalar(), keys.size(), set.dimension());
      const BatchOptions all_cores{0};
      check(collection.upsert(keys, matrix, {}, all_cores), set.name());
      updated += keys.size();
      progress.update(updated);
      keys.clear();
      vectors.clear();
    }
    say(fmt::format("{}: {} keys updated, {:.2f} s", set.name(), with_commas(updated),
                    seconds_since(begin)));
  }

  // Every tenth key goes.
  static void remove(Collection& collection, DemoSet& set) {
    Progress progress("remove " + set.name(), set.rows() / 10);
    std::vector<Key> keys;
    std::uint64_t removed = 0;
    const Clock::time_point begin = Clock::now();
    for (std::size_t row = 3; row < set.rows(); row += 10) {
      set.remove(row);
      keys.push_back(row);
      if (keys.size() < kBatch && row + 10 < set.rows()) continue;
      stop_if_asked();
      removed += take(collection.remove(keys), set.name());
      progress.update(removed);
      keys.clear();
    }
    say(fmt::format("{}: {} keys removed, {:.2f} s", set.name(), with_commas(removed),
                    seconds_since(begin)));
  }

  void open_again() {
    const Clock::time_point begin = Clock::now();
    Database database = open_database(place);
    std::vector<Collection> collections;
    for (const DemoSet& set : sets) {
      collections.push_back(take(database.open_collection(set.name()), set.name()));
    }
    reopen_ms = seconds_since(begin) * 1e3;
    say(fmt::format("closed, and opened again in {:.1f} ms; searching", reopen_ms));
    bool clean = true;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      search(collections[i], sets[i], figures[i]);
      const VerifyReport report = take(collections[i].verify(), sets[i].name());
      clean = clean && report.index.unreachable == 0 && report.index.live == sets[i].live();
      const IndexStats stats = take(collections[i].stats(), sets[i].name()).index;
      figures[i].vectors = stats.live;
      figures[i].bytes = stats.vector_bytes - stats.vector_disk_bytes + stats.code_bytes +
                         stats.link_bytes + stats.other_bytes;
    }
    check(database.close(), place.database);
    print(clean);
  }

  static void search(const Collection& collection, DemoSet& set, Figures& out) {
    set.find_truth(kNearest);
    std::array<Hit, kNearest> hits;
    for (std::size_t query = 0; query < set.queries(); ++query) {  // this also warms up
      stop_if_asked();
      const SearchResult result = take(collection.search(set.query(query), hits), set.name());
      out.right += set.right(query, std::span(hits).first(result.count));
      out.wanted += set.truth_size();
    }
    out.latencies_us.reserve(kSearches);
    const auto allocated = allocation_count();
    for (std::size_t i = 0; i < kSearches && !interrupted(); ++i) {
      const VectorView query = set.query(i % set.queries());
      const Clock::time_point begin = Clock::now();
      const Result<SearchResult> result = collection.search(query, hits);
      out.latencies_us.push_back(seconds_since(begin) * 1e6);
      check(result.status(), set.name());
    }
    if (allocated.has_value()) out.allocations = *allocation_count() - *allocated;
    stop_if_asked();
  }

  void print(bool clean) const {
    Figures all;
    for (const Figures& one : figures) all.add(one);
    if (json_wanted()) {
      const auto tenths = [](double value) { return std::round(value * 10) / 10; };
      const auto whole = [](double value) { return static_cast<std::uint64_t>(std::round(value)); };
      Json answer{{"vectors", all.vectors},
                  {"durable_inserts_per_s", whole(all.inserts_per_s())},
                  {"recall_at_10", all.recall()},
                  {"qps", whole(all.qps())},
                  {"p99_us", tenths(all.p99_us())},
                  {"allocations_per_search", nullptr},
                  {"bytes_per_vector", whole(all.bytes_per_vector())},
                  {"reopen_ms", tenths(reopen_ms)},
                  {"verify", clean ? "clean" : "damaged"}};
      if (const auto count = all.allocations_per_search())
        answer["allocations_per_search"] = *count;
      print_json(answer);
    } else {
      print_table(all);
      fmt::print("verify: {}\n", clean ? "clean" : "damaged");
    }
    if (!clean) fail(kDamaged, "");
    if (all.recall() < kRecallPromised) {
      break_promise(
          fmt::format("recall@10 is {:.4f}, promised is {}", all.recall(), kRecallPromised));
    }
    if (all.allocations_per_search().value_or(0) > 0) {
      break_promise("a search allocated memory, and none should");
    }
  }

  // Said on standard error alone: the answer was given, in one line.
  [[noreturn]] static void break_promise(const std::string& text) {
    fmt::print(stderr, "skerry: {}\n", text);
    fail(kPromise, "");
  }

  void print_table(const Figures& all) const {
    std::vector<std::string> header{""};
    for (const DemoSet& set : sets) header.push_back(set.name());
    header.push_back("all");
    Table table(header);
    const auto row = [&](const std::string& name, auto cell) {
      std::vector<std::string> cells{name};
      for (const Figures& one : figures) cells.push_back(cell(one));
      cells.push_back(cell(all));
      table.add(cells);
    };
    const auto whole = [](double value) { return with_commas(static_cast<std::uint64_t>(value)); };
    row("vectors", [&](const Figures& one) { return with_commas(one.vectors); });
    row("durable inserts/s", [&](const Figures& one) { return whole(one.inserts_per_s()); });
    row("recall@10", [](const Figures& one) { return fmt::format("{:.4f}", one.recall()); });
    row("QPS (one thread)", [&](const Figures& one) { return whole(one.qps()); });
    row("p99 us", [](const Figures& one) { return fmt::format("{:.1f}", one.p99_us()); });
    row("allocations a search", [](const Figures& one) {
      const auto count = one.allocations_per_search();
      return count.has_value() ? fmt::format("{:g}", *count) : std::string("not counted");
    });
    row("bytes a vector", [&](const Figures& one) { return whole(one.bytes_per_vector()); });
    std::vector<std::string> reopen(figures.size() + 2);
    reopen.front() = "reopen ms";
    reopen.back() = fmt::format("{:.1f}", reopen_ms);
    table.add(reopen);
    fmt::print("\n");
    table.print();
  }
};

}  // namespace

void add_demo(CLI::App& app) {
  auto self = std::make_shared<Demo>();
  CLI::App* command = add_command(
      app, "demo", "Watch it work on real vectors",
      "  skerry demo\n"
      "  skerry demo --json      # one line, for a program\n\n"
      "Stores the shipped sets durably, updates a fifth of the keys, removes a tenth, opens the\n"
      "database again and measures. Leaves with 7 when recall@10 is below 0.98 or a search\n"
      "allocates.",
      Needs::nothing, self->place);
  command->add_option("--data", self->data, "The folder of the shipped vectors");
  command->add_option("--keep", self->keep, "Keep the database in this new folder");
  command->add_option("--rows", self->rows_max, "Take only the first so many vectors of each set")
      ->check(CLI::PositiveNumber);
  command->add_option("--queries", self->queries_max, "Take only the first so many queries of each")
      ->check(CLI::PositiveNumber);
  command->add_option("--ef", self->ef, "Breadth of the searches (default: 64)");
  add_codes(*command, self->codes);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

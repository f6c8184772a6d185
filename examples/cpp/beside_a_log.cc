// beside_a_log.cc - an index beside a database's own log.
//
// For a program that has a log already: a graph database whose nodes have embeddings, say. Its log
// is the truth; the index is a view of it, in memory, and writes nothing unless it is asked. So:
//
//   a change      is appended to the log, then shown by the index
//   now and then  the index is saved, under a name that tells how far into the log it reaches
//   after a crash the last saved index is loaded, and what the log has after it is given to it
//   again
//
// Giving a change twice does no harm: an upsert of what is there already puts it there again.
//
// The program below does it: a process adds nodes from two threads, searches meanwhile, saves, goes
// on and is killed. Another one comes, recovers, and compares every answer with the log.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <skerry/index.h>

#include "check.h"

namespace {

namespace fs = std::filesystem;
using skerry::Hit;
using skerry::Index;
using skerry::Key;

constexpr std::uint32_t kDimension = 64;
constexpr std::uint64_t kNodes = 8000;

enum class Label : std::uint32_t { none, person, place };

// One change, as it lies in the log. All are of one size, so the log is an array of them.
struct Change {
  enum Kind : std::uint32_t { put = 1, remove = 2 };
  std::uint32_t kind = put;
  Label label = Label::none;
  Key node = 0;
  std::array<float, kDimension> embedding = {};
  std::uint64_t checksum = 0;  // a torn one at the end is not a change

  std::uint64_t sum() const {
    std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
    const auto* bytes = reinterpret_cast<const unsigned char*>(this);
    for (std::size_t i = 0; i < offsetof(Change, checksum); ++i) {
      hash = (hash ^ bytes[i]) * 0x100000001B3;
    }
    return hash;
  }
};

class Log {
 public:
  explicit Log(const fs::path& path)
      : file_(::open(path.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0644)) {
    expect(file_ >= 0, "the log can be opened");
  }
  ~Log() { ::close(file_); }

  void append(Change change) {
    change.checksum = change.sum();
    const std::lock_guard lock(mutex_);
    expect(::write(file_, &change, sizeof(change)) == sizeof(change), "the log can be written");
    ++changes_;
  }
  // How many there are. All of them are in the index too once their writers have returned.
  std::uint64_t changes() const { return changes_; }
  void sync() const { expect(::fdatasync(file_) == 0, "the log can be synced"); }

 private:
  int file_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> changes_{0};
};

// The log as it lies in the file, mapped: nothing is copied.
class MappedLog {
 public:
  explicit MappedLog(const fs::path& path) {
    const int file = ::open(path.c_str(), O_RDONLY);
    expect(file >= 0, "the log can be read");
    size_ = static_cast<std::size_t>(::lseek(file, 0, SEEK_END));
    memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    ::close(file);
    expect(memory_ != MAP_FAILED, "the log can be mapped");
    const auto* first = static_cast<const Change*>(memory_);
    std::size_t whole = 0;
    while (whole < size_ / sizeof(Change) && first[whole].checksum == first[whole].sum()) ++whole;
    changes_ = {first, whole};
  }
  ~MappedLog() { ::munmap(memory_, size_); }
  MappedLog(const MappedLog&) = delete;
  MappedLog& operator=(const MappedLog&) = delete;

  std::span<const Change> changes() const { return changes_; }

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
  std::span<const Change> changes_;
};

// What the database knows of its nodes beside their embeddings.
using Labels = std::vector<std::atomic<Label>>;

class Embeddings {
 public:
  explicit Embeddings(std::uint64_t seed) : random_(seed) {}

  std::array<float, kDimension> next() {
    std::array<float, kDimension> embedding;
    for (float& component : embedding) component = normal_(random_);
    return embedding;
  }

 private:
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
};

Index make_index() {
  return take(Index::create({.dimension = kDimension, .metric = skerry::Metric::cosine}), "create");
}

fs::path image_path(const fs::path& folder, std::uint64_t changes) {
  return folder / ("index." + std::to_string(changes));
}

// -- the process that is going to be killed
// ----------------------------------------------------------

void write_nodes(Log& log, Index& index, Labels& labels, std::uint64_t first, std::uint64_t limit) {
  Embeddings embeddings(first);
  for (Key node = first; node < limit; node += 2) {
    Change change;
    change.label = node % 3 == 0 ? Label::place : Label::person;
    change.node = node;
    change.embedding = embeddings.next();
    log.append(change);  // the truth first
    labels[node] = change.label;
    check(index.upsert(node, change.embedding), "upsert");  // borrows the vector for the call
    if (node % 10 == 9) {
      Change gone;
      gone.kind = Change::remove;
      gone.node = node - 4;
      log.append(gone);
      take(index.remove(gone.node), "remove");
    }
  }
}

// Two threads write, each nodes of its own, so that the index sees the changes of a node in the
// log's order.
void write_from_two_threads(Log& log, Index& index, Labels& labels, std::uint64_t first,
                            std::uint64_t limit) {
  std::thread other([&] { write_nodes(log, index, labels, first + 1, limit); });
  write_nodes(log, index, labels, first, limit);
  other.join();
}

[[noreturn]] void live_and_be_killed(const fs::path& folder) {
  Log log(folder / "log");
  Labels labels(kNodes);
  Index index = make_index();

  // Searches go on beside the writers, and wait for none of them.
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> searches{0};
  std::thread reader([&] {
    Embeddings embeddings(77);
    const auto is_person = [&](Key node) { return labels[node] == Label::person; };
    std::array<Hit, 10> hits;
    while (!is_over) {
      const auto found =
          take(index.search(embeddings.next(), hits, {.filter = skerry::Filter::where(is_person)}),
               "search");
      for (std::size_t i = 0; i < found.count; ++i) {
        expect(labels[hits[i].key] == Label::person,
               "whom a filter does not admit is not returned");
      }
      ++searches;
    }
  });
  const Clock clock;
  write_from_two_threads(log, index, labels, 0, kNodes / 2);
  const double seconds = clock.seconds();
  std::printf("%llu changes logged and shown in %.2f s, beside %llu searches\n",
              static_cast<unsigned long long>(log.changes()), seconds,
              static_cast<unsigned long long>(searches.load()));
  is_over = true;
  reader.join();

  // Every change up to here is in the index. save() may run beside writers too; then the number is
  // taken before it, and a few changes are given twice.
  log.sync();
  const std::uint64_t saved = log.changes();
  check(index.save(image_path(folder, saved)), "save");

  write_from_two_threads(log, index, labels, kNodes / 2, kNodes);
  std::fflush(stdout);
  ::kill(::getpid(), SIGKILL);  // with half of it in no image
  std::abort();
}

// -- the process that comes after
// ----------------------------------------------------------------------

// The image that reaches farthest into the log; none: an empty index, and the whole log.
Index load_last(const fs::path& folder, std::uint64_t& reaches) {
  reaches = 0;
  std::optional<fs::path> last;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("index.")) continue;
    const std::uint64_t changes = std::stoull(name.substr(6));
    if (changes >= reaches) {
      reaches = changes;
      last = entry.path();
    }
  }
  if (!last.has_value()) return make_index();
  skerry::Result<Index> index = Index::load(*last);
  if (index.ok()) return std::move(*index);
  std::fprintf(stderr, "%s: %s; made anew\n", last->c_str(), index.status().message().c_str());
  reaches = 0;
  return make_index();
}

// Puts that follow each other are one batch, whose vectors lie in the mapped log, a Change apart.
// Of a node that comes twice the last one wins, as in the log.
void give(Index& index, std::span<const Change> changes) {
  while (!changes.empty()) {
    const auto kind = changes.front().kind;
    const auto end = std::find_if(changes.begin(), changes.end(),
                                  [&](const Change& change) { return change.kind != kind; });
    const auto run = changes.first(static_cast<std::size_t>(end - changes.begin()));
    std::vector<Key> nodes;
    for (const Change& change : run) nodes.push_back(change.node);
    if (kind == Change::put) {
      const skerry::MatrixView rows(run.front().embedding.data(), skerry::Scalar::f32, run.size(),
                                    kDimension, sizeof(Change));
      check(index.upsert(nodes, rows), "upsert");
    } else {
      take(index.remove(nodes), "remove");
    }
    changes = changes.subspan(run.size());
  }
}

void recover_and_compare(const fs::path& folder) {
  const Clock clock;
  const MappedLog log(folder / "log");
  std::uint64_t reaches = 0;
  Index index = load_last(folder, reaches);
  expect(reaches > 0 && reaches < log.changes().size(), "the image is older than the log's end");
  const std::uint64_t loaded = index.size();
  give(index, log.changes().subspan(reaches));
  std::printf(
      "recovered in %.2f s: %llu nodes from the image, %llu changes after it, %llu nodes now\n",
      clock.seconds(), static_cast<unsigned long long>(loaded),
      static_cast<unsigned long long>(log.changes().size() - reaches),
      static_cast<unsigned long long>(index.size()));

  // What ought to be there, from the log alone.
  std::map<Key, const Change*> truth;
  for (const Change& change : log.changes()) {
    if (change.kind == Change::put) {
      truth[change.node] = &change;
    } else {
      truth.erase(change.node);
    }
  }
  expect(index.size() == truth.size(), "there are as many nodes as the log says");
  std::array<float, kDimension> stored;
  for (const auto& [node, change] : truth) {
    check(index.get(node, stored), "get");
    expect(stored == change->embedding, "every embedding is that of the log");
  }
  check(index.check().status(), "check");

  // And what is near is found: people near a new embedding, against all people of the log.
  const auto is_person = [&](Key node) {
    const auto found = truth.find(node);
    return found != truth.end() && found->second->label == Label::person;
  };
  Embeddings embeddings(4711);
  std::array<Hit, 10> hits, nearest;
  std::size_t right = 0;
  constexpr std::size_t kQueries = 100;
  for (std::size_t query = 0; query < kQueries; ++query) {
    const auto embedding = embeddings.next();
    const auto filter = skerry::Filter::where(is_person);
    take(index.search(embedding, nearest, {.filter = filter, .exact = true}), "search");
    const auto found =
        take(index.search(embedding, hits, {.recall_target = 0.95F, .filter = filter}), "search");
    expect(found.count == hits.size(), "there are enough people");
    for (const Hit& hit : hits) {
      expect(is_person(hit.key), "only people are found");
      right += hit.distance <= nearest.back().distance ? 1 : 0;
    }
  }
  const double recall = static_cast<double>(right) / (10 * kQueries);
  std::printf("recall@10 of people near a new embedding: %.3f\n", recall);
  expect(recall > 0.9, "nine of ten true neighbours are found");
}

}  // namespace

int main() {
  std::string pattern = (fs::temp_directory_path() / "skerry-beside-a-log-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());

  // Before anything of Skerry's is made: an index belongs to the process that made it.
  const pid_t child = ::fork();
  if (child == 0) live_and_be_killed(folder);
  int ended = 0;
  ::waitpid(child, &ended, 0);
  expect(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL, "the first process was killed");

  recover_and_compare(folder);
  fs::remove_all(folder);
  return 0;
}

// lancedb.cc - LanceDB behind the peers' interface: a store on disk with an HNSW graph over
// eight-bit codes, as its own package for Node.js runs it.
//
// LanceDB is a Rust library. Its package is what a distribution has of it, so each thread that
// searches has a process of its own (lancedb.mjs), and so have writes; it is asked through a
// socket, and going there and back is part of the times, under 0.1 ms of some 3. The table is
// written and indexed when the last of the rows that were promised has been added, or before what
// comes after add(). One partition, so that its `ef` is everybody's. Later changes are a new
// version of the table each, and what they add is scanned until its index is made anew.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "peer.h"
#include "stop.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

// How many times k are read again and compared exactly, where that is asked.
constexpr std::uint32_t kRefine = 2;

class Process {
 public:
  Process() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::runtime_error(fmt::format("socketpair: {}", std::strerror(errno)));
    }
    socket_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    const char* words[] = {SKERRY_NODE, SKERRY_LANCEDB_SCRIPT, SKERRY_LANCEDB_DIR, nullptr};
    const int failure =
        posix_spawn(&process_, SKERRY_NODE, &actions, nullptr, const_cast<char**>(words), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failure != 0) {
      close(socket_);
      throw std::runtime_error(fmt::format("{}: {}", SKERRY_NODE, std::strerror(failure)));
    }
  }

  ~Process() {
    close(socket_);
    while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) continue;
  }

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // A request as lancedb.mjs knows them: its letter, numbers, and what belongs to it.
  void ask(char what, std::uint32_t a = 0, std::uint32_t b = 0, std::uint32_t c = 0) {
    const std::uint32_t head[] = {static_cast<std::uint32_t>(what), a, b, c};
    send(head, sizeof(head));
  }
  void send(const void* bytes, std::size_t length) {
    const char* from = static_cast<const char*>(bytes);
    while (length > 0) {
      const ssize_t sent = ::send(socket_, from, length, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) has_gone();
      from += sent;
      length -= static_cast<std::size_t>(sent);
    }
  }

  // The answer, whose bytes are put into `out`; how many they are.
  std::size_t answer(void* out = nullptr, std::size_t room = 0) {
    std::int32_t length = 0;
    receive(&length, sizeof(length));
    if (length < 0) {
      std::string text(static_cast<std::size_t>(-1 - length), '\0');
      receive(text.data(), text.size());
      throw std::runtime_error("lancedb: " + text);
    }
    const auto bytes = static_cast<std::size_t>(length);
    if (bytes > room) throw std::runtime_error("lancedb: an answer is longer than was asked for");
    receive(out, bytes);
    return bytes;
  }

 private:
  void receive(void* bytes, std::size_t length) {
    char* to = static_cast<char*>(bytes);
    while (length > 0) {
      const ssize_t got = recv(socket_, to, length, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) has_gone();
      to += got;
      length -= static_cast<std::size_t>(got);
    }
  }

  [[noreturn]] void has_gone() {
    check_stop();
    throw std::runtime_error("lancedb: its process has ended");
  }

  int socket_ = -1;
  pid_t process_ = -1;
};

class LanceDbPeer final : public Peer {
 public:
  LanceDbPeer(const Dataset& set, const GraphOptions& graph, bool refines,
              const std::string& folder)
      : base_(set.base),
        queries_(set.queries),
        metric_(set.metric),
        graph_(graph),
        refine_(refines ? kRefine : 0),
        folder_(folder),
        readers_(graph.threads) {
    open(writer_);
  }

  // By one process, whatever is asked; it has threads of its own for the index.
  void add(std::size_t first, std::size_t count, unsigned) override {
    std::vector<Key> keys(count);
    std::iota(keys.begin(), keys.end(), Key{first});
    const std::lock_guard lock(writing_);
    writer_.ask('a', static_cast<std::uint32_t>(count));
    writer_.send(keys.data(), keys.size() * sizeof(Key));
    writer_.send(base_.row(first), count * base_.dimension * sizeof(float));
    writer_.answer();
    is_waiting_ = true;
    if (first + count >= graph_.capacity) settle();
  }

  bool update(Key key, std::size_t row) override {
    const std::lock_guard lock(writing_);
    settle();
    writer_.ask('u');
    writer_.send(&key, sizeof(key));
    writer_.send(base_.row(row), base_.dimension * sizeof(float));
    writer_.answer();
    ++version_;
    return true;
  }

  bool remove(Key key) override {
    const std::lock_guard lock(writing_);
    settle();
    writer_.ask('r');
    writer_.send(&key, sizeof(key));
    writer_.answer();
    ++version_;
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned) override { return update(key, row); }

  void set_ef(std::uint32_t ef) override {
    ef_ = ef;
    const std::lock_guard lock(writing_);
    settle();
  }

  std::size_t search(std::size_t query, unsigned thread, std::span<Key> keys) override {
    Process& process = reader(thread);
    const auto k = static_cast<std::uint32_t>(keys.size());
    process.ask('s', k, std::max(ef_, k * std::max(refine_, 1u)), refine_);
    process.send(queries_.row(query), queries_.dimension * sizeof(float));
    return process.answer(keys.data(), keys.size_bytes()) / sizeof(Key);
  }

  std::optional<std::uint64_t> disk_bytes() override { return bytes(); }

  // Its files: what a search reads is mapped or read of them.
  std::uint64_t bytes() const override {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (file.is_regular_file()) bytes += file.file_size();
    }
    return bytes;
  }

 private:
  struct Reader {
    std::unique_ptr<Process> process;
    std::uint64_t version = 0;  // of the table, as it sees it
  };

  // What add() was given goes into the table, and all of it is indexed. With the lock.
  void settle() {
    if (!is_waiting_) return;
    writer_.ask('i', graph_.M, graph_.ef_construction);
    writer_.answer();
    is_waiting_ = false;
    ++version_;
  }

  void open(Process& process) const {
    const std::string path = folder_.path();
    const std::uint32_t metric = metric_ == Metric::l2 ? 0 : metric_ == Metric::ip ? 1 : 2;
    process.ask('o', metric, static_cast<std::uint32_t>(base_.dimension),
                static_cast<std::uint32_t>(path.size()));
    process.send(path.data(), path.size());
    process.answer();
  }

  // The thread's own, which sees all that has returned.
  Process& reader(unsigned thread) {
    Reader& reader = readers_[thread];
    const std::uint64_t version = version_;
    if (!reader.process) {
      reader.process = std::make_unique<Process>();
      open(*reader.process);
    } else if (reader.version != version) {
      reader.process->ask('l');
      reader.process->answer();
    }
    reader.version = version;
    return *reader.process;
  }

  const Matrix& base_;
  const Matrix& queries_;
  Metric metric_;
  GraphOptions graph_;
  std::uint32_t refine_;
  std::uint32_t ef_ = 0;
  TemporaryFolder folder_;
  Process writer_;
  std::mutex writing_;
  bool is_waiting_ = false;  // rows were added and are not in the table
  std::atomic<std::uint64_t> version_{0};
  std::vector<Reader> readers_;  // by thread
};

}  // namespace

std::vector<PeerKind> lancedb_kinds(const std::string& folder) {
  std::vector<PeerKind> kinds;
  for (const bool refines : {false, true}) {
    PeerKind kind;
    kind.impl = "lancedb";
    kind.scalar = refines ? "f32" : "none";
    kind.codes = "sq8";
    kind.note = "a table on disk, asked through Node.js and a socket";
    kind.note += refines ? fmt::format("; {} k re-ranked", kRefine) : "; codes only";
    kind.write_note = "a version of the table each; not indexed until it is made anew";
    kind.make = [folder, refines](const Dataset& set, const GraphOptions& graph) {
      return std::make_unique<LanceDbPeer>(set, graph, refines, folder);
    };
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace skerry::bench

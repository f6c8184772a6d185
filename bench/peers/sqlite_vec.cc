// sqlite_vec.cc - sqlite-vec's vec0 tables behind the peers' interface.
//
// A database in a folder of its own, through SQLite's C interface, with prepared statements, a
// connection for each reader and one for writes, a write-ahead log and the file mapped: its fastest
// honest use. It scans whatever is asked, so M, ef_construction and ef mean nothing to it. It has
// no inner product. What add() is given in one call is one transaction; any other change is one of
// its own.
#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "peer.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

[[noreturn]] void fail(sqlite3* database) {
  throw std::runtime_error(fmt::format("sqlite-vec: {}", sqlite3_errmsg(database)));
}

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// What one thread has.
class Connection {
 public:
  explicit Connection(const std::string& path) {
    sqlite3* opened = nullptr;
    const int result = sqlite3_open(path.c_str(), &opened);
    database_.reset(opened);
    if (result != SQLITE_OK) fail(opened);
    sqlite3_enable_load_extension(opened, 1);
    if (sqlite3_load_extension(opened, SKERRY_SQLITE_VEC, nullptr, nullptr) != SQLITE_OK) {
      fail(opened);
    }
    run("pragma journal_mode = wal");
    run("pragma synchronous = normal");
    run("pragma mmap_size = 1000000000000");
  }

  void run(const std::string& sql) const {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      fail(database_.get());
    }
  }

  // After the tables are there.
  void prepare() {
    insert_ = prepared("insert into vectors(rowid, vector) values (?1, ?2)");
    update_ = prepared("update vectors set vector = ?2 where rowid = ?1");
    remove_ = prepared("delete from vectors where rowid = ?1");
    search_ = prepared("select rowid from vectors where vector match ?2 and k = ?1");
    pages_ = prepared("select page_count * page_size from pragma_page_count(), pragma_page_size()");
  }

  void insert(Key key, std::span<const float> row) const { change(insert_.get(), key, row); }
  void update(Key key, std::span<const float> row) const { change(update_.get(), key, row); }
  void remove(Key key) const { change(remove_.get(), key, {}); }

  std::size_t search(std::span<const float> query, std::span<Key> keys) const {
    bind(search_.get(), keys.size(), query);
    std::size_t count = 0;
    int result = sqlite3_step(search_.get());
    for (; result == SQLITE_ROW && count < keys.size(); result = sqlite3_step(search_.get())) {
      keys[count++] = static_cast<Key>(sqlite3_column_int64(search_.get(), 0));
    }
    if (result != SQLITE_DONE) fail(database_.get());
    sqlite3_reset(search_.get());
    return count;
  }

  std::uint64_t bytes() const {
    if (sqlite3_step(pages_.get()) != SQLITE_ROW) fail(database_.get());
    const auto bytes = static_cast<std::uint64_t>(sqlite3_column_int64(pages_.get(), 0));
    sqlite3_reset(pages_.get());
    return bytes;
  }

 private:
  Statement prepared(const char* sql) const {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) {
      fail(database_.get());
    }
    return Statement(statement);
  }

  void bind(sqlite3_stmt* statement, std::uint64_t number, std::span<const float> row) const {
    sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>(number));
    if (!row.empty()) {
      sqlite3_bind_blob(statement, 2, row.data(), static_cast<int>(row.size_bytes()),
                        SQLITE_STATIC);
    }
  }

  void change(sqlite3_stmt* statement, Key key, std::span<const float> row) const {
    bind(statement, key, row);
    if (sqlite3_step(statement) != SQLITE_DONE) fail(database_.get());
    sqlite3_reset(statement);
  }

  Database database_;
  Statement insert_, update_, remove_, search_, pages_;
};

class SqliteVecPeer final : public Peer {
 public:
  SqliteVecPeer(const Dataset& set, const GraphOptions& graph, const std::string& folder)
      : base_(set.base), queries_(set.queries), folder_(folder), writer_(path()) {
    if (set.metric == Metric::ip) throw std::runtime_error("sqlite-vec has no inner product");
    writer_.run(
        fmt::format("create virtual table vectors using "
                    "vec0(vector float[{}] distance_metric={})",
                    base_.dimension, set.metric == Metric::l2 ? "l2" : "cosine"));
    writer_.prepare();
    for (unsigned thread = 0; thread < graph.threads; ++thread) {
      readers_.emplace_back(path());
      readers_.back().prepare();
    }
  }

  // By one thread, whatever is asked: SQLite has one writer.
  void add(std::size_t first, std::size_t count, unsigned) override {
    const std::lock_guard lock(writing_);
    writer_.run("begin");
    for (std::size_t row = first; row < first + count; ++row) writer_.insert(row, base_.span(row));
    writer_.run("commit");
  }

  bool update(Key key, std::size_t row) override {
    const std::lock_guard lock(writing_);
    writer_.update(key, base_.span(row));
    return true;
  }

  bool remove(Key key) override {
    const std::lock_guard lock(writing_);
    writer_.remove(key);
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned) override {
    const std::lock_guard lock(writing_);
    writer_.insert(key, base_.span(row));
    return true;
  }

  void set_ef(std::uint32_t) override {}

  std::size_t search(std::size_t query, unsigned thread, std::span<Key> keys) override {
    return readers_[thread].search(queries_.span(query), keys);
  }

  std::optional<std::uint64_t> disk_bytes() override { return bytes(); }

  // The file: it is mapped, and every search reads all of it.
  std::uint64_t bytes() const override { return writer_.bytes(); }

 private:
  std::string path() const { return folder_.path() / "vectors.db"; }

  const Matrix& base_;
  const Matrix& queries_;
  TemporaryFolder folder_;
  Connection writer_;
  std::mutex writing_;
  std::vector<Connection> readers_;  // by thread
};

}  // namespace

std::vector<PeerKind> sqlite_vec_kinds(const std::string& folder) {
  PeerKind kind;
  kind.impl = "sqlite-vec";
  kind.scalar = "f32";
  kind.codes = "exact";
  kind.note = "a scan; a database on disk";
  kind.may_update_beside_search = true;
  kind.write_note = "a transaction each, not synced (write-ahead log, synchronous = normal)";
  kind.make = [folder](const Dataset& set, const GraphOptions& graph) {
    return std::make_unique<SqliteVecPeer>(set, graph, folder);
  };
  return {kind};
}

}  // namespace skerry::bench

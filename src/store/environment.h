// environment.h - one LMDB environment behind a small C++ face.
//
// Reads and writes are functions handed in: a transaction lives for the length of a call and no
// longer, so no reader can keep old pages from being used again unseen. What a caller wants to hold
// is asked for by name, counted, and its age told (held_read.h).
//
// The map (the address space that LMDB reads through) grows by itself. A write that finds it full
// is aborted, waits for this process's readers to be out, moves the map to twice its size and is
// run again from its beginning; so `work` may run more than once and must only write to its
// transaction, or forget what it wrote elsewhere when it starts. When another process has let the
// store outgrow our map, the next transaction here adopts the larger size in the same way.
//
// Several processes: LMDB's own lock file holds the writers' mutex (robust: a writer that is killed
// leaves it to the next) and the table of readers. A reader that was killed in mid-read would keep
// the pages of its snapshot for ever: such readers are cleared at open, every 64 commits, when the
// table is full, and before the map grows. One process must open a store once only (LMDB's locks go
// by process), and all of them must share one space of process ids: FolderLock sees to both.
//
// Locks, in this order: write_mutex_ (one writer; held through a write) -> turnstile_ (so that
// a waiting mover of the map is not starved by ever new readers) -> map_lock_ (shared: a reader;
// exclusive: the map moves, or the environment is exchanged or closed) -> held_mutex_. A read
// inside a read on the same thread would wait for itself once a mover stands between: it takes no
// lock, and sees the snapshot of the outer one. A write inside a read is a mistake of ours, and so
// is a held read inside one. The search path takes none of these locks.
//
// A root that could not be written leaves LMDB refusing everything. The environment is then closed
// and opened again, at once or, when that fails too, by the calls that come later: reads and writes
// go on as soon as the cause is gone. Whether the root is there after all, and ours, is told by the
// signature that every write leaves in its transaction (schema.h): another process may have
// committed meanwhile, under the same number.
//
// LMDB trusts its file, so every page is walked before LMDB meets it: of a small store when it is
// opened, of a large one when a table is first touched (survey.h, first_touch.h). Until then no
// write is begun; a store that turns out to be damaged is read as far as it can be and not written.
//
// Durability (a decision of open):
//   commit     LMDB's own: the pages are synced, then the root is written through to the device.
//   interval   the pages are synced at every commit, the root is not (MDB_NOMETASYNC): a root that
//              is on the device is always one whose pages were synced before it was written, so
//              power loss can take the last commit, never more and never the store's order. (LMDB
//              keeps the pages of the two last roots; the sync of the next commit writes the root
//              before it.) sync() at the interval closes the gap when no next commit comes.
//   none       nothing is synced until sync() (MDB_NOSYNC). kill -9 harms nothing. Power loss takes
//              everything since sync() and no more: the root of that moment is kept and its pages
//              are not used again (synced_root.h). They are freed by the next sync, which a store
//              that has grown by a quarter, and 64 MB, makes by itself.
//
// Errors: storage_full (device, quota, file-size limit, address space), out_of_memory, io_error,
// corruption, incompatible, busy (max_readers), closed.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "skerry/control.h"
#include "skerry/status.h"
#include "store/first_touch.h"
#include "store/schema.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace skerry::store {

class HeldRead;

// What an error number of LMDB means to a caller.
Status status_of_lmdb(int error) noexcept;

// A reading of a store whose tables may not have been walked yet: what is to be walked when one of
// them is touched (first_touch.h).
struct Unwalked {
  FirstTouch& store;
  int fd;
  Root root;  // of the reading

  Status walk(Extent extent) const noexcept { return store.walk(fd, root, extent); }
};

// The store's pages in memory, while the headers of its long values are unread. LMDB believes them
// when it frees a value, so they are looked at when the value is met.
struct Pages {
  const std::byte* map = nullptr;  // null: every header was read
  std::uint64_t bytes = 0;
  std::size_t page_bytes = 0;

  // corruption when the value has pages of its own in the map, and their header is another's.
  Status check(Bytes value) const noexcept;
};

// A reader's snapshot, or one write. Bytes that it hands out are LMDB's own pages: good until the
// transaction ends or writes again.
//
// LMDB has no checksums. Behind each value we keep one, of table, key and value (schema.h), except
// in `vectors`, whose rows have their own: it is written here, and checked and cut off here.
class Transaction {
 public:
  // not_found when there is no such row; corruption when its checksum is wrong, or that of a row
  // that may have been it.
  Result<Bytes> get(Table table, Bytes key) const noexcept;

  Status put(Table table, Bytes key, Bytes value) noexcept;

  // Room of `size` bytes for the row's value inside the page, to be filled and sealed before the
  // next call; `fresh` when the row was not there before.
  struct Room {
    std::byte* bytes = nullptr;
    bool fresh = false;
  };
  Result<Room> reserve(Table table, Bytes key, std::size_t size) noexcept;

  // Writes the checksum of a row that was reserved with these, and then filled.
  void seal(Table table, Bytes key, const Room& room, std::size_t size) const noexcept;

  // Whether there was such a row.
  Result<bool> remove(Table table, Bytes key) noexcept;

  // How many rows the table has. O(1).
  Result<std::uint64_t> rows(Table table) const noexcept;

  // The longest value that takes one page of the store and no more.
  std::uint32_t value_bytes_of_page() const noexcept;

 private:
  friend class Cursor;
  friend class Environment;
  friend class HeldRead;
  Status touch(Table table) const noexcept;
  Status walk(Extent extent) const noexcept;
  Status check_around(Table table, Bytes key) const noexcept;
  std::uint64_t pages_of_value(std::size_t bytes) const noexcept;

  Transaction(MDB_txn* txn, const unsigned* tables, std::uint32_t version) noexcept
      : txn_(txn), tables_(tables), version_(version) {}

  MDB_txn* txn_;
  const unsigned* tables_;              // LMDB's numbers for the tables, by Table
  std::uint32_t version_;               // of the store: version 1 had no checksums
  const Unwalked* unwalked_ = nullptr;  // null: all tables were walked
  Pages pages_;
  mutable bool has_written_ = false;  // by a cursor as well
};

// Walks a table in the order of its keys. Must not outlive its transaction.
class Cursor {
 public:
  Cursor(const Transaction& transaction, Table table) noexcept;
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // To the first row whose key is `from` or after it; false at the end or after an error.
  bool seek(Bytes from) noexcept;
  bool next() noexcept;

  // To the row before; to the last one when seek() found none.
  bool back() noexcept;

  // To the last row whose key begins with `prefix`'s bytes, of a table of fixed-width keys.
  bool starts_with(Bytes prefix) const noexcept;

  Bytes key() const noexcept { return key_; }
  // corruption when the row's checksum is wrong.
  Result<Bytes> value() const noexcept;

  // Removes the row that it stands on; next() then goes to the row after it.
  Status remove() noexcept;

  // What stopped it: success at the end of the table.
  Status status() const noexcept { return status_; }

 private:
  bool move(Bytes from, int how) noexcept;  // an MDB_cursor_op

  const Transaction& transaction_;
  Table table_;
  MDB_cursor* cursor_ = nullptr;
  Bytes key_;
  Bytes value_;  // with its checksum
  Status status_;
};

struct EnvironmentOptions {
  bool read_only = false;
  Durability durability = Durability::commit;
  std::uint64_t map_bytes = 1ULL << 30;
  std::uint32_t max_readers = 1024;  // the first process to open decides for all
  // Nobody else has the store open: its pages are surveyed before LMDB sees it (survey.h).
  bool alone = true;
  // read_only without a place in the table of readers, for a folder that cannot be written. Only
  // while nobody has the store open for writing.
  bool blind = false;
  // A store of at most so many bytes is walked whole when it is opened.
  std::uint64_t bytes_walked_whole = 64 << 20;
  std::uint32_t version = kVersion;  // of the store's format: the upgrade reads older ones
};

// Whether open() failed because the store has an older version than was asked for.
bool is_of_older_version(Status status) noexcept;

struct EnvironmentStats {
  std::uint64_t map_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t commits = 0;
  std::uint64_t grown = 0;
  std::uint64_t readers = 0;        // transactions that read now, of every process
  std::uint64_t max_readers = 0;    // that may
  std::uint64_t stale_readers = 0;  // of dead processes, cleared since open
  std::uint64_t oldest_reader = 0;  // transactions committed since the oldest of them began
  std::uint64_t held = 0;           // of this process, by its callers (held_read.h)
  double oldest_held = 0;           // seconds since the oldest of these began
};

class Environment {
 public:
  // Makes a new store in the existing empty folder, with its tables and Format, synced.
  static Status create(const std::filesystem::path& folder);

  // Opens the store in `folder`. Missing, empty, damaged, foreign and newer are told apart.
  static Result<std::unique_ptr<Environment>> open(const std::filesystem::path& folder,
                                                   const EnvironmentOptions& options);

  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  const Format& format() const noexcept { return format_; }

  Status read(FunctionRef<Status(const Transaction&)> work) const;
  Status write(FunctionRef<Status(Transaction&)> work);

  // A read that goes on until the caller lets it go. Must be gone before the environment is.
  Result<std::unique_ptr<HeldRead>> hold() const;

  // Everything committed survives power loss from here on.
  Status sync();

  // A compacted copy of a snapshot into a new file, synced. Writers go on, unless the map must
  // grow. The control counts bytes; stopped, there is no file.
  Status copy_to(const std::filesystem::path& file, const Control& control = {}) const;

  // Exchanges the store's file for a compacted copy. Safe to be killed in at every point: the old
  // file or the new one is there. busy while a caller holds a read. The control counts bytes.
  Status compact(const Control& control = {});

  // Waits for transactions under way. Every later call is `closed`. Not in a forked child: there
  // the environment is the parent's, and is to be left alone for ever.
  void close() noexcept;

  // The number of the last transaction that any process committed.
  Result<std::uint64_t> last_transaction() const noexcept;

  Result<EnvironmentStats> stats() const;

 private:
  friend class HeldRead;
  Environment(std::filesystem::path folder, const EnvironmentOptions& options);
  void remove_leftovers() const;

  // Reopening changes nothing that a caller can see: const, as a read may be what finds the need.
  Status start(bool survey_first) const;
  Status read_to(Extent extent, FunctionRef<Status(const Transaction&)> work) const;
  Status run(Transaction& transaction, FunctionRef<Status(const Transaction&)> work) const;
  Status walk(Extent extent) const;
  struct Outer;
  const Transaction* outer_reading() const noexcept;
  Pages pages_in_map(MDB_txn* txn) const noexcept;
  // One more for the snapshot that is kept.
  std::uint32_t readers() const noexcept {
    return options_.max_readers + (options_.durability == Durability::none ? 1 : 0);
  }
  Status start_map(bool make_tables) const;
  Status open_tables(bool make) const noexcept;
  void stop() const noexcept;
  Status reopen() const noexcept;
  Status enter(std::shared_lock<std::shared_mutex>& map) const noexcept;
  std::shared_lock<std::shared_mutex> hold_map() const noexcept;

  // held_read.cc
  void end_held() const noexcept;
  bool has_held() const noexcept;
  void count_held(EnvironmentStats& stats) const noexcept;

  Status grow() noexcept;
  Status keep_root();
  Status let_root_go();
  bool is_outgrown() noexcept;
  Status move_map(std::uint64_t larger) const noexcept;
  Status adopt_map() const noexcept;
  int begin_write(MDB_txn** txn) const noexcept;
  int begin_read(MDB_txn** txn) const noexcept;
  int begin_read(MDB_txn** txn, Root& root) const noexcept;
  bool clear_stale_readers() const noexcept;
  void end_read(MDB_txn* txn) const noexcept;
  Status sign(Transaction& transaction, std::uint64_t number, std::uint64_t token) const noexcept;
  Status commit_failure(int error, std::uint64_t number, std::uint64_t token) noexcept;
  Status settle(Status failure, std::uint64_t number, std::uint64_t token) noexcept;
  Status hide_root() noexcept;

  static thread_local const Outer* outer_;  // of every environment

  // Set at construction.
  const std::filesystem::path folder_;
  const EnvironmentOptions options_;

  mutable std::mutex write_mutex_;
  mutable std::mutex turnstile_;
  mutable std::shared_mutex map_lock_;

  // Written with write_mutex_ and map_lock_ exclusive, read with either.
  mutable MDB_env* env_ = nullptr;  // null: closed, or lost by a failure and to be opened again
  mutable unsigned tables_[kTableNames.size()] = {};
  mutable std::uint64_t map_bytes_ = 0;
  mutable Format format_;  // constant once it is known
  mutable bool knows_format_ = false;
  bool closed_ = false;

  // Under write_mutex_: the signature of the last write; the first is drawn by chance.
  std::uint64_t token_ = 0;

  mutable FirstTouch first_touch_;
  mutable std::atomic<const std::byte*> map_{nullptr};  // where it is; null: not asked yet

  // Durability::none, under write_mutex_: the snapshot that power loss goes back to. Null: all is
  // synced.
  mutable MDB_txn* kept_ = nullptr;
  std::uint64_t kept_pages_ = 0;  // of the store at that moment
  std::uint64_t kept_used_ = 0;   // how many of them were not free; 0: not counted yet

  // Read transactions that rest, kept so that a read allocates nothing and asks for no slot.
  mutable std::mutex idle_mutex_;
  mutable std::vector<MDB_txn*> idle_;

  // Those that have not ended.
  mutable std::mutex held_mutex_;
  mutable std::vector<HeldRead*> held_;

  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> grown_{0};
  mutable std::atomic<std::uint64_t> stale_readers_{0};
};

}  // namespace skerry::store

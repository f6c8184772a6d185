// environment.cc - one LMDB environment: opening, transactions, growth, copies.
#include "store/environment.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.h"
#include "base/codec.h"
#include "base/files.h"
#include "base/watch.h"
#include "store/compacted.h"
#include "store/survey.h"
#include "store/synced_root.h"

namespace skerry::store {
namespace {

// Another version's file looks otherwise, and the survey reads the file itself.
static_assert(MDB_VERSION_MAJOR == 0 && MDB_VERSION_MINOR == 9, "Skerry needs LMDB 0.9");

constexpr std::uint64_t kMapRounding = 64 * 1024;  // a multiple of every page size in use
constexpr std::uint64_t kMapBytesMin = 256 * 1024;
constexpr std::uint64_t kMapBytesMax = 1ULL << 46;   // half of what 48-bit addresses give a process
constexpr std::uint64_t kCommitsBetweenChecks = 64;  // for readers of dead processes
constexpr std::uint64_t kGrowthUnsynced = 64 << 20;  // bytes
constexpr const char* kCompacted = "compact.mdb";
constexpr const char* kMapFull = "the store's map is full";
constexpr const char* kNotAStore = "not a Skerry store";
constexpr const char* kOlder =
    "the store has format {a}, ours is {b}: open it once for writing, and it is brought up to date";
constexpr std::size_t kPageHeaderBytes = 16;  // LMDB's
constexpr std::uint32_t kVersionOfSums = 2;   // the first with checksums

MDB_val val_of(Bytes bytes) noexcept {
  return {bytes.size(), const_cast<std::byte*>(bytes.data())};
}
Bytes bytes_at(const MDB_val& val) noexcept {
  return {static_cast<const std::byte*>(val.mv_data), val.mv_size};
}

bool is_map_full(Status status) noexcept {
  return status.text() == kMapFull;
}

// What an open looks at: these tables are walked by it, also in a large store.
constexpr std::array kTablesOfOpen = {Table::meta, Table::collections, Table::counters, Table::log,
                                      Table::dropped};

bool is_of_open(Table table) noexcept {
  return std::find(kTablesOfOpen.begin(), kTablesOfOpen.end(), table) != kTablesOfOpen.end();
}

// What stands behind the values of a table.
std::size_t sum_bytes(Table table, std::uint32_t version) noexcept {
  return version < kVersionOfSums || table == Table::vectors ? 0 : kSumBytes;
}

// The value without its checksum, if that is right.
Result<Bytes> without_sum(Table table, std::uint32_t version, Bytes key, Bytes value) noexcept {
  const std::size_t extra = sum_bytes(table, version);
  if (extra == 0) return value;
  if (value.size() >= extra) {
    const Bytes content = value.first(value.size() - extra);
    if (get_le<std::uint32_t>(content.data() + content.size()) == record_sum(table, key, content)) {
      return content;
    }
  }
  return Status(Code::corruption, "a record of table {a} of the store is damaged",
                static_cast<std::uint64_t>(table));
}

using Signatures = std::array<std::byte, kSignaturesKept * sizeof(std::uint64_t)>;

std::size_t place_of_signature(std::uint64_t transaction) noexcept {
  return transaction % kSignaturesKept * sizeof(std::uint64_t);
}

// Zeroes when there are none yet.
Status read_signatures(const Transaction& transaction, Signatures& signatures) noexcept {
  const Result<Bytes> found = transaction.get(Table::counters, CollectionKey(kSignatures));
  if (!found.ok()) return found.error().code() == Code::not_found ? Status() : found.error();
  if (found->size() != signatures.size()) {
    return Status(Code::corruption, "the signatures of the store's commits are damaged");
  }
  std::memcpy(signatures.data(), found->data(), signatures.size());
  return Status();
}

// Of the format's record, which was read with whatever stands behind it. A newer version may have
// another length.
bool is_whole(Bytes bytes, const Format& format) noexcept {
  if (format.version == 0) return false;
  if (bytes.size() == kFormatBytes + kSumBytes) {
    return without_sum(Table::meta, kVersionOfSums, bytes_of("format"), bytes).ok();
  }
  return format.version > kVersion || (format.version == 1 && bytes.size() == kFormatBytes);
}

// LMDB says EIO when a write was cut short, which is how a full device looks to it. Ask the device:
// for room behind the file's end, which changes no byte of it, as another process may be writing.
bool device_is_full(int fd) noexcept {
  struct stat file = {};
  if (::fstat(fd, &file) != 0) return false;
  struct statvfs device = {};
  if (::fstatvfs(fd, &device) == 0 && device.f_bavail == 0) return true;
  constexpr off_t kPage = 4096;
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      static_cast<rlim_t>(file.st_size + kPage) > limit.rlim_cur) {
    return true;
  }
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, file.st_size, kPage) == 0) return false;
  return errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
}

// Table 0 of LMDB lists the free pages: each value begins with how many it names.
Result<std::uint64_t> free_pages(MDB_txn* txn) noexcept {
  MDB_cursor* cursor = nullptr;
  int error = mdb_cursor_open(txn, 0, &cursor);
  if (error != 0) return status_of_lmdb(error);
  std::uint64_t pages = 0;
  MDB_val key = {};
  MDB_val value = {};
  while ((error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
    std::size_t count = 0;
    std::memcpy(&count, value.mv_data, std::min(sizeof count, value.mv_size));
    pages += count;
  }
  mdb_cursor_close(cursor);
  if (error != MDB_NOTFOUND) return status_of_lmdb(error);
  return pages;
}

// LMDB tells of the table of readers in lines: a heading, then "pid thread transaction", the last
// "-" when the reader rests.
struct ReaderCount {
  std::uint64_t readers = 0;
  std::uint64_t oldest = ~std::uint64_t{0};  // transaction

  static int add_line(const char* line, void* context) noexcept {
    auto& count = *static_cast<ReaderCount*>(context);
    unsigned long long pid = 0;
    unsigned long long thread = 0;
    unsigned long long transaction = 0;
    if (std::sscanf(line, "%llu %llx %llu", &pid, &thread, &transaction) == 3) {
      ++count.readers;
      count.oldest = std::min<std::uint64_t>(count.oldest, transaction);
    }
    return 0;
  }
};

// LMDB's table of readers: a header, and an entry for each, of which the header holds the first.
constexpr off_t table_bytes(std::uint32_t readers) noexcept {
  return 192 + off_t{64} * (readers - 1);
}

// LMDB makes the table longer where it must, and leaves one that is longer. Who is alone empties
// that, so that there is room for as many as were asked for. A medium that cannot be written to may
// keep it.
Status forget_readers(const std::filesystem::path& file, std::uint32_t readers,
                      bool read_only) noexcept {
  struct stat found = {};
  if (::stat(file.c_str(), &found) != 0 || found.st_size <= table_bytes(readers)) return Status();
  if (::truncate(file.c_str(), 0) == 0 || read_only) return Status();
  return status_of_errno(errno, "cannot empty store/lock.mdb: {e}");
}

// LMDB writes its table of readers through memory, where a device without room is no error but
// SIGBUS. So the room is taken before. A file system that cannot do that is let be.
Status take_room_for_readers(const std::filesystem::path& file, std::uint32_t readers) noexcept {
  const Descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd.get() < 0) return status_of_errno(errno, "cannot open store/lock.mdb: {e}");
  if (::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, table_bytes(readers)) == 0 || errno != ENOSPC) {
    return Status();
  }
  return status_of_errno(ENOSPC, "");
}

}  // namespace

bool is_of_older_version(Status status) noexcept {
  return status.text() == kOlder;
}

Status status_of_lmdb(int error) noexcept {
  switch (error) {
    case MDB_SUCCESS:
      return Status();
    case MDB_NOTFOUND:
      return Status(Code::not_found, "no such row in the store");
    case MDB_MAP_RESIZED:
      return Status(Code::out_of_memory, "no address space for the store, which has grown");
    case MDB_MAP_FULL:
      return Status(Code::storage_full, kMapFull);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_BAD_TXN:  // a read that goes on after it has met such a page
      return Status(Code::corruption, "a page of the store is damaged");
    case MDB_INVALID:
      return Status(Code::corruption, "store/data.mdb is damaged, or is no LMDB file");
    case MDB_VERSION_MISMATCH:
      return Status(Code::incompatible, "the store was made by another version of LMDB");
    case MDB_INCOMPATIBLE:
      return Status(Code::corruption, "a table of the store is of another kind");
    case MDB_PANIC:
      return Status(Code::io_error, "the store's root could not be written");
    case MDB_READERS_FULL:
      return Status(Code::busy, "more than max_readers read the store at once");
    case MDB_TXN_FULL:
      return Status(Code::storage_full, "the batch has too many pages for one transaction");
    case MDB_BAD_VALSIZE:
      return Status(Code::invalid_argument, "a key or value is too long for the store");
    default:
      if (error > 0) return status_of_errno(error, "the store cannot be read or written: {e}");
      return Status(Code::io_error, "the store refused (LMDB error -{a})",
                    static_cast<std::uint64_t>(-error));
  }
}

// -- Transaction ----------------------------------------------------------------------------------

// A value with pages of its own begins behind a page's header, where no other value does. What is
// not in the map was written by this transaction.
Status Pages::check(Bytes value) const noexcept {
  if (map == nullptr) return Status();
  const auto at =
      reinterpret_cast<std::uintptr_t>(value.data()) - reinterpret_cast<std::uintptr_t>(map);
  if (at >= bytes || at % page_bytes != kPageHeaderBytes) return Status();
  const std::uint64_t page = at / page_bytes;
  if (is_header_of(map + page * page_bytes, page, page_bytes, value.size())) return Status();
  return Status(Code::corruption, "page {b} of store/data.mdb is damaged", 0, page);
}

Status Transaction::walk(Extent extent) const noexcept {
  return unwalked_ == nullptr ? Status() : unwalked_->walk(extent);
}

// Before LMDB is asked for a row of the table.
Status Transaction::touch(Table table) const noexcept {
  return unwalked_ == nullptr || is_of_open(table) ? Status() : unwalked_->walk(Extent::tables);
}

Result<Bytes> Transaction::get(Table table, Bytes key) const noexcept {
  const Status touched = touch(table);
  if (!touched.ok()) return touched;
  MDB_val k = val_of(key);
  MDB_val v = {};
  const int error = mdb_get(txn_, tables_[static_cast<std::size_t>(table)], &k, &v);
  if (error == MDB_NOTFOUND) {
    const Status status = check_around(table, key);
    if (!status.ok()) return status;
  }
  if (error != 0) return status_of_lmdb(error);
  const Status status = pages_.check(bytes_at(v));
  if (!status.ok()) return status;
  return without_sum(table, version_, key, bytes_at(v));
}

// A bit that turns over in a key leaves the row where it was, or puts the table out of order, which
// the survey sees. So when a key is not found, its row may be the one that stands before or behind
// its place: then that one's checksum is wrong.
Status Transaction::check_around(Table table, Bytes key) const noexcept {
  if (sum_bytes(table, version_) == 0) return Status();
  Cursor cursor(*this, table);
  const auto check = [&](bool found) { return found ? cursor.value().status() : cursor.status(); };
  const Status behind = check(cursor.seek(key));
  return behind.ok() ? check(cursor.back()) : behind;
}

Status Transaction::put(Table table, Bytes key, Bytes value) noexcept {
  const Result<Room> room = reserve(table, key, value.size());
  if (!room.ok()) return room.error();
  if (!value.empty()) std::memcpy(room->bytes, value.data(), value.size());
  seal(table, key, *room, value.size());
  return Status();
}

void Transaction::seal(Table table, Bytes key, const Room& room, std::size_t size) const noexcept {
  if (sum_bytes(table, version_) == 0) return;
  put_le(room.bytes + size, record_sum(table, key, Bytes(room.bytes, size)));
}

Result<Transaction::Room> Transaction::reserve(Table table, Bytes key, std::size_t size) noexcept {
  has_written_ = true;
  size += sum_bytes(table, version_);
  MDB_val k = val_of(key);
  MDB_val v = {size, nullptr};
  const unsigned dbi = tables_[static_cast<std::size_t>(table)];
  int error = mdb_put(txn_, dbi, &k, &v, MDB_RESERVE | MDB_NOOVERWRITE);
  if (error == 0) return Room{static_cast<std::byte*>(v.mv_data), true};
  if (error != MDB_KEYEXIST) return status_of_lmdb(error);
  const Status status = pages_.check(bytes_at(v));
  if (!status.ok()) return status;
  k = val_of(key);
  // Where the transaction has written the value before, LMDB would leave a shorter one the pages
  // that it had: then nothing but their header would say how many they are.
  if (pages_of_value(size) < pages_of_value(v.mv_size)) {
    error = mdb_del(txn_, dbi, &k, nullptr);
    if (error != 0) return status_of_lmdb(error);
  }
  v = {size, nullptr};
  error = mdb_put(txn_, dbi, &k, &v, MDB_RESERVE);
  if (error != 0) return status_of_lmdb(error);
  return Room{static_cast<std::byte*>(v.mv_data), false};
}

Result<bool> Transaction::remove(Table table, Bytes key) noexcept {
  MDB_val k = val_of(key);
  MDB_val v = {};
  const unsigned dbi = tables_[static_cast<std::size_t>(table)];
  int error = pages_.map == nullptr ? 0 : mdb_get(txn_, dbi, &k, &v);
  if (error == 0) {
    const Status status = pages_.check(bytes_at(v));
    if (!status.ok()) return status;
    error = mdb_del(txn_, dbi, &k, nullptr);
  }
  if (error == MDB_NOTFOUND) return false;
  if (error != 0) return status_of_lmdb(error);
  has_written_ = true;
  return true;
}

Result<std::uint64_t> Transaction::rows(Table table) const noexcept {
  const Status touched = touch(table);
  if (!touched.ok()) return touched;
  MDB_stat shape = {};
  const int error = mdb_stat(txn_, tables_[static_cast<std::size_t>(table)], &shape);
  if (error != 0) return status_of_lmdb(error);
  return std::uint64_t{shape.ms_entries};
}

std::uint32_t Transaction::value_bytes_of_page() const noexcept {
  MDB_stat shape = {};
  mdb_env_stat(mdb_txn_env(txn_), &shape);
  return shape.ms_psize - kPageHeaderBytes;
}

// If it has pages of its own.
std::uint64_t Transaction::pages_of_value(std::size_t bytes) const noexcept {
  const std::size_t page_bytes = kPageHeaderBytes + value_bytes_of_page();
  return (kPageHeaderBytes + bytes + page_bytes - 1) / page_bytes;
}

// -- Cursor ---------------------------------------------------------------------------------------

Cursor::Cursor(const Transaction& transaction, Table table) noexcept
    : transaction_(transaction), table_(table) {
  status_ = transaction.touch(table);
  if (!status_.ok()) return;
  status_ = status_of_lmdb(mdb_cursor_open(
      transaction.txn_, transaction.tables_[static_cast<std::size_t>(table)], &cursor_));
}

Cursor::~Cursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

bool Cursor::move(Bytes from, int how) noexcept {
  if (!status_.ok()) return false;
  MDB_val k = val_of(from);
  MDB_val v = {};
  const int error = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(how));
  if (error != 0) {
    if (error != MDB_NOTFOUND) status_ = status_of_lmdb(error);
    return false;
  }
  key_ = bytes_at(k);
  value_ = bytes_at(v);
  return true;
}

Result<Bytes> Cursor::value() const noexcept {
  const Status status = transaction_.pages_.check(value_);
  if (!status.ok()) return status;
  return without_sum(table_, transaction_.version_, key_, value_);
}

bool Cursor::seek(Bytes from) noexcept {
  return move(from, MDB_SET_RANGE);
}
bool Cursor::next() noexcept {
  return move({}, MDB_NEXT);
}
bool Cursor::back() noexcept {
  return move({}, MDB_PREV);
}

bool Cursor::starts_with(Bytes prefix) const noexcept {
  return key_.size() >= prefix.size() &&
         std::memcmp(key_.data(), prefix.data(), prefix.size()) == 0;
}

Status Cursor::remove() noexcept {
  const Status status = transaction_.pages_.check(value_);
  if (!status.ok()) return status;
  transaction_.has_written_ = true;
  return status_of_lmdb(mdb_cursor_del(cursor_, 0));
}

// -- opening --------------------------------------------------------------------------------------

Environment::Environment(std::filesystem::path folder, const EnvironmentOptions& options)
    : folder_(std::move(folder)), options_(options) {}

Environment::~Environment() {
  close();
}

Status Environment::create(const std::filesystem::path& folder) {
  Environment environment(folder, EnvironmentOptions{.map_bytes = kMapBytesMin});
  if (::getrandom(&environment.format_.identity, sizeof environment.format_.identity, 0) !=
      static_cast<ssize_t>(sizeof environment.format_.identity)) {
    return status_of_errno(errno, "no random numbers: {e}");
  }
  const Status status = environment.start_map(true);
  environment.close();
  if (!status.ok()) return status;
  return sync_path(folder);
}

Result<std::unique_ptr<Environment>> Environment::open(const std::filesystem::path& folder,
                                                       const EnvironmentOptions& options) {
  std::unique_ptr<Environment> environment(new Environment(folder, options));
  if (!options.read_only && ::getrandom(&environment->token_, sizeof environment->token_, 0) !=
                                static_cast<ssize_t>(sizeof environment->token_)) {
    return status_of_errno(errno, "no random numbers: {e}");
  }
  // While others write, plain reads without a reader's protection would meet a page that is being
  // written: what the first process to open has walked is walked, the rest at the first touch.
  const Status status = environment->start(options.alone || options.blind);
  if (!status.ok()) return status;
  if (options.alone && !options.read_only) environment->remove_leftovers();
  return environment;
}

// Of a compaction that was killed, and of a root that was being kept. What stays costs room and
// nothing else.
void Environment::remove_leftovers() const {
  for (const char* name : {kCompacted, kKeptRootBeside}) ::unlink((folder_ / name).c_str());
}

Status Environment::start(bool survey_first) const {
  // LMDB would make a new store out of a missing or an empty file. Neither may become one silently.
  bool is_unsynced = false;
  {
    const Descriptor fd(::open((folder_ / "data.mdb").c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) {
      if (errno == ENOENT) return Status(Code::corruption, "store/data.mdb is missing");
      return status_of_errno(errno, "cannot open store/data.mdb: {e}");
    }
    struct stat file = {};
    if (::fstat(fd.get(), &file) != 0) {
      return status_of_errno(errno, "cannot look at store/data.mdb: {e}");
    }
    if (file.st_size == 0) return Status(Code::corruption, "store/data.mdb is empty");
    const Result<bool> kept = recover_synced_root(folder_, options_.read_only);
    if (!kept.ok()) return kept.error();
    is_unsynced = *kept && !options_.read_only;
    if (survey_first) {
      std::array<const char*, kTablesOfOpen.size()> names;
      std::transform(kTablesOfOpen.begin(), kTablesOfOpen.end(), names.begin(),
                     [](Table table) { return kTableNames[static_cast<std::size_t>(table)]; });
      const Result<Extent> walked = survey(fd.get(), options_.bytes_walked_whole, names);
      if (!walked.ok()) return walked.error();
      first_touch_.set(*walked);
    }
  }
  Status status;
  if (options_.alone) status = forget_readers(folder_ / "lock.mdb", readers(), options_.read_only);
  if (status.ok()) status = start_map(false);
  if (!status.ok() || !is_unsynced) return status;
  // What a killed writer left in the system's hands.
  status = status_of_lmdb(mdb_env_sync(env_, 1));
  if (status.ok()) status = forget_synced_root(folder_);
  if (!status.ok()) stop();
  return status;
}

Status Environment::start_map(bool make_tables) const {
  // Before there is an environment that an exception would leave half open.
  const std::filesystem::path lock_file = folder_ / "lock.mdb";
  int error = mdb_env_create(&env_);
  if (error != 0) return status_of_lmdb(error);
  map_bytes_ = std::clamp(std::max(options_.map_bytes, map_bytes_), kMapBytesMin, kMapBytesMax);
  map_bytes_ = (map_bytes_ + kMapRounding - 1) / kMapRounding * kMapRounding;
  unsigned flags = MDB_NOTLS;
  if (options_.read_only) flags |= MDB_RDONLY;
  if (options_.blind) flags |= MDB_NOLOCK;
  if (options_.durability == Durability::interval) flags |= MDB_NOMETASYNC;
  if (options_.durability == Durability::none) flags |= MDB_NOSYNC;
  error = mdb_env_set_mapsize(env_, map_bytes_);
  if (error == 0) error = mdb_env_set_maxreaders(env_, readers());
  if (error == 0) error = mdb_env_set_maxdbs(env_, kTableNames.size());
  Status status = status_of_lmdb(error);
  if (status.ok() && !options_.blind) status = take_room_for_readers(lock_file, readers());
  if (status.ok()) error = mdb_env_open(env_, folder_.c_str(), flags, 0644);
  if (status.ok()) status = status_of_lmdb(error);
  if (status.code() == Code::not_found || error == ENOENT) {
    status = Status(Code::corruption, "store/data.mdb is cut short");
  }
  if (status.ok()) {
    clear_stale_readers();
    status = open_tables(make_tables);
  }
  if (!status.ok()) stop();
  if (status.ok()) {
    MDB_envinfo info = {};
    mdb_env_info(env_, &info);
    map_bytes_ = info.me_mapsize;
  }
  return status;
}

Status Environment::open_tables(bool make) const noexcept {
  MDB_txn* txn = nullptr;
  int error = mdb_txn_begin(env_, nullptr, make ? 0 : MDB_RDONLY, &txn);
  while (error == MDB_MAP_RESIZED && mdb_env_set_mapsize(env_, 0) == 0) {
    error = mdb_txn_begin(env_, nullptr, make ? 0 : MDB_RDONLY, &txn);
  }
  if (error != 0) return status_of_lmdb(error);
  // The format is read as it stands, before its version is known.
  Transaction transaction(txn, tables_, make ? format_.version : 1);
  Status status;
  std::size_t count = kTableNames.size();
  for (std::size_t i = 0; i < count && status.ok(); ++i) {
    const bool is_meta = i == static_cast<std::size_t>(Table::meta);
    error = mdb_dbi_open(txn, kTableNames[i], make ? MDB_CREATE : 0, &tables_[i]);
    if (error == MDB_NOTFOUND || error == MDB_INCOMPATIBLE) {
      status = is_meta ? Status(Code::incompatible, kNotAStore)
                       : Status(Code::corruption, "a table of the store is missing");
    } else {
      status = status_of_lmdb(error);
    }
    if (!status.ok() || !is_meta) continue;
    // The format is looked at before the other tables: another version may have others.
    if (make) {
      status = transaction.put(Table::meta, bytes_of("format"), encode(format_));
      knows_format_ = true;
      continue;
    }
    Format found;
    const Result<Bytes> bytes = transaction.get(Table::meta, bytes_of("format"));
    if (!bytes.ok() && bytes.error().code() != Code::not_found) {
      status = bytes.error();
    } else if (!bytes.ok() || !decode(*bytes, found)) {
      status = Status(Code::incompatible, kNotAStore);
    } else if (!is_whole(*bytes, found)) {
      status = Status(Code::corruption, "the store's format record is damaged");
    } else if (found.version > kVersion) {
      status = Status(Code::incompatible,
                      "the store was made by a newer version of Skerry (format {a}, ours is {b})",
                      found.version, kVersion);
    } else if (found.version < options_.version) {
      status = Status(Code::incompatible, kOlder, found.version, options_.version);
    }
    if (found.version == 1) count = static_cast<std::size_t>(Table::places);
    transaction.version_ = found.version;
    // The first time nobody else is here. Later, in a compaction, others read it.
    if (status.ok() && !knows_format_) {
      format_ = found;
      knows_format_ = true;
    }
  }
  if (status.ok() && make) {
    status = transaction.put(Table::counters, CollectionKey(0), encode(Counters()));
  }
  if (!status.ok()) {
    mdb_txn_abort(txn);
    return status;
  }
  return status_of_lmdb(mdb_txn_commit(txn));
}

void Environment::stop() const noexcept {
  if (env_ == nullptr) return;
  for (MDB_txn* txn : idle_) mdb_txn_abort(txn);
  idle_.clear();
  end_held();
  if (kept_ != nullptr) mdb_txn_abort(std::exchange(kept_, nullptr));
  mdb_env_close(env_);
  env_ = nullptr;
  map_.store(nullptr, std::memory_order_relaxed);
}

void Environment::close() noexcept {
  const std::lock_guard writing(write_mutex_);
  const std::lock_guard turn(turnstile_);
  const std::unique_lock map(map_lock_);
  closed_ = true;
  stop();
}

// -- transactions ---------------------------------------------------------------------------------

// With the environment held in any way. Whether there were any.
bool Environment::clear_stale_readers() const noexcept {
  int dead = 0;
  if (options_.blind || mdb_reader_check(env_, &dead) != 0 || dead <= 0) return false;
  stale_readers_.fetch_add(static_cast<std::uint64_t>(dead), std::memory_order_relaxed);
  return true;
}

int Environment::begin_read(MDB_txn** txn) const noexcept {
  {
    const std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      *txn = idle_.back();
      idle_.pop_back();
    }
  }
  if (*txn == nullptr) {
    const int error = mdb_txn_begin(env_, nullptr, MDB_RDONLY, txn);
    if (error != MDB_READERS_FULL || !clear_stale_readers()) return error;
    return mdb_txn_begin(env_, nullptr, MDB_RDONLY, txn);
  }
  const int error = mdb_txn_renew(*txn);
  if (error != 0) mdb_txn_abort(std::exchange(*txn, nullptr));
  return error;
}

// The same, and the root that the reader sees. Two commits by another process later another root is
// in its place, or half of one: it is ours for certain when a reader that begins after we have read
// it still gets the same transaction, as who writes to the place begins after the one in between.
int Environment::begin_read(MDB_txn** txn, Root& root) const noexcept {
  int error = begin_read(txn);
  if (error != 0) return error;
  int fd = -1;
  MDB_stat shape = {};
  mdb_env_get_fd(env_, &fd);
  mdb_env_stat(env_, &shape);
  for (;;) {
    const std::size_t number = mdb_txn_id(*txn);
    const Result<Root> found = read_root(fd, shape.ms_psize, number);
    mdb_txn_reset(*txn);
    error = mdb_txn_renew(*txn);
    const bool is_same = error == 0 && mdb_txn_id(*txn) == number;
    if (error == 0 && !is_same) continue;
    if (is_same && found.ok()) root = *found;
    if (is_same && !found.ok()) {
      error = found.error().code() == Code::not_found ? MDB_CORRUPTED : EIO;
    }
    if (error != 0) mdb_txn_abort(std::exchange(*txn, nullptr));
    return error;
  }
}

// Under write_mutex_.
int Environment::begin_write(MDB_txn** txn) const noexcept {
  for (;;) {
    const int error = mdb_txn_begin(env_, nullptr, 0, txn);
    if (error != MDB_MAP_RESIZED || !adopt_map().ok()) return error;
  }
}

void Environment::end_read(MDB_txn* txn) const noexcept {
  mdb_txn_reset(txn);
  try {
    const std::lock_guard lock(idle_mutex_);
    idle_.push_back(txn);
  } catch (const std::bad_alloc&) {
    mdb_txn_abort(txn);
  }
}

// Under write_mutex_: opens what a failure has closed.
Status Environment::reopen() const noexcept try {
  if (env_ != nullptr) return Status();
  if (closed_) return Status(Code::closed, "the database is closed");
  const std::lock_guard turn(turnstile_);
  const std::unique_lock map(map_lock_);
  return start(false);
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory to open the store again");
}

std::shared_lock<std::shared_mutex> Environment::hold_map() const noexcept {
  turnstile_.lock();
  turnstile_.unlock();
  return std::shared_lock(map_lock_);
}

// For a call that reads: success with the map held and the environment open.
Status Environment::enter(std::shared_lock<std::shared_mutex>& map) const noexcept {
  for (;;) {
    map = hold_map();
    if (env_ != nullptr) return Status();
    map.unlock();
    const std::lock_guard writing(write_mutex_);
    const Status status = reopen();
    if (!status.ok()) return status;
  }
}

// A reading that is under way on this thread, and those that it is inside of.
struct Environment::Outer {
  const Environment* environment;
  const Transaction* transaction;
  const Outer* next;
};
thread_local const Environment::Outer* Environment::outer_ = nullptr;

// Null: this thread does not read the store.
const Transaction* Environment::outer_reading() const noexcept {
  const Outer* at = outer_;
  while (at != nullptr && at->environment != this) at = at->next;
  return at == nullptr ? nullptr : at->transaction;
}

Status Environment::read(FunctionRef<Status(const Transaction&)> work) const {
  const Transaction* outer = outer_reading();
  return outer != nullptr ? work(*outer) : read_to(Extent::tables, work);
}

// Whatever of the store is not walked as far as `extent` can be walked by `work`.
Status Environment::read_to(Extent extent, FunctionRef<Status(const Transaction&)> work) const {
  std::shared_lock<std::shared_mutex> map;
  MDB_txn* txn = nullptr;
  Unwalked unwalked{first_touch_, -1, {}};
  bool is_walked = false;
  for (;;) {
    const Status entered = enter(map);
    if (!entered.ok()) return entered;
    is_walked = first_touch_.has(extent);
    const int error = is_walked ? begin_read(&txn) : begin_read(&txn, unwalked.root);
    if (error == 0) break;
    if (error != MDB_MAP_RESIZED) return status_of_lmdb(error);
    map.unlock();
    const std::lock_guard writing(write_mutex_);
    Status status = reopen();
    if (status.ok()) status = adopt_map();
    if (!status.ok()) return status;
  }
  // Whatever happens in `work`, the snapshot is let go.
  struct End {
    const Environment& environment;
    MDB_txn* txn;
    ~End() { environment.end_read(txn); }
  } end{*this, txn};
  Transaction transaction(txn, tables_, format_.version);
  if (!is_walked) {
    mdb_env_get_fd(env_, &unwalked.fd);
    transaction.unwalked_ = &unwalked;
  }
  return run(transaction, work);
}

// With the map held. A reading inside of `work` is given the same transaction.
Status Environment::run(Transaction& transaction,
                        FunctionRef<Status(const Transaction&)> work) const {
  transaction.pages_ = pages_in_map(transaction.txn_);
  struct Inside {
    const Outer here;
    ~Inside() { outer_ = here.next; }
  } inside{{this, &transaction, outer_}};
  outer_ = &inside.here;
  return work(transaction);
}

// Before what waits for readers, and must not wait for itself.
Status Environment::walk(Extent extent) const {
  SKERRY_ASSERT(outer_reading() == nullptr);
  if (first_touch_.has(extent)) return Status();
  return read_to(extent, [&](const Transaction& transaction) { return transaction.walk(extent); });
}

// For a transaction that has written nothing yet. The main table was walked, so its page has the
// number that it says; and pages are not longer than the machine's, or every header would have been
// read.
Pages Environment::pages_in_map(MDB_txn* txn) const noexcept {
  if (first_touch_.has(Extent::everything)) return {};
  MDB_stat shape = {};
  mdb_env_stat(env_, &shape);
  const std::byte* map = map_.load(std::memory_order_relaxed);
  if (map == nullptr) {
    constexpr unsigned kMainTable = 1;
    MDB_val key = val_of(bytes_of(kTableNames[0]));
    MDB_val value = {};
    if (mdb_get(txn, kMainTable, &key, &value) != 0) return {};
    const auto* at = static_cast<const std::byte*>(value.mv_data);
    at -= reinterpret_cast<std::uintptr_t>(at) % shape.ms_psize;
    std::uint64_t number = 0;
    std::memcpy(&number, at, sizeof number);
    map = at - number * shape.ms_psize;
    map_.store(map, std::memory_order_relaxed);
  }
  return {map, map_bytes_, shape.ms_psize};
}

Status Environment::write(FunctionRef<Status(Transaction&)> work) {
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  const Status walked = walk(Extent::tables);
  if (!walked.ok()) return walked;
  const std::lock_guard writing(write_mutex_);
  for (;;) {
    Status status = reopen();
    if (!status.ok()) return status;
    struct Open {
      MDB_txn* txn = nullptr;
      ~Open() {
        if (txn != nullptr) mdb_txn_abort(txn);
      }
    } open;
    int error = begin_write(&open.txn);
    if (error != 0) return status_of_lmdb(error);
    if (options_.durability == Durability::none && kept_ == nullptr) {
      status = keep_root();
      if (!status.ok()) return status;
    }
    const std::uint64_t number = mdb_txn_id(open.txn);
    Transaction transaction(open.txn, tables_, format_.version);
    transaction.pages_ = pages_in_map(open.txn);
    status = work(transaction);
    if (status.ok() && transaction.has_written_) status = sign(transaction, number, ++token_);
    if (status.ok()) {
      error = mdb_txn_commit(std::exchange(open.txn, nullptr));
      if (error == 0) {
        const std::uint64_t commits = commits_.fetch_add(1, std::memory_order_relaxed);
        if (commits % kCommitsBetweenChecks == 0) clear_stale_readers();
        // The write is done; a sync that fails is tried again by the next.
        if (kept_ != nullptr && is_outgrown()) static_cast<void>(let_root_go());
        return status;
      }
      status = commit_failure(error, number, token_);
      if (status.ok()) return status;
    } else if (open.txn != nullptr) {
      mdb_txn_abort(std::exchange(open.txn, nullptr));
    }
    if (!is_map_full(status)) return status;
    if (clear_stale_readers()) continue;  // what they kept is free now
    status = grow();
    if (!status.ok()) return status;
  }
}

// In a write that has written nothing yet: its predecessor is what power loss goes back to.
Status Environment::keep_root() {
  Status status = status_of_lmdb(mdb_env_sync(env_, 1));
  if (!status.ok()) return status;
  MDB_txn* snapshot = nullptr;
  status = status_of_lmdb(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &snapshot));
  if (!status.ok()) return status;
  int fd = -1;
  MDB_stat shape = {};
  MDB_envinfo info = {};
  mdb_env_get_fd(env_, &fd);
  mdb_env_stat(env_, &shape);
  mdb_env_info(env_, &info);
  status = keep_synced_root(folder_, fd, mdb_txn_id(snapshot), shape.ms_psize);
  if (!status.ok()) {
    mdb_txn_abort(snapshot);
    return status;
  }
  kept_ = snapshot;
  kept_pages_ = info.me_last_pgno + 1;
  kept_used_ = 0;
  return status;
}

// Under write_mutex_, between writes: syncs everything, so that nothing needs to be gone back to.
Status Environment::let_root_go() {
  Status status = status_of_lmdb(mdb_env_sync(env_, 1));
  if (status.ok() && kept_ != nullptr) status = forget_synced_root(folder_);
  if (status.ok() && kept_ != nullptr) mdb_txn_abort(std::exchange(kept_, nullptr));
  return status;
}

// Pages that were freed since the snapshot are not used again: a store that is never synced would
// grow with every write. It may be a quarter longer than what was in use, or 64 MB; one that is
// longer already, as much was removed, syncs when those that were free are used up.
bool Environment::is_outgrown() noexcept {
  MDB_stat shape = {};
  MDB_envinfo info = {};
  mdb_env_stat(env_, &shape);
  mdb_env_info(env_, &info);
  const std::uint64_t pages = info.me_last_pgno + 1;
  if (pages <= kept_pages_) return false;
  if (kept_used_ == 0) {
    const Result<std::uint64_t> free = free_pages(kept_);
    kept_used_ = kept_pages_ - (free.ok() ? std::min(*free, kept_pages_ - 1) : 0);
  }
  return pages > kept_used_ + std::max(kGrowthUnsynced / shape.ms_psize, kept_used_ / 4);
}

// The commit of this number will be known by the token.
Status Environment::sign(Transaction& transaction, std::uint64_t number,
                         std::uint64_t token) const noexcept {
  Signatures signatures = {};
  const Status status = read_signatures(transaction, signatures);
  if (!status.ok()) return status;
  put_le(&signatures[place_of_signature(number)], token);
  return transaction.put(Table::counters, CollectionKey(kSignatures), signatures);
}

// What a commit that failed means. LMDB refuses everything after it could not write its root:
// closed and opened again, it goes on from the last root that was written whole.
Status Environment::commit_failure(int error, std::uint64_t number, std::uint64_t token) noexcept {
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  const Status status =
      error == EIO && device_is_full(fd) ? status_of_errno(ENOSPC, "") : status_of_lmdb(error);
  {
    const std::lock_guard turn(turnstile_);
    const std::unique_lock map(map_lock_);
    MDB_txn* probe = nullptr;
    if (begin_read(&probe) == 0) {
      end_read(probe);
      return status;
    }
    stop();
  }
  return reopen().ok() ? settle(status, number, token) : status;
}

// The root of a commit that failed may be there all the same, and needs only to be synced. Or it is
// there and no transaction sees it: while others have the store open LMDB goes by a number in their
// lock file, which did not move. Then the next commit of any of them gets the number and its place,
// and we see to it at once: were all of them killed before, the root would be found by the next
// open.
Status Environment::settle(Status failure, std::uint64_t number, std::uint64_t token) noexcept {
  MDB_txn* probe = nullptr;
  int error = begin_read(&probe);
  if (error == MDB_MAP_RESIZED && adopt_map().ok()) error = begin_read(&probe);
  if (error != 0) return failure;
  const std::uint64_t last = mdb_txn_id(probe);
  Signatures signatures = {};
  const Status read = read_signatures(Transaction(probe, tables_, format_.version), signatures);
  end_read(probe);
  if (last >= number + kSignaturesKept) {
    return Status(Code::io_error, "it is not known whether the write was made");
  }
  const auto signature = get_le<std::uint64_t>(&signatures[place_of_signature(number)]);
  if (read.ok() && last >= number && signature == token) {
    if (mdb_env_sync(env_, 1) != 0) {
      return Status(Code::io_error, "the write was made, but may not survive power loss");
    }
    commits_.fetch_add(1, std::memory_order_relaxed);
    return Status();
  }
  MDB_envinfo info = {};
  mdb_env_info(env_, &info);
  // When it cannot be hidden now, the next write does it.
  if (info.me_last_txnid > last) static_cast<void>(hide_root());
  return failure;
}

// With a commit of nothing but a signature.
Status Environment::hide_root() noexcept {
  MDB_txn* txn = nullptr;
  const int error = begin_write(&txn);
  if (error != 0) return status_of_lmdb(error);
  Transaction transaction(txn, tables_, format_.version);
  const Status status = sign(transaction, mdb_txn_id(txn), ++token_);
  if (status.ok()) return status_of_lmdb(mdb_txn_commit(txn));
  mdb_txn_abort(txn);
  return status;
}

// Under write_mutex_, with no write under way.
Status Environment::grow() noexcept {
  const Status status = move_map(map_bytes_ * 2);
  if (status.ok()) grown_.fetch_add(1, std::memory_order_relaxed);
  return status;
}

// The same, when another process has let the store outgrow our map.
Status Environment::adopt_map() const noexcept {
  MDB_envinfo info = {};
  MDB_stat shape = {};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &shape);
  std::uint64_t larger = map_bytes_;
  while (larger < (info.me_last_pgno + 1) * shape.ms_psize) larger *= 2;
  return move_map(larger);
}

Status Environment::move_map(std::uint64_t larger) const noexcept {
  const std::lock_guard turn(turnstile_);
  const std::unique_lock map(map_lock_);
  const Status full(Code::storage_full, "no address space for a larger map of the store");
  if (larger > kMapBytesMax) return full;
  if (larger > map_bytes_) {
    // LMDB lets go of the old map before it asks for the new one: make sure that it will get it.
    void* probe = ::mmap(nullptr, larger - map_bytes_, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED) return full;
    ::munmap(probe, larger - map_bytes_);
  }
  const int error = mdb_env_set_mapsize(env_, larger);
  map_.store(nullptr, std::memory_order_relaxed);
  if (error != 0) {
    // Somebody took the space in between, and LMDB has no map at all now, though it does not know:
    // the next call opens it anew.
    stop();
    return full;
  }
  // LMDB takes more when another process has used more.
  MDB_envinfo info = {};
  mdb_env_info(env_, &info);
  map_bytes_ = info.me_mapsize;
  return Status();
}

Status Environment::sync() {
  if (options_.read_only) return Status();
  if (options_.durability == Durability::none) {
    const std::lock_guard writing(write_mutex_);
    const Status status = reopen();
    return status.ok() ? let_root_go() : status;
  }
  std::shared_lock<std::shared_mutex> map;
  const Status status = enter(map);
  return status.ok() ? status_of_lmdb(mdb_env_sync(env_, 1)) : status;
}

Result<std::uint64_t> Environment::last_transaction() const noexcept {
  std::shared_lock<std::shared_mutex> map;
  const Status status = enter(map);
  if (!status.ok()) return status;
  MDB_envinfo info = {};
  mdb_env_info(env_, &info);
  return info.me_last_txnid;
}

// -- copies ---------------------------------------------------------------------------------------

// LMDB copies as many pages as a value's header says: every one is looked at before.
Status Environment::copy_to(const std::filesystem::path& file, const Control& control) const {
  const Status walked = walk(Extent::everything);
  if (!walked.ok()) return walked;
  std::uint64_t expected = 0;
  if (!control.is_none()) {
    const Result<EnvironmentStats> now = stats();
    if (!now.ok()) return now.error();
    expected = now->used_bytes;
  }
  Watch watch(control, expected);
  Status status = watch.begin();
  if (!status.ok()) return status;
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (fd.get() < 0) return status_of_errno(errno, "cannot make the copy: {e}");
  int error = MDB_MAP_RESIZED;
  while (error == MDB_MAP_RESIZED) {
    Status entered;
    {
      std::shared_lock<std::shared_mutex> map;
      entered = enter(map);
      if (entered.ok()) error = copy_compacted(env_, fd.get(), watch);
    }
    // A read adopts a map that another process has outgrown.
    if (entered.ok() && error == MDB_MAP_RESIZED) {
      entered = read([](const Transaction&) { return Status(); });
    }
    if (entered.ok()) continue;
    ::unlink(file.c_str());
    return entered;
  }
  status = watch.status().ok() ? status_of_lmdb(error) : watch.status();
  if (error == EIO && device_is_full(fd.get())) status = status_of_errno(ENOSPC, "");
  if (status.ok() && ::fsync(fd.get()) != 0) {
    status = status_of_errno(errno, "cannot sync the copy: {e}");
  }
  if (status.ok()) status = watch.finish();
  if (!status.ok()) ::unlink(file.c_str());
  return status;
}

Status Environment::compact(const Control& control) {
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  const std::filesystem::path current = folder_ / "data.mdb";
  const std::filesystem::path smaller = folder_ / kCompacted;
  const Status busy(Code::busy, "the store cannot be compacted while a snapshot is held");
  if (has_held()) return busy;
  const Status walked = walk(Extent::everything);  // a read: not with the locks that follow
  if (!walked.ok()) return walked;
  const std::lock_guard writing(write_mutex_);
  ::unlink(smaller.c_str());  // left by one that failed, and could not be removed
  Status status = reopen();
  if (!status.ok()) return status;
  // Another process, which has left, may have let the store outgrow our map.
  MDB_txn* probe = nullptr;
  if (begin_write(&probe) == 0) mdb_txn_abort(probe);
  status = copy_to(smaller, control);
  if (!status.ok()) return status;
  // The copy has other pages: a root that is kept is not one of its own.
  status = let_root_go();
  if (!status.ok()) {
    ::unlink(smaller.c_str());
    return status;
  }
  const std::lock_guard turn(turnstile_);
  const std::unique_lock map(map_lock_);
  if (has_held()) {  // since we began
    ::unlink(smaller.c_str());
    return busy;
  }
  stop();
  // The copy is whole and synced; from here the name decides.
  if (::rename(smaller.c_str(), current.c_str()) != 0) {
    status = status_of_errno(errno, "cannot put the compacted store in place: {e}");
    ::unlink(smaller.c_str());
  } else {
    status = sync_path(folder_);
  }
  const Status opened = start(false);
  return opened.ok() ? status : opened;
}

Result<EnvironmentStats> Environment::stats() const {
  EnvironmentStats stats;
  const Status status = read([&](const Transaction& transaction) {
    const Status walked = transaction.walk(Extent::tables);
    if (!walked.ok()) return walked;
    MDB_envinfo info = {};
    MDB_stat shape = {};
    int fd = -1;
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &shape);
    mdb_env_get_fd(env_, &fd);
    struct stat file = {};
    if (::fstat(fd, &file) != 0) return status_of_errno(errno, "cannot look at the store: {e}");
    const Result<std::uint64_t> free = free_pages(transaction.txn_);
    if (!free.ok()) return free.error();
    stats.map_bytes = info.me_mapsize;
    stats.used_bytes = (info.me_last_pgno + 1 - *free) * shape.ms_psize;
    stats.file_bytes = static_cast<std::uint64_t>(file.st_size);
    stats.disk_bytes = static_cast<std::uint64_t>(file.st_blocks) * 512;
    stats.max_readers = info.me_maxreaders;
    ReaderCount count;
    mdb_reader_list(env_, ReaderCount::add_line, &count);
    stats.readers = count.readers - std::min<std::uint64_t>(count.readers, 1);  // without this one
    stats.oldest_reader =
        info.me_last_txnid - std::min<std::uint64_t>(count.oldest, info.me_last_txnid);
    return Status();
  });
  if (!status.ok()) return status;
  stats.commits = commits_.load(std::memory_order_relaxed);
  stats.grown = grown_.load(std::memory_order_relaxed);
  stats.stale_readers = stale_readers_.load(std::memory_order_relaxed);
  count_held(stats);
  return stats;
}

}  // namespace skerry::store

// database.h - a folder that holds collections and does not lose them.
//
//   auto db = skerry::Database::open("vectors.skerry");
//   auto docs = db->open_or_create("docs", {.index = {.dimension = 384}});
//   docs->upsert(7, vector);               // durable when it returns
//
// The folder: `store/` holds the LMDB environment, the only truth; `images/` holds what can be
// made again; `lock` and `shared` let processes know of each other.
//
// Processes: any number may have a database open, for reading and for writing, and each sees what
// the others have committed at its next call. A second open in the same process is `busy`; so is
// any open while another process compacts, after some seconds. A read_only open of a folder that
// cannot be written keeps writers out, and Durability::none other writers. docs/concurrency.md says
// how.
//
// Threads: every method from any thread at once. After fork() the child's calls return `closed`; it
// may open the database itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skerry/collection.h"
#include "skerry/export.h"
#include "skerry/options.h"
#include "skerry/repair.h"
#include "skerry/status.h"

namespace skerry {

class DatabaseState;

struct DatabaseStats {
  std::uint64_t collections = 0;
  std::uint64_t map_bytes = 0;         // address space of the store
  std::uint64_t store_used_bytes = 0;  // pages in use
  std::uint64_t store_disk_bytes = 0;  // blocks the file system has given to the store
  std::uint64_t store_file_bytes = 0;  // the store file's length: more than its blocks when sparse
  std::uint64_t image_disk_bytes = 0;
  std::uint64_t commits = 0;   // transactions since open
  std::uint64_t grown = 0;     // times the map grew since open
  std::uint64_t sequence = 0;  // of the last committed change, of all processes
  // Read transactions, which keep old pages from being used again. They live for the length of a
  // call, but for snapshots. Searches make none, but for taking up what other processes have
  // written.
  std::uint64_t readers = 0;        // now, of all processes, without this call
  std::uint64_t max_readers = 0;    // the first process to open decides
  std::uint64_t stale_readers = 0;  // of processes that were killed, cleared since open
  std::uint64_t oldest_reader = 0;  // age of the oldest, in transactions committed since
  std::uint64_t snapshots = 0;      // that this process holds; each is one of the readers
  double oldest_snapshot = 0;       // age of the oldest of these, in seconds
};

// What list() would say of a collection, and what is known of it without opening it.
struct CollectionInfo {
  std::string name;
  std::uint64_t size = 0;  // keys
  std::uint64_t payload_count = 0;
  CollectionOptions options;  // without a custom function
};

class SKERRY_API Database {
 public:
  // Errors: not_found (no such folder and create_if_missing is false), busy, corruption,
  // incompatible (not a Skerry store, or made by a newer version), io_error, storage_full.
  static Result<Database> open(const std::filesystem::path& folder,
                               const DatabaseOptions& options = {});

  // For a database that open or verify calls `corruption`, when there is no backup: reads what can
  // still be read, makes a new store of it, checks that, puts it in the old one's place, and tells
  // what was lost. What was removed or replaced before the damage does not come back. The damaged
  // store is not written to, and is kept beside: RepairReport::set_aside. With a destination the
  // folder stays as it is, and the copy has an identity of its own. A database that is whole is
  // only told to be so.
  //
  // Nobody may have the database open: busy. The disk must hold a second store. Killed at any
  // point, the folder has the damaged store or the repaired one. Time: as for reading and writing
  // all of it; memory: 16 MB, the longest payload, 8 bytes a lost key, and about a byte a vector in
  // a store that lost pages. Errors: not_found; busy; corruption (nothing tells what is current:
  // both of the store's roots are gone, or every collection's record); incompatible (not a store,
  // or of another format); already_exists (the destination is not empty); storage_full, io_error.
  // Then nothing has changed.
  static Result<RepairReport> repair(const std::filesystem::path& folder,
                                     const RepairOptions& options = {});

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // close(), its status lost

  // A name is 1 to 255 bytes without a zero byte. Errors: already_exists; not_found;
  // incompatible when open_or_create finds other options, naming the first that differs.
  //
  // Opening takes long when the index must be rebuilt, for want of a good image: the control counts
  // the vectors of that. Stopped, the collection is not open, and as it was.
  Result<Collection> create(std::string_view name, const CollectionOptions& options);
  Result<Collection> open_collection(std::string_view name, const Control& control = {});
  Result<Collection> open_or_create(std::string_view name, const CollectionOptions& options,
                                    const Control& control = {});

  // One collection for each name, all or none, in one commit: a hundred thousand cost one sync.
  // They are opened when somebody asks for them. already_exists and a name that is none: {b} of the
  // message is its place in the list. O(log n) each.
  Status create(std::span<const std::string_view> names, const CollectionOptions& options);

  // The collection's rows are removed before the call returns, and their pages used again;
  // compact() gives them back to the file system. O(rows).
  Status drop(std::string_view name);

  // One commit. Handles go on working, here and in other processes, and so does what they have in
  // memory; name() of a handle in another process answers the old name until somebody there opens
  // the new one. To the same name: nothing happens. Errors: not_found; already_exists. O(log n).
  Status rename(std::string_view from, std::string_view to);

  // Another collection of the same options with the vectors, keys and payloads that `from` has at
  // one moment, between two commits. One commit, which writers wait for; its index is made then, as
  // by open_collection(), and when that fails the clone stands all the same. Errors: not_found;
  // already_exists; storage_full: the disk must hold the rows twice. O(bytes); memory: up to 512 MB
  // of pages that are being written, and the longest payload. The control counts records, and then
  // the vectors of the index. Stopped before the commit, there is no clone; afterwards the message
  // says that there is one.
  Result<Collection> clone(std::string_view from, std::string_view to, const Control& control = {});

  // Names in ascending order of bytes.
  Result<std::vector<std::string>> list() const;

  // The same with what is counted: nothing is opened, nothing scanned but the list. O(log n) each.
  Result<std::vector<CollectionInfo>> collections() const;

  // The k = hits.size() nearest of all these collections of this database together: what a search
  // of each would find, merged by distance, ties by key and then by the collection's place in the
  // list. They must agree in dimension, metric, scalar and kind of key: else incompatible, and {b}
  // of the message is the place of the first that differs. Each is searched at a moment of its own.
  // Options are those of each search, but that `budget` and control are for all together. Allocates
  // nothing once a thread has warmed up. Cost: the searches, one after the other, each told to find
  // nothing farther than the k-th so far; k a collection to merge. Errors: those of
  // Collection::search; invalid_argument for a collection of another database.
  Result<SearchResult> search_union(std::span<const Collection> collections, VectorView query,
                                    std::span<UnionHit> hits,
                                    const SearchOptions& options = {}) const;
  Result<SearchResult> search_union(std::span<const Collection> collections, VectorView query,
                                    std::span<NamedUnionHit> hits,
                                    const SearchOptions& options = {}) const;

  // Makes everything that has returned survive power loss, whatever the durability.
  Status sync();

  // Saves an image of every open collection that changed, and trims the log. The control counts
  // collections; stopped, the images of the others are those of before.
  Status checkpoint(const Control& control = {});

  // A consistent copy of the store into a new folder, while writers go on. The copy is opened like
  // any database; its images are made again when it is first opened. already_exists when the
  // folder is there and not empty. The control counts bytes; stopped, the folder is empty.
  Status backup(const std::filesystem::path& folder, const Control& control = {}) const;

  // Gives the store's free pages back to the file system: writes a compacted copy beside it, syncs
  // and renames it into place. Readers and writers wait for the switch. busy while another process
  // has the database open, or this one holds a snapshot. The control counts bytes; stopped, the old
  // file is there.
  Status compact(const Control& control = {});

  // Saves images of what changed, syncs and lets go. Every handle returns `closed` from then on.
  Status close();

  Result<DatabaseStats> stats() const;

 private:
  explicit Database(std::shared_ptr<DatabaseState> state) noexcept;
  std::shared_ptr<DatabaseState> state_;
};

}  // namespace skerry

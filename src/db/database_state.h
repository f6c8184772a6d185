// database_state.h - one open folder: its lock, its store, its collections and the line of writers.
//
// A write, and what is true if the power goes at each step:
//
//   1. checked on the caller's thread, then in line             nothing happened
//   2. the leader reserves memory in the engine                 nothing happened
//   3. one LMDB transaction for the group: vectors, payloads,   the old root: nothing happened;
//      names, log, counters; commit syncs it                    the new root: all of it
//   4. the shared counter is raised                             all of it; open replays the log
//   5. published to the engines, request by request             all of it
//   6. the callers are woken                                    all of it
//
// Steps 1 to 3 may fail and show nothing; 4 and 5 cannot fail. A reader of the index sees a write
// only after 3: durable before visible. When 3 finds that another process has written to one of its
// collections, the transaction is given up, the engine takes that up, and 3 starts again. It is
// exact: a transaction keeps every other writer out.
//
// An image, and what is true at each step (recovery.cc is the other half of this table):
//
//   1. the engine writes `images/<id>.image.new`   the image of before
//      beside, syncs it and reads it again
//   2. the store is synced                         the same; an image is never ahead of what power
//                                                  loss leaves
//   3. the new image is renamed into its place     the new one
//   4. the log up to the number of the image       the log holds every change after `trimmed`, so
//      is removed from the store                   an image at or after it can be caught up
//
// Locks are taken in this order, and none twice:
//
//   an entry's mutex (open, create, rename, drop of one collection)
//     -> collection: gate_ shared (long calls)  /  exclusive (shut)
//       -> commit_mutex_          one leader; verify, drop and close exclude writers with it
//         -> collection: image_mutex_
//           -> image locks of folder_lock.h
//         -> collection: view_mutex_
//             -> store: write_mutex_ -> turnstile_ -> map_lock_
//               -> engine: its writer lock
//
// Inside its transaction the leader asks for a view_mutex_: it only tries, and gives up the
// transaction when somebody has it. The queue's own mutex is held for moments and never while
// another is asked for. The search path takes none of these, unless another process has written:
// then view_mutex_. Nobody waits for an epoch while holding one. Waiting until readers are out
// (shut) is done with none of them held, as a reader's callback may ask for any of them.
//
// Images are saved by whoever asks for one, by close(), and by the keeper's thread, which holds the
// collection's gate shared and its image mutex meanwhile; writers and readers go on.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "db/collection_state.h"
#include "db/folder_lock.h"
#include "db/image_keeper.h"
#include "db/shared_counter.h"
#include "db/warm_list.h"
#include "db/writer_queue.h"
#include "skerry/database.h"
#include "store/store.h"

namespace skerry {

class DatabaseState : public std::enable_shared_from_this<DatabaseState> {
 public:
  static Result<std::shared_ptr<DatabaseState>> open(const std::filesystem::path& folder,
                                                     const DatabaseOptions& options);
  static Result<RepairReport> repair(const std::filesystem::path& folder,
                                     const RepairOptions& options);  // repair.cc
  ~DatabaseState();
  DatabaseState(const DatabaseState&) = delete;
  DatabaseState& operator=(const DatabaseState&) = delete;

  Result<Collection> create(std::string_view name, const CollectionOptions& options);
  Result<Collection> open_collection(std::string_view name, const Control& control);
  Result<Collection> open_or_create(std::string_view name, const CollectionOptions& options,
                                    const Control& control);
  Status create(std::span<const std::string_view> names, const CollectionOptions& options);
  Status drop(std::string_view name);
  Status rename(std::string_view from, std::string_view to);
  Result<Collection> clone(std::string_view from, std::string_view to, const Control& control);
  Result<std::vector<std::string>> list() const;
  Result<std::vector<CollectionInfo>> collections() const;
  // union_search.cc
  Result<SearchResult> search_union(std::span<const Collection> collections, VectorView query,
                                    std::span<UnionHit> hits, const SearchOptions& options) const;
  Result<SearchResult> search_union(std::span<const Collection> collections, VectorView query,
                                    std::span<NamedUnionHit> hits,
                                    const SearchOptions& options) const;
  Status sync();
  Status checkpoint(const Control& control);
  Status backup(const std::filesystem::path& folder, const Control& control) const;
  Status compact(const Control& control);
  Status close();
  Result<DatabaseStats> stats() const;

  // -- for collections ----------------------------------------------------------------------------
  const DatabaseOptions& options() const noexcept { return options_; }
  store::Store& store() noexcept { return *store_; }
  const store::Store& store() const noexcept { return *store_; }
  const std::filesystem::path& folder() const noexcept { return folder_; }
  std::filesystem::path images() const { return folder_ / "images"; }
  ImageKeeper& images_keeper() noexcept { return *keeper_; }
  SharedCounter& counter() noexcept { return counter_; }
  WarmList& warm() noexcept { return warm_; }
  ScratchPool<NameScratch>& name_scratch() noexcept { return name_scratch_; }
  // More collections than are kept warm. O(1).
  bool is_for_many() const;
  Status alive() const noexcept;

  // The collection was dropped: its entry, and the index, go with the last who uses it.
  void forget(std::uint32_t id) noexcept;

  // Commits the request with whatever else waits, and publishes it.
  void submit(Request& request);

  // Held by the leader from the look at the engines to the publishing.
  std::mutex& commit_mutex() noexcept { return commit_mutex_; }

 private:
  // A collection that was asked for, by its number: names may change. Two openers of one meet at
  // its mutex. It is removed when the collection was dropped; nobody gets that number again.
  struct Entry {
    std::mutex mutex;
    std::shared_ptr<CollectionState> state;  // null: not open
  };
  using Entries = std::map<std::uint32_t, std::shared_ptr<Entry>>;

  DatabaseState(std::filesystem::path folder, const DatabaseOptions& options);

  Status start();
  Status make_store();
  Status remove_leftovers();
  Status start_syncing();
  void stop_syncing();

  Result<store::CollectionRecord> find(std::string_view name) const;
  std::shared_ptr<Entry> entry_of(std::uint32_t id);
  void each_entry(FunctionRef<void(Entry&)> visit);
  void each_open_state(FunctionRef<void(CollectionState&)> visit);
  Result<Collection> open_entry(Entry& entry, std::string_view name,
                                const store::CollectionRecord& record, const Control& control);
  Status check_for_writing() const noexcept;

  Status check_union(std::span<const Collection> collections, bool by_name) const noexcept;
  template <class One, class Each>
  Result<SearchResult> merge_searches(std::span<const Collection> collections, VectorView query,
                                      std::span<Each> hits, const SearchOptions& options,
                                      std::vector<One>& found, std::vector<Each>& merged) const;

  void commit(std::span<Request* const> group) noexcept;
  Status store_group(std::span<Request* const> group) noexcept;
  Status try_group(std::span<Request* const> group, CollectionState*& behind) noexcept;
  void finish(std::span<Request* const> group, Status status) noexcept;

  // Set by open().
  const std::filesystem::path folder_;
  const DatabaseOptions options_;
  const std::uint64_t generation_;  // of forks
  FolderLock lock_;
  SharedCounter counter_;
  std::unique_ptr<store::Store> store_;

  std::atomic<bool> closing_{false};
  std::mutex close_mutex_;

  std::mutex entries_mutex_;
  Entries entries_;
  WarmList warm_;

  // What a search of several collections needs beside theirs.
  struct UnionScratch {
    std::vector<Hit> found;
    std::vector<UnionHit> merged;
    std::vector<NamedHit> named_found;
    std::vector<NamedUnionHit> named_merged;
  };
  mutable ScratchPool<UnionScratch> union_scratch_;
  ScratchPool<NameScratch> name_scratch_;

  WriterQueue queue_;
  std::mutex commit_mutex_;
  std::uint64_t commit_number_ = 0;  // under commit_mutex_

  // Durability::interval: syncs the store now and then.
  struct Syncing {
    std::mutex mutex;
    std::condition_variable wake;
    bool stop = false;
    std::thread thread;
  };
  std::unique_ptr<Syncing> syncing_;

  const std::shared_ptr<ImageKeeper> keeper_ = std::make_shared<ImageKeeper>();
};

}  // namespace skerry

// store.h - the truth: exact vectors, keys, payloads and the log of changes, in tables.
//
// The store knows rows, not vectors: it keeps bytes that others made and does not know that there
// is an index. Reads and commits are functions handed in (see environment.h: a commit's function
// may run more than once and must start anew each time).
//
// Threads: all methods from any thread; one commit at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/watch.h"
#include "skerry/status.h"
#include "skerry/types.h"
#include "store/environment.h"
#include "store/heap.h"
#include "store/schema.h"

namespace skerry::store {

// One snapshot. Walks stop when `visit` returns false; what they hand out is good during the visit.
class Reading {
 public:
  explicit Reading(const Transaction& transaction) noexcept : transaction_(transaction) {}

  Result<CollectionRecord> collection(std::string_view name) const;
  Result<Counters> counters(std::uint32_t collection) const;
  // Whether the collection is there, under this name or, when it was renamed, another: a drop that
  // has begun says no.
  Result<bool> is_there(std::string_view name, std::uint32_t collection) const;
  // How many there are. O(1).
  Result<std::uint64_t> collection_count() const;
  Result<bool> contains(std::uint32_t collection, Key key) const;
  // Many vectors of a collection are read through its heap: see heap.h.
  Result<HeapReader> heap(std::uint32_t collection) const;
  Result<Bytes> payload(std::uint32_t collection, Key key) const;
  // As much of it as fits into `out`; its length, 0 when the key has none. not_found: no such key.
  Result<std::size_t> copy_payload(std::uint32_t collection, Key key,
                                   std::span<std::byte> out) const;

  // The id of a byte-string key; not_found.
  Result<Key> name_id(std::uint32_t collection, std::string_view name) const;
  // And back.
  Result<std::string_view> name_of(std::uint32_t collection, Key id) const;

  // Names in ascending order of bytes.
  Status each_collection(FunctionRef<bool(std::string_view, const CollectionRecord&)> visit) const;
  // Keys ascending, from `first` on: a walk that is interrupted goes on at the same key in a later
  // snapshot, and a key that neither came nor went in between is met once.
  Status each_vector(std::uint32_t collection, Key first,
                     FunctionRef<bool(Key, Bytes)> visit) const;
  // The same without the vectors.
  Status each_key(std::uint32_t collection, Key first, FunctionRef<bool(Key)> visit) const;
  // Rows [first, limit) of the heap, as they lie on the disk. Counters::live is the number of rows,
  // so threads can share out a walk; but rows move, and only ranges of one snapshot fit together.
  Status each_row(std::uint32_t collection, std::uint64_t first, std::uint64_t limit,
                  FunctionRef<bool(Key, Bytes)> visit) const;
  Status each_payload(std::uint32_t collection, FunctionRef<bool(Key, Bytes)> visit) const;
  // How many records of the store a collection has, without its log.
  Result<std::uint64_t> records_of(const CollectionRecord& collection) const;
  // Ids ascending, from `first` on.
  Status each_name(std::uint32_t collection, Key first,
                   FunctionRef<bool(Key, std::string_view)> visit) const;
  // The requests logged after sequence `after`; `keys` holds little-endian u64.
  Status each_change(std::uint32_t collection, std::uint64_t after,
                     FunctionRef<bool(std::uint64_t, LogKind, Bytes)> visit) const;

  // Do the vectors, their places and the counters of a collection agree? corruption, naming what
  // does not. Reads everything. `watch` counts the vectors, and may end it.
  Status check(std::uint32_t collection, Watch& watch) const;
  Status check(std::uint32_t collection) const;

 private:
  Status each_record(Table table, std::uint32_t collection, std::uint64_t first,
                     FunctionRef<Result<bool>(std::uint64_t, Bytes)> visit) const;

  const Transaction& transaction_;
};

// The writes of one group of requests. Counters of what it touches are read at the first touch and
// written when the commit's function has returned.
class Commit {
 public:
  Commit(Transaction& transaction, HeapScratch& scratch) noexcept
      : transaction_(transaction), scratch_(scratch) {}

  // As Reading says.
  Result<bool> is_there(std::string_view name, std::uint32_t collection) const {
    return Reading(transaction_).is_there(name, collection);
  }

  // Turns to a collection; the other calls are about the collection turned to last.
  Status turn_to(std::uint32_t collection);

  // Of its last change.
  std::uint64_t sequence() const noexcept { return touched_[current_].counters.sequence; }

  Result<bool> contains(Key key) const { return heap().contains(key); }

  // Room for the key's vector, to be filled before the next call. `fresh`: the key is new.
  Result<Transaction::Room> put_vector(Key key) { return heap().put(key); }
  // After put_vector: sets the payload, or removes it when empty. `fresh` as put_vector said.
  Status put_payload(Key key, Bytes payload, bool fresh);
  // Vector and payload; whether the key was there.
  Result<bool> remove(Key key);

  // The id of a byte-string key; 0 when it has none.
  Result<Key> find_name(std::string_view name) const;
  Result<Key> add_name(std::string_view name);
  Status remove_name(std::string_view name, Key id);

  // Numbers and logs a request of these keys; returns its sequence number.
  Result<std::uint64_t> log(LogKind kind, std::span<const Key> keys);

  Status finish();

 private:
  struct Touched {
    std::uint32_t collection = 0;
    Counters counters;
    HeapWriter heap;
  };

  Counters& counters() noexcept { return touched_[current_].counters; }
  HeapWriter& heap() noexcept { return touched_[current_].heap; }
  const HeapWriter& heap() const noexcept { return touched_[current_].heap; }

  Transaction& transaction_;
  HeapScratch& scratch_;
  std::vector<Touched> touched_;
  std::size_t current_ = 0;
  std::uint32_t collection_ = 0;
  std::uint64_t changes_ = 0;  // of all collections, in this commit
};

class Store {
 public:
  // `folder` must be there and be empty.
  static Status create(const std::filesystem::path& folder) { return Environment::create(folder); }

  // Also finishes the drops that a crash left half done, and brings a store of an older version up
  // to date: see upgrade.h. An older one is `incompatible` when it is opened read-only.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& folder,
                                             const EnvironmentOptions& options);

  const Identity& identity() const noexcept { return environment_->format().identity; }
  Environment& environment() noexcept { return *environment_; }
  const Environment& environment() const noexcept { return *environment_; }

  Status read(FunctionRef<Status(const Reading&)> work) const;
  // In a snapshot that the caller holds: environment().hold().
  static Status read(const HeldRead& held, FunctionRef<Status(const Reading&)> work);
  Status commit(FunctionRef<Status(Commit&)> work);

  // already_exists when the name is taken.
  Result<CollectionRecord> create_collection(std::string_view name,
                                             const CollectionOptions& options);

  // One for each name, all or none, in one transaction. already_exists: {b} is the place in `names`
  // of the first that is taken, or that came before.
  Status create_collections(std::span<const std::string_view> names,
                            const CollectionOptions& options);

  // Takes the name from the collection, which is then gone for every later open. Its rows stay for
  // those who read them, until remove_rows(); of one that nobody has open they go in the same
  // transaction, when they are few. not_found when there is no such collection, or it has another
  // id than `id` (0: any).
  enum class Rows : std::uint8_t { stay, go_if_few };
  struct Dropped {
    std::uint32_t id = 0;
    bool has_rows = true;  // remove_rows() is to follow
  };
  Result<Dropped> drop_collection(std::string_view name, std::uint32_t id = 0,
                                  Rows rows = Rows::stay);

  // Gives the collection another name; its id and its rows stay. not_found as above;
  // already_exists when `to` is taken.
  Status rename_collection(std::string_view from, std::uint32_t id, std::string_view to);

  // Makes a collection of the same options and rows: vectors, keys, payloads, as they are in this
  // one transaction. Its log begins behind them. not_found, already_exists. O(bytes), while other
  // writers wait; LMDB holds up to 512 MB of dirty pages meanwhile.
  // `watch` counts records, of records_of(), and may end it.
  Result<CollectionRecord> clone_collection(std::string_view from, std::string_view to,
                                            Watch& watch);

  // The second half of a drop, in transactions of bounded size. When it fails, the next open of the
  // store goes on with it.
  Status remove_rows(std::uint32_t collection);

  // Forgets the log up to and including `through`.
  Status trim_log(std::uint32_t collection, std::uint64_t through);

  // Gives the store in `folder`, which nobody has open, an identity of its own: images of the
  // store it was copied from must not fit it.
  static Status renew_identity(const std::filesystem::path& folder);

 private:
  explicit Store(std::unique_ptr<Environment> environment) noexcept
      : environment_(std::move(environment)) {}

  Status finish_drops();

  std::unique_ptr<Environment> environment_;
  HeapScratch scratch_;  // of the one commit that there is at a time
};

}  // namespace skerry::store

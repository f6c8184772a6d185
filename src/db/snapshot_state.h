// snapshot_state.h - what a Snapshot holds: one moment of the store, and what its rows mean.
//
// It needs the database and no open collection: its rows are found by the collection's number in a
// read transaction that it keeps (held_read.h), whatever becomes of the collection meanwhile.
//
// A call reads so many rows at a time in the store, copies what it needs, and calls the caller's
// function or the distance kernel when it has left: whoever moves the map waits for a block of
// rows, and a caller's function may write, which may ask for the map to be moved.
//
// Threads: constant after take(), but for the transaction, which sees to itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "skerry/collection.h"
#include "store/held_read.h"
#include "store/store.h"

namespace skerry {

class DatabaseState;
class NamesInHand;

class SnapshotState {
 public:
  // `closed` when the collection was dropped by another process.
  static Result<std::unique_ptr<SnapshotState>> take(std::shared_ptr<DatabaseState> database,
                                                     std::string_view name, std::uint32_t id,
                                                     const CollectionOptions& options);
  ~SnapshotState();
  SnapshotState(const SnapshotState&) = delete;
  SnapshotState& operator=(const SnapshotState&) = delete;

  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t sequence() const noexcept { return sequence_; }
  double age() const noexcept { return held_->age(); }

  // KeyOrName: Key or std::string_view.
  template <class KeyOrName>
  Result<bool> contains(KeyOrName key) const;
  template <class KeyOrName>
  Status get(KeyOrName key, std::span<float> out) const;
  template <class KeyOrName>
  Status get_bytes(KeyOrName key, std::span<std::byte> out) const;
  template <class KeyOrName>
  Result<std::size_t> get_payload(KeyOrName key, std::span<std::byte> out) const;

  Status for_each(FunctionRef<bool(Key)> visit) const;
  Status for_each_name(FunctionRef<bool(std::string_view)> visit) const;

  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options) const;
  Result<SearchResult> search(VectorView query, std::span<NamedHit> hits,
                              const SearchOptions& options) const;

 private:
  SnapshotState(std::shared_ptr<DatabaseState> database, std::uint32_t id,
                const CollectionOptions& options) noexcept;

  Status read(FunctionRef<Status(const store::Reading&)> work) const;
  // Calls work(reading, key) with the number that stands for the key, if it is of the right kind.
  Status read_key(Key key, FunctionRef<Status(const store::Reading&, Key)> work) const;
  Status read_key(std::string_view name,
                  FunctionRef<Status(const store::Reading&, Key)> work) const;
  Status read_vector(const store::Reading& reading, Key key,
                     FunctionRef<void(store::Bytes)> use) const;
  std::size_t row_bytes() const noexcept;

  // snapshot_search.cc
  Status look_up_list(const Filter& filter, std::vector<Key>& listed) const;
  Result<SearchResult> scan(VectorView query, std::span<Hit> hits, const SearchOptions& options,
                            NamesInHand* names) const;

  // Set by take().
  const std::shared_ptr<DatabaseState> database_;
  const std::uint64_t generation_;  // of forks
  const std::uint32_t id_;
  const CollectionOptions options_;  // with the custom function
  std::unique_ptr<store::HeldRead> held_;
  std::uint64_t size_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace skerry

// snapshot.h - a collection as it was at one moment, for as long as you hold it.
//
//   auto then = docs->snapshot();
//   docs->upsert(7, other);                       // and whatever else, here or in other processes
//   then->get(7, vector);                         // what key 7 was
//
// A snapshot reads the store and not the index: what had been committed when it was taken, all of
// it and nothing else. It is a read transaction that stays open, so the pages of its moment cannot
// be used again: what is replaced or removed while it is held makes the store's file grow. Hold it
// for an export or a comparison, not for a day. DatabaseStats::snapshots counts those that a
// process holds, oldest_snapshot tells the age of the oldest, and each is one of the `readers`; to
// take one more than max_readers is `busy`. Database::compact() is `busy` while its own process
// holds one. What is taken goes with the handle; of a process that is killed, with the next write
// or open.
//
// It outlives drop() of its collection, whose rows are still there at its moment. It ends with
// close() of the database: every call is `closed` from then on. So it is in the child of a fork,
// and when a failure (a root that could not be written, no address space for the map) made the
// database close its store and open it again: the message says so, and a new one can be taken.
//
// Errors beside those named at each call: invalid_argument (the wrong kind of key), corruption,
// io_error, out_of_memory, closed. A handle that was moved from is `closed` and of size 0.
//
// Threads: every method from any thread at once; those of one snapshot that read the store take
// turns, for a block of rows at a time. Writers never wait for it. The functions that are handed in
// are called with nothing held: they may call whatever they like, this snapshot too, but that a
// filter's must not write (types.h). A snapshot must not be destroyed or assigned to while a call
// on it is under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "skerry/export.h"
#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class SnapshotState;

class SKERRY_API Snapshot {
 public:
  Snapshot(Snapshot&&) noexcept;
  Snapshot& operator=(Snapshot&&) noexcept;
  ~Snapshot();

  // Of its moment; known whatever has become of the database.
  std::uint64_t size() const noexcept;
  std::uint64_t sequence() const noexcept;  // of the collection's last change in it

  // Seconds since it was taken.
  double age() const noexcept;

  // A few lookups in the store, O(log n) each.
  Result<bool> contains(Key key) const;
  Result<bool> contains(std::string_view name) const;
  Status get(Key key, std::span<float> out) const;
  Status get(std::string_view name, std::span<float> out) const;
  Status get_bytes(Key key, std::span<std::byte> out) const;
  Status get_bytes(std::string_view name, std::span<std::byte> out) const;
  Result<std::size_t> get_payload(Key key, std::span<std::byte> out) const;
  Result<std::size_t> get_payload(std::string_view name, std::span<std::byte> out) const;

  // Every key once, numbers ascending, until `visit` returns false. O(n).
  Status for_each(FunctionRef<bool(Key)> visit) const;
  Status for_each_name(FunctionRef<bool(std::string_view)> visit) const;

  // What an exact search of the collection would have answered at that moment. It has no graph to
  // walk: O(n), every vector is read from the store and scored, of an allow-list its keys; with
  // byte-string keys every name is read too. Of the options, filter, max_distance, budget and
  // control are obeyed; ef and exact are checked, and a scan is what they can ask for. Memory: a
  // block of rows, 1 MB or one row; the list of a filter once more; of byte-string keys the names
  // of the hits.
  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options = {}) const;
  Result<SearchResult> search(VectorView query, std::span<NamedHit> hits,
                              const SearchOptions& options = {}) const;

 private:
  friend class Collection;
  explicit Snapshot(std::unique_ptr<SnapshotState> state) noexcept;
  std::unique_ptr<SnapshotState> state_;
};

}  // namespace skerry

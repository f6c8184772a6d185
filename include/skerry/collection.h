// collection.h - a durable collection of vectors: what Index does, and it is still there tomorrow.
//
// A collection lives in a Database (database.h). Its truth is in the store: exact vectors, keys,
// payloads and a log of changes, written in one transaction a commit. The index in memory is a
// view of it, saved as an image now and then; deleting every image is safe.
//
// A Collection is a handle: copy it, keep it, let it go. Handles of one collection share one index.
// After drop() of the collection, here or in another process, or close() of the database every call
// on it returns `closed`.
//
// Threads: every method from any thread at once. Searches never wait for writers. Writes of several
// threads are committed in groups, one transaction and one sync for all that wait.
//
// Order of a write: checked, memory taken, made durable, then visible. A write that failed left
// nothing behind. Errors beside those of Index: storage_full, io_error (nothing changed, reads go
// on, writes go on once there is room), read_only, closed, corruption.
//
// Keys: a collection has 64-bit keys, or, created with byte_keys, byte strings of 1 to 480 bytes;
// a call with the other kind is invalid_argument. Byte strings compare as unsigned bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "skerry/export.h"
#include "skerry/index.h"
#include "skerry/options.h"
#include "skerry/snapshot.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class CollectionState;

// Where the index in memory came from when the collection was opened.
enum class Opened : std::uint8_t {
  created = 0,          // it was empty
  image = 1,            // a saved image, and the log after it
  rebuilt_absent = 2,   // there was no image
  rebuilt_stale = 3,    // the image was older than the log reaches, or of another collection
  rebuilt_damaged = 4,  // the image did not pass its checks
};
SKERRY_API std::string_view name_of(Opened opened) noexcept;

struct CollectionStats {
  IndexStats index;
  Opened opened = Opened::created;
  Status image;                // why no image was used at open; ok: one was, or none was needed
  std::uint64_t replayed = 0;  // changes taken from the log at open
  std::uint64_t mended_blocks = 0;  // 4 KB each, of the image, that were damaged and made again
  std::uint64_t log_entries = 0;    // changes since the last image
  std::uint64_t image_bytes = 0;    // on disk
  std::uint64_t payload_count = 0;
};

// What verify() compared. Anything that disagrees is returned as Code::corruption instead. Poor
// recall is no corruption: it is told.
struct VerifyReport {
  CheckReport index;                   // quick: only `live`
  std::uint64_t vectors_compared = 0;  // full: store against index, byte by byte
  std::uint64_t payloads = 0;
  std::uint64_t samples = 0;       // recall: vectors that were asked for
  std::uint64_t samples_lost = 0;  // that brute force found by themselves and a search did not
  double recall_at_10 = 1;         // of those searches, at the collection's ef
};

using Payload = std::span<const std::byte>;  // opaque bytes, up to 2^32 - 5; empty: none

class SKERRY_API Collection {
 public:
  // `upsert` replaces vector and payload in one visible step (no payload: the old one goes);
  // `insert` of a present key is already_exists.
  Status insert(Key key, VectorView vector, Payload payload = {});
  Status insert(std::string_view name, VectorView vector, Payload payload = {});
  Status upsert(Key key, VectorView vector, Payload payload = {});
  Status upsert(std::string_view name, VectorView vector, Payload payload = {});

  // One commit for the whole batch, all or nothing; `payloads` is empty or one a row. The control
  // is asked until the commit is made, also in the line of writers: what is `cancelled` is absent,
  // all of it. The linking after the commit is not stopped.
  Status insert(std::span<const Key> keys, MatrixView vectors,
                std::span<const Payload> payloads = {}, const BatchOptions& options = {});
  Status insert(std::span<const std::string_view> names, MatrixView vectors,
                std::span<const Payload> payloads = {}, const BatchOptions& options = {});
  Status upsert(std::span<const Key> keys, MatrixView vectors,
                std::span<const Payload> payloads = {}, const BatchOptions& options = {});
  Status upsert(std::span<const std::string_view> names, MatrixView vectors,
                std::span<const Payload> payloads = {}, const BatchOptions& options = {});

  Result<std::uint64_t> remove(Key key);
  Result<std::uint64_t> remove(std::string_view name);
  Result<std::uint64_t> remove(std::span<const Key> keys);
  Result<std::uint64_t> remove(std::span<const std::string_view> names);

  bool contains(Key key) const;
  bool contains(std::string_view name) const;
  std::uint64_t size() const;

  Status get(Key key, std::span<float> out) const;
  Status get(std::string_view name, std::span<float> out) const;
  Status get_bytes(Key key, std::span<std::byte> out) const;
  Status get_bytes(std::string_view name, std::span<std::byte> out) const;

  // The payload's length; as much of it as fits is copied into `out`. 0 when the key has none;
  // not_found when there is no such key. Reads the store.
  Result<std::size_t> get_payload(Key key, std::span<std::byte> out) const;
  Result<std::size_t> get_payload(std::string_view name, std::span<std::byte> out) const;

  Status for_each(FunctionRef<bool(Key)> visit) const;
  Status for_each_name(FunctionRef<bool(std::string_view)> visit) const;

  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options = {}) const;
  Result<SearchResult> search(VectorView query, std::span<NamedHit> hits,
                              const SearchOptions& options = {}) const;
  Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options = {}) const;
  Result<SearchResult> search_batch(MatrixView queries, std::span<NamedHit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options = {}) const;

  // Why does this search return the key, or not? See Index::explain; reads nothing of the store.
  Result<Explanation> explain(VectorView query, Key key, std::span<Hit> hits, std::span<Hop> hops,
                              const SearchOptions& options = {}) const;
  Result<Explanation> explain(VectorView query, std::string_view name, std::span<NamedHit> hits,
                              std::span<NamedHop> hops, const SearchOptions& options = {}) const;

  // The graph in counts. See Index::shape; reads nothing of the store.
  Result<GraphShape> shape(const Control& control = {}) const;

  // The collection as it is now, for as long as the handle is held: see snapshot.h. busy: as many
  // as max_readers read the store already.
  Result<Snapshot> snapshot() const;

  // Saves an image now and trims the log behind it. Writers and readers go on meanwhile. An image
  // is also saved in the background when the log is worth one, and by close(). The control counts
  // bytes; stopped, the image of before is there, and nothing is lost.
  Status save_image(const Control& control = {});

  // Do store and index say the same? See VerifyLevel. Searches go on; writers wait for the levels
  // quick (microseconds) and full (a walk over everything), not for the searches of `recall`, which
  // take samples times a scan of the collection. Errors: corruption names what disagrees;
  // cancelled: nothing had been found until then.
  Result<VerifyReport> verify(const VerifyOptions& options = {}) const;

  Result<CollectionStats> stats() const;
  Result<CollectionOptions> options() const;
  std::string_view name() const;

 private:
  friend class Database;
  friend class DatabaseState;
  explicit Collection(std::shared_ptr<CollectionState> state) noexcept;
  std::shared_ptr<CollectionState> state_;
};

}  // namespace skerry

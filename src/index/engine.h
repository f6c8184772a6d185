// engine.h - the index as its owners see it: Index (front door) and Collection (hall).
//
// Three steps of a write stand apart here, so that an owner with a log can put its commit between
// them: check() and reserve() may fail and show nothing; publish() shows everything and cannot
// fail. Index calls them in a row, Collection commits to the store before publish().
//
// Versions: every publish has a sequence number, and each slot says from which (born) to which
// (died) it is visible. A search reads the number once at its start and returns what was visible
// then; an update is "born = n" on the new slot and "died = n" on the old, so no reader meets both
// or neither.
//
// Threads: all methods from any thread. reserve() and publish() take the writer lock inside;
// readers take none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "skerry/index.h"
#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

// The order of keys in ties: `before` is a strict order, called under an epoch guard. Null: by
// number.
struct KeyOrder {
  bool (*before)(const void* context, Key a, Key b) = nullptr;
  const void* context = nullptr;
};

// One request's writes: upserts of the rows, or, when `removal`, removals (`vectors` is ignored).
struct Changes {
  std::span<const Key> keys;
  MatrixView vectors;
  bool removal = false;
};

// What an image says of itself beside the options of its index.
struct ImageTag {
  std::uint64_t collection = 0;        // the owner's number for it; 0 for a plain Index
  std::uint64_t identity[2] = {0, 0};  // of the store it was made from; zeroes for a plain Index
};

enum class ImageMode : std::uint8_t {
  copy,  // read into memory
  map,   // mapped private: pages are shared until they are changed
  view,  // mapped read-only: writes are refused
};

// The one check of an index's options; names the first that is out of range.
Status check_options(const IndexOptions& options) noexcept;

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> create(const IndexOptions& options, KeyOrder order = {});

  // Reads what save() wrote. `expected`: when not null, the image must be of these options and this
  // tag (`incompatible` otherwise). Every section is checked; the errors are those of Index::load.
  static Result<std::unique_ptr<Engine>> load(const std::filesystem::path& path, ImageMode mode,
                                              const IndexOptions* expected, const ImageTag* tag,
                                              CustomDistance custom, KeyOrder order = {});

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Written beside, synced, renamed. Holds the writer lock; readers go on.
  Status save(const std::filesystem::path& path, const ImageTag& tag) const;

  // -- a write, step by step ------------------------------------------------------------------

  // Dimension, type and finiteness. Of a matrix, {b} of the message is the bad row.
  Status check(VectorView vector) const noexcept;
  Status check(MatrixView vectors) const noexcept;

  // What will be stored for a checked vector, into vector_bytes(scalar, dimension) bytes.
  void store(VectorView vector, std::byte* out) const noexcept;

  // Takes all memory that publishing `upserts` more vectors can need. A reservation adds up with
  // the earlier ones that were not used yet; release() gives one back.
  Status reserve(std::size_t upserts);
  void release(std::size_t upserts) noexcept;

  // Shows the changes in one step, as of `sequence`, which must be greater than all before.
  // Upserts must be checked and reserved. Returns how many removals met a live key.
  // threads: to link with, when the batch is large; 0: one a core.
  std::uint64_t publish(const Changes& changes, std::uint64_t sequence,
                        std::uint32_t threads = 1) noexcept;

  // The number of the last published change; 0 for none.
  std::uint64_t sequence() const noexcept;

  // -- the three steps in a row, numbered by the engine itself -----------------------------------
  Status insert(const Changes& changes, std::uint32_t threads);  // already_exists, {b} the row
  Status upsert(const Changes& changes, std::uint32_t threads);
  Result<std::uint64_t> remove(const Changes& changes);

  // -- reading -----------------------------------------------------------------------------------
  bool contains(Key key) const noexcept;
  std::uint64_t size() const noexcept;
  Status get(Key key, std::span<float> out) const noexcept;
  Status get_bytes(Key key, std::span<std::byte> out) const noexcept;
  Status for_each(FunctionRef<bool(Key)> visit) const;

  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options) const;
  Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options) const;

  Result<CheckReport> check_invariants() const;
  IndexStats stats() const;
  const IndexOptions& options() const noexcept;
};

// True while this thread is inside a filter's callback: writes are refused then.
bool inside_filter() noexcept;

}  // namespace skerry

// index.h - an updatable vector index in memory.
//
// For a program that has a log and a database of its own and wants the fastest index to put
// beside it. Nothing is written to disk unless asked; see collection.h for the durable one.
//
//   auto index = skerry::Index::create({.dimension = 384, .metric = skerry::Metric::cosine});
//   index->upsert(7, vector);
//   skerry::Hit hits[10];
//   auto found = index->search(query, hits);
//
// Threads: every method from any thread at once, with no lock outside. Searches, get, contains and
// iteration never wait for writers. A write that has returned is seen by every later call of every
// thread; a search that runs beside an update meets the old vector or the new one, exactly one.
//
// Memory: search, filtered search, batch search and get allocate nothing once a thread has warmed
// up (one call of each kind after the index last grew). Inputs are borrowed; no call makes a
// temporary copy of a vector.
//
// Errors common to all calls: invalid_argument for a wrong dimension (names expected and given) or
// for NaN or infinity (names the first bad component); closed after a move; cancelled, of those
// that take a Control (control.h). Whatever fails changes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "skerry/explain.h"
#include "skerry/export.h"
#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class Engine;

// How full, how large, how deep. Bytes are of committed memory.
struct IndexStats {
  std::uint64_t live = 0;               // keys
  std::uint64_t tombstones = 0;         // slots of removed vectors that are not reusable yet
  std::uint64_t free_slots = 0;         // slots waiting to be used again
  std::uint64_t vector_bytes = 0;       // the vectors as stored
  std::uint64_t vector_disk_bytes = 0;  // of them, in files that the kernel keeps in memory as long
                                        // as there is room (Vectors::disk)
  std::uint64_t code_bytes = 0;         // codes beside them, if any
  Codes codes = Codes::exact;           // that searches walk over: with Codes::automatic what was
                                        // chosen, exact while there was nothing to choose for
  std::uint64_t link_bytes = 0;         // the graph
  std::uint64_t other_bytes = 0;        // keys, versions, the key directory
  std::uint32_t levels = 0;             // of the graph; 0: no graph
  bool has_graph = false;               // false: searches scan and are exact
  std::uint64_t backlog = 0;            // slots whose links are still to be made or taken away
  std::uint64_t sequence = 0;           // of the last write that is visible
};

// What check() walked. A broken invariant is returned as Code::corruption instead.
struct CheckReport {
  std::uint64_t live = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t links = 0;        // directed, all levels
  std::uint64_t unreachable = 0;  // live nodes that no walk from the entry point meets
  std::uint32_t levels = 0;
};

// The graph in counts, of its live nodes. Without a graph nodes is 0 and the lists are empty.
struct GraphShape {
  std::uint64_t nodes = 0;                 // live vectors whose links are made
  std::vector<std::uint64_t> levels;       // [l]: nodes of which l is the highest level
  std::vector<std::uint64_t> out_degrees;  // [d]: nodes with d links of their own on level 0; of d
                                           // up to 2 M
  std::vector<std::uint64_t> in_degrees;   // [d]: nodes that d live nodes link to on level 0; none
                                           // beyond the last count that is not 0
};

class SKERRY_API Index {
 public:
  // `folder` is needed for Vectors::disk: the vectors are in a file in it that has no name and ends
  // with the index. Space is taken as the index grows, when a write may be storage_full or io_error
  // and changes nothing. Of a small index (room for 4 MB of vectors) they are in memory.
  // Errors: invalid_argument names the option and its range; out_of_memory; of the folder io_error.
  static Result<Index> create(const IndexOptions& options,
                              const std::filesystem::path& folder = {});

  // Reads a file that save() wrote into memory, but vectors on disk into `folder`, as of create().
  // Options come from the file. `custom` is needed for Metric::custom. Errors: not_found,
  // corruption, incompatible, io_error, storage_full, out_of_memory.
  static Result<Index> load(const std::filesystem::path& path, CustomDistance custom = {},
                            const std::filesystem::path& folder = {});

  // Maps such a file read-only: pages are shared between processes and read on demand. Writes to
  // the index return read_only. What leads a search is checked now, vectors and codes (of a file
  // with more than a megabyte of them) when they are first touched: a search, get() or check() that
  // meets damaged ones returns corruption.
  static Result<Index> view(const std::filesystem::path& path, CustomDistance custom = {});

  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;
  ~Index();

  // Writes the index beside `path`, syncs and renames it into place: the old file or the new one
  // is there at every moment. It shows the index as it was when the call began; writers and readers
  // go on. Saves wait for each other. O(bytes) of disk; of memory, 1 MB and 8 to 16 bytes a vector.
  // The control counts bytes; stopped, the old file is there.
  Status save(const std::filesystem::path& path, const Control& control = {}) const;

  // A hint: makes room for `count` vectors in all. Never needed.
  Status reserve(std::size_t count);

  // Adds a vector. already_exists when the key is present. O(ef_construction * M) distances.
  Status insert(Key key, VectorView vector);

  // Adds a vector or replaces the key's, in one visible step.
  Status upsert(Key key, VectorView vector);

  // One key a row. All or nothing: one bad row and nothing is changed, the message names it. Of a
  // key that comes twice the last row wins. Visible in one step. Stopped by its control, nothing is
  // changed.
  Status insert(std::span<const Key> keys, MatrixView vectors, const BatchOptions& options = {});
  Status upsert(std::span<const Key> keys, MatrixView vectors, const BatchOptions& options = {});

  // How many of the keys existed: absent ones are not an error. The neighbourhood of each is
  // repaired before the call returns.
  Result<std::uint64_t> remove(Key key);
  Result<std::uint64_t> remove(std::span<const Key> keys);

  bool contains(Key key) const;
  std::uint64_t size() const;

  // The vector as floats (bits as 0 and 1), dimension() of them. not_found.
  Status get(Key key, std::span<float> out) const;

  // The vector's own bytes as kept, vector_bytes(scalar, dimension) of them. not_found.
  Status get_bytes(Key key, std::span<std::byte> out) const;

  // Every live key once, in no particular order, as of the moment of the call; stops when `visit`
  // returns false. The space of what is removed meanwhile returns only after the call.
  Status for_each(FunctionRef<bool(Key)> visit) const;

  // The k = hits.size() nearest. k = 0 and an empty index give zero hits; k beyond size() gives
  // all. Exact distances, nearest first, ties by key ascending.
  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options = {}) const;

  // One query a row: row i writes counts[i] hits from hits[i * k] on, k = hits.size() / rows.
  // options.threads of the process's shared workers help. The result sums the rows. Stopped by its
  // control, it is `cancelled`, the message says how many queries were answered, and the counts of
  // the others are 0; after its deadline those that were not begun have 0 hits.
  Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options = {}) const;

  // Why does this search return the key, or not? Makes it, and says what it did and what became of
  // the key (explain.h). `hops`: the nodes that its walk asks, in their order, as many as there is
  // room for; result.hops is how many there were. O(n) beside the search; allocates. The deadline
  // is the search's alone. Errors: invalid_argument for no room for a hit; those of search().
  Result<Explanation> explain(VectorView query, Key key, std::span<Hit> hits, std::span<Hop> hops,
                              const SearchOptions& options = {}) const;

  // Walks every invariant of the graph, the directory and the slots. Writers wait meanwhile.
  // Errors: corruption with what is broken and where. O(n M). The control counts vectors.
  Result<CheckReport> check(const Control& control = {}) const;

  // How many levels, links and in-links have the nodes of the graph? Reads the lists as a search
  // does, and waits for nobody: beside writers each list is as it was at some moment of the call.
  // O(n M), and 4 bytes a slot of memory. The space of what is removed meanwhile returns only after
  // the call. The control counts vectors. Errors: out_of_memory.
  Result<GraphShape> shape(const Control& control = {}) const;

  IndexStats stats() const;
  const IndexOptions& options() const;

 private:
  explicit Index(std::unique_ptr<Engine> engine) noexcept;
  Status usable() const noexcept;  // `closed` after a move or a fork

  std::unique_ptr<Engine> engine_;
  std::uint64_t generation_ = 0;  // of the process that made it; a forked child has another
};

}  // namespace skerry

// options.h - everything that can be chosen, with its range and its default.
//
// An option that cannot be honoured is an error that names it, never a silent change. The options
// of a collection are kept with it and checked when it is opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "skerry/control.h"
#include "skerry/types.h"

namespace skerry {

// A distance of the caller's: smaller is nearer, never NaN. `a` and `b` are two vectors as stored
// (vector_bytes() long). Called from many threads at once; must not throw.
struct CustomDistance {
  float (*call)(void* context, const void* a, const void* b, std::size_t dimension) = nullptr;
  void* context = nullptr;
};

// What makes one index. M, ef_construction and ef are those of HNSW: Malkov & Yashunin, "Efficient
// and robust approximate nearest neighbor search using hierarchical navigable small world graphs",
// TPAMI 2018 (arXiv 1603.09320).
struct IndexOptions {
  std::uint32_t dimension = 0;  // 1 .. 65,535; required
  Metric metric = Metric::l2;
  Scalar scalar = Scalar::f32;  // how vectors are kept; f32 input is rounded to f16 or bf16, and
                                // refused for i8 and u8 unless every component is a whole number
                                // in range
  Codes codes = Codes::exact;   // automatic: settled once, when there is to be a graph, and kept in
                                // images; an index that is rebuilt from a store chooses again
  Vectors vectors = Vectors::memory;    // disk: with codes of their own, and where an Index is made
                                        // or loaded a folder for them
  std::uint32_t M = 16;                 // 2 .. 256: links a node keeps; layer 0 keeps 2 M
  std::uint32_t ef_construction = 200;  // 1 .. 65,536: breadth of the search an insert makes
  std::uint32_t ef = 64;                // 1 .. 1,048,576: breadth of a search that names none
  std::uint32_t flat_below = 1024;      // up to this many live vectors there is no graph: searches
                                        // scan and are exact. 0: always a graph
  std::uint64_t seed = 0x5EED;          // of the levels: same order and seed, same graph
  CustomDistance custom = {};           // for Metric::custom; never stored, given again at open
};

struct CollectionOptions {
  IndexOptions index = {};
  bool byte_keys = false;  // keys are byte strings of 1 .. 480 bytes instead of 64-bit numbers
};

// When is a returned write safe?
enum class Durability : std::uint8_t {
  commit = 0,    // it survives kill -9 and power loss
  interval = 1,  // it survives kill -9; power loss may take the last interval
  none = 2,      // it survives kill -9; power loss takes everything since sync(), and nothing
                 // before. No other process may have the database open for writing
};

struct DatabaseOptions {
  bool create_if_missing = true;
  bool read_only = false;
  Durability durability = Durability::commit;
  std::uint32_t sync_interval_ms = 100;  // 1 .. 3,600,000; for Durability::interval
  std::uint64_t map_bytes = 1ULL << 30;  // 2^18 .. 2^46: address space the store starts with; it
                                         // grows by itself
  std::uint32_t max_readers = 1024;      // 1 .. 65,536: transactions that may read at once; the
                                         // first process to open decides for those that join it
  std::uint32_t threads = 0;             // for rebuilding; 0: one a core
  bool use_images = true;                // false: none is saved, and every open rebuilds from the
                                         // store; the log is kept for processes that lag behind
  std::uint32_t warm_collections = 256;  // 1 .. 1,000,000: small collections (scanned, of at most
                                         // 1 MB) whose index stays in memory; that of the others
                                         // is made again when it is needed, in 0.1 ms or so
  CustomDistance custom = {};            // given to collections with Metric::custom
};

// One search. Zeroes mean "the collection's own".
struct SearchOptions {
  std::uint32_t ef = 0;  // breadth: more is slower and finds more; raised to k when smaller, and
                         // with rot4 to k + k / 2, which its codes need to choose k from
  // Instead of ef: how much of the true k nearest is to be found, on average over queries that are
  // like the vectors; 0.9 to 0.999 are useful, 0 leaves it to ef. The index knows its own recall
  // from what it sees when it links vectors. A walk goes as far as its query needs, and at most
  // four times as far as one ef for all queries would.
  float recall_target = 0;
  Filter filter = {};
  float max_distance = std::numeric_limits<float>::infinity();  // range search: none farther
  std::uint64_t budget = 0;   // vectors to score at most; 0: no limit. With codes the few that were
                              // chosen are scored once more, exactly
  bool exact = false;         // scan everything instead of walking the graph
  std::uint32_t threads = 1;  // batch search only; 0: one a core
  // A search whose deadline has passed returns the best that it has found, perhaps nothing, with
  // `exhausted`; one whose function says no is `cancelled`. Done: vectors and keys looked at, of an
  // unknown total; of a batch, queries answered; of a union, collections searched; of a snapshot,
  // rows.
  Control control = {};
};

// How closely verify() looks; each level does what the one before it does.
enum class VerifyLevel : std::uint8_t {
  quick,   // counts and sequence numbers of store and index
  full,    // every link, vector, payload and name
  recall,  // and stored vectors asked for: by a search and by brute force
};

struct VerifyOptions {
  VerifyLevel level = VerifyLevel::full;
  std::uint32_t samples = 200;  // recall: vectors to ask for, drawn evenly
  std::uint64_t seed = 0;       // of the drawing
  Control control = {};         // done: vectors looked at; a stopped verify has found nothing yet
};

// One batch of writes.
struct BatchOptions {
  // To link new vectors with, when there are a few; 0: one a core. The graph is the same with any
  // number of them.
  std::uint32_t threads = 0;
  // Done: rows. A batch that was stopped is absent, all of it.
  Control control = {};
};

}  // namespace skerry

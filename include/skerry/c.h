// c.h - Skerry for C, and for every language that can call C.
//
//   skerry_options options = SKERRY_OPTIONS_INIT;
//   options.dimension = 384;
//   skerry_error error;
//   skerry_index* index = NULL;
//   if (skerry_index_create(&options, NULL, &index, &error) != SKERRY_OK) puts(error.message);
//
//   const skerry_vector vector = {components, 384, SKERRY_F32};
//   skerry_index_upsert(index, 7, &vector, &error);
//   skerry_hit hits[10];
//   skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
//   skerry_index_search(index, &vector, 10, hits, NULL, &found, &error);      found.count hits
//   skerry_index_free(index);
//
// What the C++ headers promise of a call (index.h, collection.h, database.h, snapshot.h) holds
// here: this is the same library behind another door. docs/c-api.md tells the whole story.
//
// Codes. A function that can fail returns a skerry_code: 0, or why not. Whatever fails changes
// nothing. No exception and no line of text comes out of a call.
//
// Errors. The last parameter may be null, or a skerry_error of the caller's, which the call fills:
// the code again, and a sentence that names what was expected and what was given.
//
// Pointers. Null is invalid_argument unless a parameter says "may be null", or has a count of 0. A
// handle that was freed must not be used again: nothing can tell.
//
// Handles. Made by a function with an `out`, which is set to null when the call fails; given back
// by a function that ends in _free, which takes null too. Any thread may use a handle at any time,
// but that nobody may be inside a call on it when it is freed.
//
// Structs that are led by `struct_size` may grow: the caller says how many bytes of it he knows, as
// their _INIT macros do. Of a shorter one the library takes the defaults for what is missing (and
// fills what there is room for); a longer one must be zero where the library does not know it, else
// invalid_argument. Other structs never change. A `reserved` is 0. skerry_bool is 0 or 1.
//
// Borrowing. Inputs are read until the call returns, and never copied to be kept; results are
// written to the caller's memory.
//
// Callbacks are given the `context` that came with them. They must not throw, unwind or longjmp out
// of themselves, nor call anything that a header says they must not.
//
// Threads, allocation and complexity are those of the C++ calls: searches and `get` allocate
// nothing once a thread has warmed up; no call makes a temporary copy of a vector.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "skerry/export.h"
#include "skerry/version.h"

#ifdef __cplusplus
#define SKERRY_NOEXCEPT noexcept
extern "C" {
#else
#define SKERRY_NOEXCEPT
#endif

// -- numbers with names --------------------------------------------------------------------------

typedef uint32_t skerry_bool;

// What happened, and whose move is it?
typedef int32_t skerry_code;
enum {
  SKERRY_OK = 0,
  // The caller's move.
  SKERRY_INVALID_ARGUMENT = 1,
  SKERRY_NOT_FOUND = 2,
  SKERRY_ALREADY_EXISTS = 3,
  SKERRY_BUSY = 4,    // somebody else holds what this call needs
  SKERRY_CLOSED = 5,  // the database was closed, the collection dropped, or this is a fork's child
  SKERRY_READ_ONLY = 6,  // a write through a read-only handle
  SKERRY_CANCELLED = 7,  // a callback asked to stop, or the deadline passed
  // The world's move. Reads go on.
  SKERRY_OUT_OF_MEMORY = 16,
  SKERRY_STORAGE_FULL = 17,
  SKERRY_IO_ERROR = 18,
  SKERRY_CORRUPTION = 19,   // a file of ours that is damaged
  SKERRY_INCOMPATIBLE = 20  // a file that is not ours, or was made by a newer version
};

// How far is it? Smaller is nearer, always.
typedef uint32_t skerry_metric;
enum {
  SKERRY_L2 = 0,         // squared Euclidean distance
  SKERRY_IP = 1,         // 1 - dot product (may be negative)
  SKERRY_COSINE = 2,     // 1 - cosine, in [0, 2]
  SKERRY_HAMMING = 3,    // differing bits; SKERRY_B1 only
  SKERRY_JACCARD = 4,    // 1 - |a and b| / |a or b| on bits; SKERRY_B1 only
  SKERRY_HAVERSINE = 5,  // metres; (latitude, longitude) in degrees, SKERRY_F32, dimension 2
  SKERRY_CUSTOM = 6      // a function of the caller's
};

// What a component is. Bits are packed eight a byte, the first in the lowest bit.
typedef uint32_t skerry_scalar;
enum {
  SKERRY_F32 = 0,
  SKERRY_F16 = 1,
  SKERRY_BF16 = 2,
  SKERRY_I8 = 3,
  SKERRY_U8 = 4,
  SKERRY_B1 = 5
};

// What a search walks over. Every returned distance is exact, whatever it is.
typedef uint32_t skerry_codes;
enum { SKERRY_EXACT = 0, SKERRY_SQ8 = 1, SKERRY_ROT4 = 2, SKERRY_AUTOMATIC = 3 };

// Where an index has its vectors.
typedef uint32_t skerry_vectors;
enum { SKERRY_MEMORY = 0, SKERRY_DISK = 1 };

// When is a returned write safe?
typedef uint32_t skerry_durability;
enum {
  SKERRY_COMMIT = 0,    // it survives kill -9 and power loss
  SKERRY_INTERVAL = 1,  // it survives kill -9; power loss may take the last interval
  SKERRY_NONE = 2       // it survives kill -9; power loss takes everything since sync
};

// Where the index in memory came from when a collection was opened.
typedef uint32_t skerry_opened;
enum {
  SKERRY_OPENED_CREATED = 0,
  SKERRY_OPENED_IMAGE = 1,
  SKERRY_OPENED_REBUILT_ABSENT = 2,
  SKERRY_OPENED_REBUILT_STALE = 3,
  SKERRY_OPENED_REBUILT_DAMAGED = 4
};

// How closely verify looks; each level does what the one before it does.
typedef uint32_t skerry_verify_level;
enum { SKERRY_VERIFY_QUICK = 0, SKERRY_VERIFY_FULL = 1, SKERRY_VERIFY_RECALL = 2 };

// The way that a search chose, whether it was followed by a scan, and what became of a key: see
// explain.h.
typedef uint32_t skerry_search_way;
enum {
  SKERRY_WAY_SCAN = 0,
  SKERRY_WAY_LOOK_UP = 1,
  SKERRY_WAY_WALK = 2,
  SKERRY_WAY_GATED_WALK = 3,
  SKERRY_WAY_PROBE = 4
};
typedef uint32_t skerry_fallback;
enum {
  SKERRY_FALLBACK_NONE = 0,
  SKERRY_FALLBACK_GAVE_UP = 1,
  SKERRY_FALLBACK_TOO_FEW = 2,
  SKERRY_FALLBACK_TOO_LATE = 3
};
typedef uint32_t skerry_fate;
enum {
  SKERRY_FATE_ABSENT = 0,
  SKERRY_FATE_FILTERED = 1,
  SKERRY_FATE_RETURNED = 2,
  SKERRY_FATE_BEYOND_MAX_DISTANCE = 3,
  SKERRY_FATE_BEYOND_K = 4,
  SKERRY_FATE_LOST_IN_RERANK = 5,
  SKERRY_FATE_DROPPED_FROM_POOL = 6,
  SKERRY_FATE_BUDGET = 7,
  SKERRY_FATE_DEADLINE = 8,
  SKERRY_FATE_NEVER_MET = 9
};

#define SKERRY_MAX_DIMENSION 65535  // components, or bits
#define SKERRY_MAX_NAME_BYTES 480   // of a byte-string key
#define SKERRY_NO_DEADLINE INT64_MAX

// The name of a number: "invalid_argument", "cosine"; "unknown" for a number that has none. Never
// null.
SKERRY_API const char* skerry_code_name(skerry_code code) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_metric_name(skerry_metric metric) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_scalar_name(skerry_scalar scalar) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_codes_name(skerry_codes codes) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_vectors_name(skerry_vectors vectors) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_opened_name(skerry_opened opened) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_search_way_name(skerry_search_way way) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_fallback_name(skerry_fallback fallback) SKERRY_NOEXCEPT;
SKERRY_API const char* skerry_fate_name(skerry_fate fate) SKERRY_NOEXCEPT;

// "0.1.0", of the library that is there when the program runs; SKERRY_VERSION_MAJOR and so on are
// of the header. Never null.
SKERRY_API const char* skerry_version(void) SKERRY_NOEXCEPT;

// The kernels in use: "scalar", "avx2", "avx512", "neon". Never null.
SKERRY_API const char* skerry_target(void) SKERRY_NOEXCEPT;

// Nanoseconds on the clock of deadlines, which is steady and starts somewhere.
SKERRY_API int64_t skerry_now_ns(void) SKERRY_NOEXCEPT;

// Bytes that a vector of `dimension` components takes; 0 for a scalar that is none.
SKERRY_API size_t skerry_vector_bytes(skerry_scalar scalar, size_t dimension) SKERRY_NOEXCEPT;

// Half precision and bfloat16, as bits. Conversions round to nearest even.
SKERRY_API uint16_t skerry_float_to_f16(float value) SKERRY_NOEXCEPT;
SKERRY_API uint16_t skerry_float_to_bf16(float value) SKERRY_NOEXCEPT;
SKERRY_API float skerry_f16_to_float(uint16_t bits) SKERRY_NOEXCEPT;
SKERRY_API float skerry_bf16_to_float(uint16_t bits) SKERRY_NOEXCEPT;

// -- errors --------------------------------------------------------------------------------------

// Filled by every call that is given one, "ok" after success. Needs no preparation, and owns
// nothing.
typedef struct skerry_error {
  skerry_code code;
  uint32_t length;    // of the whole sentence: 248 and more was cut
  char message[248];  // "invalid_argument: expected dimension 384, given 383", always terminated
} skerry_error;

// -- what is lent to a call ----------------------------------------------------------------------

// One vector.
typedef struct skerry_vector {
  const void* data;
  size_t dimension;
  skerry_scalar scalar;
} skerry_vector;

// Vectors one after the other, `stride` bytes apart; 0: the rows touch.
typedef struct skerry_matrix {
  const void* data;
  size_t rows;
  size_t dimension;
  size_t stride;
  skerry_scalar scalar;
} skerry_matrix;

// A byte-string key of 1 to 480 bytes; zero bytes are lawful.
typedef struct skerry_name {
  const char* data;
  size_t size;
} skerry_name;

// A payload: opaque bytes, up to 2^32 - 5; none when size is 0.
typedef struct skerry_payload {
  const void* data;
  size_t size;
} skerry_payload;

// A distance of the caller's for SKERRY_CUSTOM: smaller is nearer, never NaN. `a` and `b` are two
// vectors as stored. Called from many threads at once, for as long as there is the index or the
// database that it was given to.
typedef struct skerry_custom_distance {
  float (*call)(void* context, const void* a, const void* b, size_t dimension);
  void* context;
} skerry_custom_distance;

// How a long call is watched, and stopped: see control.h. `progress` is called by the thread that
// made the call, first before anything is done; `done` never falls, `total` is 0 where it is not
// known. When it returns 0 the call ends soon with SKERRY_CANCELLED. So it does when the deadline
// (of skerry_now_ns()) has passed, but for searches, which return what they have found. It must not
// call the index or the database that is at work.
typedef struct skerry_control {
  size_t struct_size;
  skerry_bool (*progress)(void* context, uint64_t done, uint64_t total);  // may be null
  void* context;
  int64_t deadline_ns;
} skerry_control;
#define SKERRY_CONTROL_INIT \
  { sizeof(skerry_control), NULL, NULL, SKERRY_NO_DEADLINE }

// Which keys may be returned? A predicate returns 1 for those that may; it is called from inside
// the search, possibly from several threads at once, any number of times for a key. It may read any
// index or collection; writing from inside it is SKERRY_INVALID_ARGUMENT.
typedef uint32_t skerry_filter_kind;
enum {
  SKERRY_FILTER_NONE = 0,
  SKERRY_FILTER_WHERE = 1,       // where(context, key)
  SKERRY_FILTER_ONLY = 2,        // keys[count]: any order, repeats and absent keys allowed
  SKERRY_FILTER_EXCEPT = 3,      // all but these
  SKERRY_FILTER_WHERE_NAME = 4,  // the same three for byte-string keys
  SKERRY_FILTER_ONLY_NAMES = 5,  // names[count]
  SKERRY_FILTER_EXCEPT_NAMES = 6
};
typedef struct skerry_filter {
  size_t struct_size;
  skerry_filter_kind kind;
  uint32_t reserved;
  skerry_bool (*where)(void* context, uint64_t key);
  skerry_bool (*where_name)(void* context, const char* data, size_t size);
  void* context;
  const uint64_t* keys;
  const skerry_name* names;
  size_t count;  // of keys, or of names
} skerry_filter;
#define SKERRY_FILTER_INIT \
  { sizeof(skerry_filter), SKERRY_FILTER_NONE, 0, NULL, NULL, NULL, NULL, NULL, 0 }

// -- options: ranges and meaning as in options.h -------------------------------------------------

// What makes an index or a collection.
typedef struct skerry_options {
  size_t struct_size;
  uint32_t dimension;  // 1 .. 65,535; required
  skerry_metric metric;
  skerry_scalar scalar;  // how vectors are kept
  skerry_codes codes;
  skerry_vectors vectors;    // SKERRY_DISK: with codes, and for an index a folder
  uint32_t M;                // 2 .. 256
  uint32_t ef_construction;  // 1 .. 65,536
  uint32_t ef;               // 1 .. 1,048,576
  uint32_t flat_below;       // up to so many vectors there is no graph
  skerry_bool byte_keys;  // collections only: keys are byte strings, and the _named calls are used
  uint64_t seed;
  skerry_custom_distance custom;  // for SKERRY_CUSTOM; of a collection given at the database's open
} skerry_options;
#define SKERRY_OPTIONS_INIT                                                                     \
  {                                                                                             \
    sizeof(skerry_options), 0, SKERRY_L2, SKERRY_F32, SKERRY_EXACT, SKERRY_MEMORY, 16, 200, 64, \
        1024, 0, 0x5EED, {                                                                      \
      NULL, NULL                                                                                \
    }                                                                                           \
  }

typedef struct skerry_database_options {
  size_t struct_size;
  skerry_bool create_if_missing;
  skerry_bool read_only;
  skerry_durability durability;
  uint32_t sync_interval_ms;  // 1 .. 3,600,000; for SKERRY_INTERVAL
  uint64_t map_bytes;         // 2^18 .. 2^46: address space the store starts with
  uint32_t max_readers;       // 1 .. 65,536
  uint32_t threads;           // for rebuilding; 0: one a core
  skerry_bool use_images;
  uint32_t warm_collections;      // 1 .. 1,000,000
  skerry_custom_distance custom;  // given to collections with SKERRY_CUSTOM
} skerry_database_options;
#define SKERRY_DATABASE_OPTIONS_INIT                                                               \
  {                                                                                                \
    sizeof(skerry_database_options), 1, 0, SKERRY_COMMIT, 100, (uint64_t)1 << 30, 1024, 0, 1, 256, \
    {                                                                                              \
      NULL, NULL                                                                                   \
    }                                                                                              \
  }

// One search. Zeroes mean "the collection's own".
typedef struct skerry_search_options {
  size_t struct_size;
  uint32_t ef;
  float recall_target;            // instead of ef: 0.9 to 0.999 are useful
  float max_distance;             // range search: none farther
  skerry_bool exact;              // scan everything
  uint64_t budget;                // vectors to score at most; 0: no limit
  const skerry_filter* filter;    // may be null: all keys
  const skerry_control* control;  // may be null
  uint32_t threads;               // batch search only; 0: one a core
  uint32_t reserved;
} skerry_search_options;
#define SKERRY_SEARCH_OPTIONS_INIT \
  { sizeof(skerry_search_options), 0, 0, INFINITY, 0, 0, NULL, NULL, 1, 0 }

// One batch of writes.
typedef struct skerry_batch_options {
  size_t struct_size;
  uint32_t threads;  // to link new vectors with; 0: one a core
  uint32_t reserved;
  const skerry_control* control;  // may be null; counts rows
} skerry_batch_options;
#define SKERRY_BATCH_OPTIONS_INIT \
  { sizeof(skerry_batch_options), 0, 0, NULL }

typedef struct skerry_verify_options {
  size_t struct_size;
  skerry_verify_level level;
  uint32_t samples;               // SKERRY_VERIFY_RECALL: vectors to ask for
  uint64_t seed;                  // of their drawing
  const skerry_control* control;  // may be null; counts vectors
} skerry_verify_options;
#define SKERRY_VERIFY_OPTIONS_INIT \
  { sizeof(skerry_verify_options), SKERRY_VERIFY_FULL, 200, 0, NULL }

typedef struct skerry_repair_options {
  size_t struct_size;
  const char* destination;  // where the repaired database goes; null or "": into its own place
  const skerry_control* control;  // may be null; counts pages
} skerry_repair_options;
#define SKERRY_REPAIR_OPTIONS_INIT \
  { sizeof(skerry_repair_options), NULL, NULL }

// -- answers -------------------------------------------------------------------------------------

typedef struct skerry_hit {
  uint64_t key;
  float distance;
} skerry_hit;

// A byte-string key with room of its own.
typedef struct skerry_named_hit {
  uint16_t name_size;
  char name[SKERRY_MAX_NAME_BYTES];
  float distance;
} skerry_named_hit;

// `collection` is its place in the list that was searched.
typedef struct skerry_union_hit {
  uint64_t key;
  float distance;
  uint32_t collection;
} skerry_union_hit;
typedef struct skerry_named_union_hit {
  uint16_t name_size;
  char name[SKERRY_MAX_NAME_BYTES];
  float distance;
  uint32_t collection;
} skerry_named_union_hit;

// A node whose neighbours a walk looked at.
typedef struct skerry_hop {
  uint64_t key;
  float distance;  // to the query, on the codes
  uint32_t level;
  uint8_t is_live;
} skerry_hop;
typedef struct skerry_named_hop {
  uint16_t name_size;  // 0 when a removed name is forgotten
  char name[SKERRY_MAX_NAME_BYTES];
  float distance;
  uint32_t level;
  uint8_t is_live;
} skerry_named_hop;

// What a search found and what it cost; the hits are in the caller's buffer.
typedef struct skerry_search_result {
  size_t struct_size;
  uint32_t count;         // hits written; of a batch, of all queries
  skerry_bool exact;      // every live key was considered
  skerry_bool exhausted;  // the budget or the deadline ended it early
  uint32_t reserved;
  uint64_t visited;   // distances computed
  uint64_t hops;      // nodes whose neighbours were looked at; 0 in a scan
  uint64_t reranked;  // of `visited`: exact ones, of vectors that codes had chosen
  uint64_t bytes;     // rows of links, codes and vectors that were read for these
} skerry_search_result;
#define SKERRY_SEARCH_RESULT_INIT \
  { sizeof(skerry_search_result), 0, 0, 0, 0, 0, 0, 0, 0 }

// See explain.h for each of these.
typedef struct skerry_explanation {
  size_t struct_size;
  skerry_search_way way;
  skerry_fallback fallback;
  skerry_fate fate;
  uint32_t ef;
  double share;
  double walk_cost_ns;
  double scan_cost_ns;
  float stretch;
  float bar_at_end;
  float distance;
  skerry_bool is_live;
  skerry_bool passes;
  uint32_t place;  // among the hits, 1 the nearest; 0: it was not returned
  uint64_t rank;   // its true one among the live keys that pass, 1 the nearest
  uint64_t passing;
  skerry_bool was_met;
  skerry_bool was_reranked;
  uint64_t met_at_hop;
  float code_distance;
  float bar_when_met;
  uint32_t in_links;
  uint32_t in_links_met;
  uint32_t in_links_asked;
  uint32_t reserved;
} skerry_explanation;
#define SKERRY_EXPLANATION_INIT                                                                   \
  {                                                                                               \
    sizeof(skerry_explanation), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0                                                                                      \
  }

// How full, how large, how deep. Bytes are of committed memory.
typedef struct skerry_index_stats {
  size_t struct_size;
  uint64_t live;
  uint64_t tombstones;
  uint64_t free_slots;
  uint64_t vector_bytes;
  uint64_t vector_disk_bytes;  // of them, in files
  uint64_t code_bytes;
  uint64_t link_bytes;
  uint64_t other_bytes;
  uint64_t backlog;   // slots whose links are still to be made or taken away
  uint64_t sequence;  // of the last write that is visible
  skerry_codes codes;
  uint32_t levels;        // of the graph; 0: no graph
  skerry_bool has_graph;  // 0: searches scan and are exact
  uint32_t reserved;
} skerry_index_stats;
#define SKERRY_INDEX_STATS_INIT \
  { sizeof(skerry_index_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef struct skerry_collection_stats {
  size_t struct_size;
  skerry_opened opened;
  skerry_code image;  // why no image was used at open; SKERRY_OK: one was, or none was needed
  uint64_t replayed;  // changes taken from the log at open
  uint64_t mended_blocks;
  uint64_t log_entries;
  uint64_t image_bytes;
  uint64_t payload_count;
} skerry_collection_stats;
#define SKERRY_COLLECTION_STATS_INIT \
  { sizeof(skerry_collection_stats), 0, 0, 0, 0, 0, 0, 0 }

typedef struct skerry_database_stats {
  size_t struct_size;
  uint64_t collections;
  uint64_t map_bytes;
  uint64_t store_used_bytes;
  uint64_t store_disk_bytes;
  uint64_t store_file_bytes;
  uint64_t image_disk_bytes;
  uint64_t commits;
  uint64_t grown;
  uint64_t sequence;
  uint64_t readers;
  uint64_t max_readers;
  uint64_t stale_readers;
  uint64_t oldest_reader;
  uint64_t snapshots;
  double oldest_snapshot;  // seconds
} skerry_database_stats;
#define SKERRY_DATABASE_STATS_INIT \
  { sizeof(skerry_database_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

// What a check walked.
typedef struct skerry_check_report {
  size_t struct_size;
  uint64_t live;
  uint64_t tombstones;
  uint64_t links;
  uint64_t unreachable;
  uint32_t levels;
  uint32_t reserved;
} skerry_check_report;
#define SKERRY_CHECK_REPORT_INIT \
  { sizeof(skerry_check_report), 0, 0, 0, 0, 0, 0 }

// Numbers that a call counts into the caller's memory: as many as there is room for, and `size`
// says how many there are. data may be null where room is 0.
typedef struct skerry_counts {
  uint64_t* data;
  size_t room;
  size_t size;
} skerry_counts;

// The graph in counts, of its live nodes. Without a graph nodes and every size are 0.
typedef struct skerry_graph_shape {
  size_t struct_size;
  uint64_t nodes;             // live vectors whose links are made
  skerry_counts levels;       // [l]: nodes of which l is the highest level; 25 are always enough
  skerry_counts out_degrees;  // [d]: nodes with d links of their own on level 0; 2 M + 1 of them
  skerry_counts in_degrees;   // [d]: nodes that d live nodes link to on level 0
} skerry_graph_shape;
#define SKERRY_GRAPH_SHAPE_INIT                                  \
  {                                                              \
    sizeof(skerry_graph_shape), 0, {NULL, 0, 0}, {NULL, 0, 0}, { \
      NULL, 0, 0                                                 \
    }                                                            \
  }

// What a verify compared: the first five are of the index.
typedef struct skerry_verify_report {
  size_t struct_size;
  uint64_t live;
  uint64_t tombstones;
  uint64_t links;
  uint64_t unreachable;
  uint32_t levels;
  uint32_t reserved;
  uint64_t vectors_compared;
  uint64_t payloads;
  uint64_t samples;
  uint64_t samples_lost;
  double recall_at_10;
} skerry_verify_report;
#define SKERRY_VERIFY_REPORT_INIT \
  { sizeof(skerry_verify_report), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

// What is known of a collection without opening it. Made by the library for a callback; what it
// points to is there until the callback returns.
typedef struct skerry_collection_info {
  size_t struct_size;
  const char* name;
  uint64_t size;  // keys
  uint64_t payload_count;
  const skerry_options* options;  // without a custom function
} skerry_collection_info;

// What a repair kept, made again, and lost: see repair.h. Made by the library, filled by
// skerry_repair_report_summary() and skerry_repair_report_collection(); what they point to is the
// report's.
typedef struct skerry_repair_summary {
  size_t struct_size;
  skerry_bool is_whole;
  skerry_bool has_losses;
  skerry_bool may_lack_last_commit;
  skerry_bool may_mix_moments;
  skerry_bool may_lack_collections;
  skerry_bool has_new_identity;
  uint64_t pages;
  uint64_t pages_damaged;
  uint64_t pages_found;
  const char* set_aside;  // where the damaged store is now; "": nowhere
  size_t collections;     // that skerry_repair_report_collection() tells of
} skerry_repair_summary;
#define SKERRY_REPAIR_SUMMARY_INIT \
  { sizeof(skerry_repair_summary), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0 }

// Keys from first to last, both included.
typedef struct skerry_key_range {
  uint64_t first;
  uint64_t last;
} skerry_key_range;

typedef struct skerry_collection_repair {
  size_t struct_size;
  const char* name;
  uint32_t number;
  skerry_bool is_kept;
  skerry_bool has_options_of_image;
  skerry_bool is_recounted;
  skerry_bool is_rows_lost_exact;
  skerry_bool is_payloads_lost_exact;
  skerry_bool is_image_discarded;
  uint32_t reserved;
  uint64_t rows;
  uint64_t rows_mended;
  uint64_t rows_from_image;
  uint64_t places_rebuilt;
  uint64_t rows_lost;
  const uint64_t* keys_lost;
  size_t keys_lost_count;
  const skerry_name* names_lost;
  size_t names_lost_count;
  const skerry_key_range* ranges_lost;
  size_t ranges_lost_count;
  uint64_t payloads;
  uint64_t payloads_lost;
  const uint64_t* payload_keys_lost;
  size_t payload_keys_lost_count;
  const skerry_name* payload_names_lost;
  size_t payload_names_lost_count;
  const skerry_key_range* payload_ranges_lost;
  size_t payload_ranges_lost_count;
} skerry_collection_repair;
#define SKERRY_COLLECTION_REPAIR_INIT                                                             \
  {                                                                                               \
    sizeof(skerry_collection_repair), NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, \
        0, NULL, 0, 0, 0, NULL, 0, NULL, 0, NULL, 0                                               \
  }

// -- handles -------------------------------------------------------------------------------------

typedef struct skerry_index skerry_index;
typedef struct skerry_database skerry_database;
typedef struct skerry_collection skerry_collection;
typedef struct skerry_snapshot skerry_snapshot;
typedef struct skerry_repair_report skerry_repair_report;

// Called for each key, or each name; 0 ends the walk, which then returns SKERRY_OK.
typedef skerry_bool (*skerry_visit_key)(void* context, uint64_t key);
typedef skerry_bool (*skerry_visit_name)(void* context, const char* data, size_t size);

// -- an index in memory (index.h) ----------------------------------------------------------------

// `folder` may be null; it is needed for SKERRY_DISK. Errors: invalid_argument names the option and
// its range; out_of_memory; of the folder io_error.
SKERRY_API skerry_code skerry_index_create(const skerry_options* options, const char* folder,
                                           skerry_index** out, skerry_error* error) SKERRY_NOEXCEPT;

// Reads a file that skerry_index_save() wrote into memory, vectors on disk into `folder`. `custom`
// may be null but for SKERRY_CUSTOM. Errors: not_found, corruption, incompatible, io_error,
// storage_full, out_of_memory.
SKERRY_API skerry_code skerry_index_load(const char* path, const skerry_custom_distance* custom,
                                         const char* folder, skerry_index** out,
                                         skerry_error* error) SKERRY_NOEXCEPT;

// Maps such a file read-only. Writes to the index return read_only.
SKERRY_API skerry_code skerry_index_view(const char* path, const skerry_custom_distance* custom,
                                         skerry_index** out, skerry_error* error) SKERRY_NOEXCEPT;

SKERRY_API void skerry_index_free(skerry_index* index) SKERRY_NOEXCEPT;

// Writes the index beside `path`, syncs and renames it into place. Writers and readers go on.
// `control` may be null; it counts bytes. O(bytes).
SKERRY_API skerry_code skerry_index_save(const skerry_index* index, const char* path,
                                         const skerry_control* control,
                                         skerry_error* error) SKERRY_NOEXCEPT;

// A hint: makes room for `count` vectors in all. Never needed.
SKERRY_API skerry_code skerry_index_reserve(skerry_index* index, size_t count,
                                            skerry_error* error) SKERRY_NOEXCEPT;

// insert: already_exists when the key is present. upsert: replaces it in one visible step.
// O(ef_construction * M) distances.
SKERRY_API skerry_code skerry_index_insert(skerry_index* index, uint64_t key,
                                           const skerry_vector* vector,
                                           skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_index_upsert(skerry_index* index, uint64_t key,
                                           const skerry_vector* vector,
                                           skerry_error* error) SKERRY_NOEXCEPT;

// One key a row: keys[vectors->rows]. All or nothing, in one visible step; of a key that comes
// twice the last row wins. `options` may be null.
SKERRY_API skerry_code skerry_index_insert_batch(skerry_index* index, const uint64_t* keys,
                                                 const skerry_matrix* vectors,
                                                 const skerry_batch_options* options,
                                                 skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_index_upsert_batch(skerry_index* index, const uint64_t* keys,
                                                 const skerry_matrix* vectors,
                                                 const skerry_batch_options* options,
                                                 skerry_error* error) SKERRY_NOEXCEPT;

// `removed` may be null: how many of the keys existed. Absent ones are not an error.
SKERRY_API skerry_code skerry_index_remove(skerry_index* index, uint64_t key, uint64_t* removed,
                                           skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_index_remove_batch(skerry_index* index, const uint64_t* keys,
                                                 size_t count, uint64_t* removed,
                                                 skerry_error* error) SKERRY_NOEXCEPT;

SKERRY_API skerry_code skerry_index_contains(const skerry_index* index, uint64_t key,
                                             skerry_bool* out, skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_index_size(const skerry_index* index, uint64_t* out,
                                         skerry_error* error) SKERRY_NOEXCEPT;

// The vector as floats (bits as 0 and 1): `count` is the dimension. not_found.
SKERRY_API skerry_code skerry_index_get(const skerry_index* index, uint64_t key, float* out,
                                        size_t count, skerry_error* error) SKERRY_NOEXCEPT;

// The vector's own bytes as kept: `bytes` is skerry_vector_bytes(scalar, dimension). not_found.
SKERRY_API skerry_code skerry_index_get_bytes(const skerry_index* index, uint64_t key, void* out,
                                              size_t bytes, skerry_error* error) SKERRY_NOEXCEPT;

// Every live key once, in no particular order, as of the moment of the call.
SKERRY_API skerry_code skerry_index_for_each(const skerry_index* index, skerry_visit_key visit,
                                             void* context, skerry_error* error) SKERRY_NOEXCEPT;

// The k nearest, exact distances, nearest first, ties by key ascending: hits[k]. k = 0 and an empty
// index give zero hits; k beyond the size gives all. `options` may be null.
SKERRY_API skerry_code skerry_index_search(const skerry_index* index, const skerry_vector* query,
                                           size_t k, skerry_hit* hits,
                                           const skerry_search_options* options,
                                           skerry_search_result* result,
                                           skerry_error* error) SKERRY_NOEXCEPT;

// One query a row: row i writes counts[i] hits from hits[i * k] on, hits[rows * k], counts[rows].
SKERRY_API skerry_code skerry_index_search_batch(const skerry_index* index,
                                                 const skerry_matrix* queries, size_t k,
                                                 skerry_hit* hits, uint32_t* counts,
                                                 const skerry_search_options* options,
                                                 skerry_search_result* result,
                                                 skerry_error* error) SKERRY_NOEXCEPT;

// Why does this search return the key, or not? hits[k], k at least 1; hops[hop_room], which may be
// null with 0: as many of the walk's nodes as there is room for, result->hops is how many there
// were. `result` may be null. O(n) beside the search; allocates.
SKERRY_API skerry_code skerry_index_explain(const skerry_index* index, const skerry_vector* query,
                                            uint64_t key, size_t k, skerry_hit* hits,
                                            size_t hop_room, skerry_hop* hops,
                                            const skerry_search_options* options,
                                            skerry_search_result* result,
                                            skerry_explanation* explanation,
                                            skerry_error* error) SKERRY_NOEXCEPT;

// Walks every invariant. Writers wait meanwhile. `control` may be null; it counts vectors. Errors:
// corruption with what is broken and where. O(n M).
SKERRY_API skerry_code skerry_index_check(const skerry_index* index, const skerry_control* control,
                                          skerry_check_report* report,
                                          skerry_error* error) SKERRY_NOEXCEPT;

// How many levels, links and in-links have the nodes of the graph? Waits for nobody. `control` may
// be null; it counts vectors. O(n M), and 4 bytes a vector of memory. Errors: invalid_argument for
// room without memory; out_of_memory.
SKERRY_API skerry_code skerry_index_shape(const skerry_index* index, const skerry_control* control,
                                          skerry_graph_shape* shape,
                                          skerry_error* error) SKERRY_NOEXCEPT;

SKERRY_API skerry_code skerry_index_get_stats(const skerry_index* index, skerry_index_stats* out,
                                              skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_index_get_options(const skerry_index* index, skerry_options* out,
                                                skerry_error* error) SKERRY_NOEXCEPT;

// -- a database (database.h) ---------------------------------------------------------------------

// Opens a folder that holds collections. `options` may be null. Errors: not_found (no such folder
// and create_if_missing is 0), busy, corruption, incompatible, io_error, storage_full.
SKERRY_API skerry_code skerry_database_open(const char* folder,
                                            const skerry_database_options* options,
                                            skerry_database** out,
                                            skerry_error* error) SKERRY_NOEXCEPT;

// Saves images of what changed, syncs and lets go, whatever it returns. Every handle of the
// database returns closed from then on; each is still to be freed. A second close is closed.
SKERRY_API skerry_code skerry_database_close(skerry_database* database,
                                             skerry_error* error) SKERRY_NOEXCEPT;

// Closes, and forgets what the close had to say.
SKERRY_API void skerry_database_free(skerry_database* database) SKERRY_NOEXCEPT;

// For a database that is `corruption`, when there is no backup: see Database::repair. `options` may
// be null. The report is freed by the caller. Errors: not_found, busy, corruption, incompatible,
// already_exists, storage_full, io_error; then nothing has changed.
SKERRY_API skerry_code skerry_database_repair(const char* folder,
                                              const skerry_repair_options* options,
                                              skerry_repair_report** out,
                                              skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_repair_report_summary(const skerry_repair_report* report,
                                                    skerry_repair_summary* out,
                                                    skerry_error* error) SKERRY_NOEXCEPT;
// not_found: there is no collection with that number in the report.
SKERRY_API skerry_code skerry_repair_report_collection(const skerry_repair_report* report,
                                                       size_t place, skerry_collection_repair* out,
                                                       skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API void skerry_repair_report_free(skerry_repair_report* report) SKERRY_NOEXCEPT;

// A collection's name is 1 to 255 bytes, ended by a zero. `control` may be null; it counts vectors
// of an index that must be rebuilt. Errors: already_exists; not_found; incompatible when
// open_or_create finds other options.
SKERRY_API skerry_code skerry_database_create(skerry_database* database, const char* name,
                                              const skerry_options* options,
                                              skerry_collection** out,
                                              skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_database_open_collection(skerry_database* database, const char* name,
                                                       const skerry_control* control,
                                                       skerry_collection** out,
                                                       skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_database_open_or_create(skerry_database* database, const char* name,
                                                      const skerry_options* options,
                                                      const skerry_control* control,
                                                      skerry_collection** out,
                                                      skerry_error* error) SKERRY_NOEXCEPT;

// One collection for each of names[count], all or none, in one commit.
SKERRY_API skerry_code skerry_database_create_many(skerry_database* database,
                                                   const char* const* names, size_t count,
                                                   const skerry_options* options,
                                                   skerry_error* error) SKERRY_NOEXCEPT;

// O(rows); its handles are closed.
SKERRY_API skerry_code skerry_database_drop(skerry_database* database, const char* name,
                                            skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_database_rename(skerry_database* database, const char* from,
                                              const char* to, skerry_error* error) SKERRY_NOEXCEPT;

// Another collection with all that `from` has at one moment. `control` may be null. O(bytes).
SKERRY_API skerry_code skerry_database_clone(skerry_database* database, const char* from,
                                             const char* to, const skerry_control* control,
                                             skerry_collection** out,
                                             skerry_error* error) SKERRY_NOEXCEPT;

// Calls `visit` for each name, ascending by bytes, or for what is known of each collection, until
// it returns 0. Nothing is held meanwhile: it may call what it likes.
SKERRY_API skerry_code skerry_database_list(const skerry_database* database,
                                            skerry_bool (*visit)(void* context, const char* name),
                                            void* context, skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code
skerry_database_collections(const skerry_database* database,
                            skerry_bool (*visit)(void* context, const skerry_collection_info* info),
                            void* context, skerry_error* error) SKERRY_NOEXCEPT;

// The k nearest of collections[count] together; `_named` for byte-string keys. Ties by key, then by
// the collection's place. They must agree in dimension, metric, scalar and kind of key: else
// incompatible.
SKERRY_API skerry_code skerry_database_search_union(const skerry_database* database,
                                                    const skerry_collection* const* collections,
                                                    size_t count, const skerry_vector* query,
                                                    size_t k, skerry_union_hit* hits,
                                                    const skerry_search_options* options,
                                                    skerry_search_result* result,
                                                    skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_database_search_union_named(
    const skerry_database* database, const skerry_collection* const* collections, size_t count,
    const skerry_vector* query, size_t k, skerry_named_union_hit* hits,
    const skerry_search_options* options, skerry_search_result* result,
    skerry_error* error) SKERRY_NOEXCEPT;

// Makes everything that has returned survive power loss, whatever the durability.
SKERRY_API skerry_code skerry_database_sync(skerry_database* database,
                                            skerry_error* error) SKERRY_NOEXCEPT;

// Saves an image of every open collection that changed. `control` may be null; it counts
// collections.
SKERRY_API skerry_code skerry_database_checkpoint(skerry_database* database,
                                                  const skerry_control* control,
                                                  skerry_error* error) SKERRY_NOEXCEPT;

// A consistent copy into a new or empty folder, while writers go on. `control` may be null; it
// counts bytes.
SKERRY_API skerry_code skerry_database_backup(const skerry_database* database, const char* folder,
                                              const skerry_control* control,
                                              skerry_error* error) SKERRY_NOEXCEPT;

// Gives free pages back to the file system. busy while another process has the database open, or
// this one holds a snapshot. `control` may be null; it counts bytes.
SKERRY_API skerry_code skerry_database_compact(skerry_database* database,
                                               const skerry_control* control,
                                               skerry_error* error) SKERRY_NOEXCEPT;

SKERRY_API skerry_code skerry_database_get_stats(const skerry_database* database,
                                                 skerry_database_stats* out,
                                                 skerry_error* error) SKERRY_NOEXCEPT;

// -- a collection (collection.h) -----------------------------------------------------------------
//
// The calls that end in _named are for collections with byte-string keys, the others for those with
// 64-bit keys: a call of the other kind is invalid_argument.

SKERRY_API void skerry_collection_free(skerry_collection* collection) SKERRY_NOEXCEPT;

// Durable when it returns, as the database's durability says. `payload` may be null: none, and an
// upsert takes the old one away.
SKERRY_API skerry_code skerry_collection_insert(skerry_collection* collection, uint64_t key,
                                                const skerry_vector* vector,
                                                const skerry_payload* payload,
                                                skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_insert_named(skerry_collection* collection,
                                                      const skerry_name* name,
                                                      const skerry_vector* vector,
                                                      const skerry_payload* payload,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_upsert(skerry_collection* collection, uint64_t key,
                                                const skerry_vector* vector,
                                                const skerry_payload* payload,
                                                skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_upsert_named(skerry_collection* collection,
                                                      const skerry_name* name,
                                                      const skerry_vector* vector,
                                                      const skerry_payload* payload,
                                                      skerry_error* error) SKERRY_NOEXCEPT;

// One commit for the whole batch, all or nothing: keys[rows] or names[rows]; payloads[rows] may be
// null: none. `options` may be null.
SKERRY_API skerry_code skerry_collection_insert_batch(skerry_collection* collection,
                                                      const uint64_t* keys,
                                                      const skerry_matrix* vectors,
                                                      const skerry_payload* payloads,
                                                      const skerry_batch_options* options,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_insert_batch_named(skerry_collection* collection,
                                                            const skerry_name* names,
                                                            const skerry_matrix* vectors,
                                                            const skerry_payload* payloads,
                                                            const skerry_batch_options* options,
                                                            skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_upsert_batch(skerry_collection* collection,
                                                      const uint64_t* keys,
                                                      const skerry_matrix* vectors,
                                                      const skerry_payload* payloads,
                                                      const skerry_batch_options* options,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_upsert_batch_named(skerry_collection* collection,
                                                            const skerry_name* names,
                                                            const skerry_matrix* vectors,
                                                            const skerry_payload* payloads,
                                                            const skerry_batch_options* options,
                                                            skerry_error* error) SKERRY_NOEXCEPT;

// `removed` may be null: how many existed. One commit each.
SKERRY_API skerry_code skerry_collection_remove(skerry_collection* collection, uint64_t key,
                                                uint64_t* removed,
                                                skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_remove_named(skerry_collection* collection,
                                                      const skerry_name* name, uint64_t* removed,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_remove_batch(skerry_collection* collection,
                                                      const uint64_t* keys, size_t count,
                                                      uint64_t* removed,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_remove_batch_named(skerry_collection* collection,
                                                            const skerry_name* names, size_t count,
                                                            uint64_t* removed,
                                                            skerry_error* error) SKERRY_NOEXCEPT;

SKERRY_API skerry_code skerry_collection_contains(const skerry_collection* collection, uint64_t key,
                                                  skerry_bool* out,
                                                  skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_contains_named(const skerry_collection* collection,
                                                        const skerry_name* name, skerry_bool* out,
                                                        skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_size(const skerry_collection* collection, uint64_t* out,
                                              skerry_error* error) SKERRY_NOEXCEPT;

// As skerry_index_get() and skerry_index_get_bytes().
SKERRY_API skerry_code skerry_collection_get(const skerry_collection* collection, uint64_t key,
                                             float* out, size_t count,
                                             skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_get_named(const skerry_collection* collection,
                                                   const skerry_name* name, float* out,
                                                   size_t count,
                                                   skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_get_bytes(const skerry_collection* collection,
                                                   uint64_t key, void* out, size_t bytes,
                                                   skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_get_bytes_named(const skerry_collection* collection,
                                                         const skerry_name* name, void* out,
                                                         size_t bytes,
                                                         skerry_error* error) SKERRY_NOEXCEPT;

// The payload's length into `length`, as much of it as fits into out[room], which may be null with
// 0. Length 0 when the key has none; not_found when there is no such key. Reads the store.
SKERRY_API skerry_code skerry_collection_get_payload(const skerry_collection* collection,
                                                     uint64_t key, void* out, size_t room,
                                                     size_t* length,
                                                     skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_get_payload_named(const skerry_collection* collection,
                                                           const skerry_name* name, void* out,
                                                           size_t room, size_t* length,
                                                           skerry_error* error) SKERRY_NOEXCEPT;

// `visit` may read and write, but not close or drop what is being walked.
SKERRY_API skerry_code skerry_collection_for_each(const skerry_collection* collection,
                                                  skerry_visit_key visit, void* context,
                                                  skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_for_each_named(const skerry_collection* collection,
                                                        skerry_visit_name visit, void* context,
                                                        skerry_error* error) SKERRY_NOEXCEPT;

// As skerry_index_search() and its neighbours.
SKERRY_API skerry_code skerry_collection_search(const skerry_collection* collection,
                                                const skerry_vector* query, size_t k,
                                                skerry_hit* hits,
                                                const skerry_search_options* options,
                                                skerry_search_result* result,
                                                skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_search_named(const skerry_collection* collection,
                                                      const skerry_vector* query, size_t k,
                                                      skerry_named_hit* hits,
                                                      const skerry_search_options* options,
                                                      skerry_search_result* result,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_search_batch(const skerry_collection* collection,
                                                      const skerry_matrix* queries, size_t k,
                                                      skerry_hit* hits, uint32_t* counts,
                                                      const skerry_search_options* options,
                                                      skerry_search_result* result,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_search_batch_named(
    const skerry_collection* collection, const skerry_matrix* queries, size_t k,
    skerry_named_hit* hits, uint32_t* counts, const skerry_search_options* options,
    skerry_search_result* result, skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_explain(
    const skerry_collection* collection, const skerry_vector* query, uint64_t key, size_t k,
    skerry_hit* hits, size_t hop_room, skerry_hop* hops, const skerry_search_options* options,
    skerry_search_result* result, skerry_explanation* explanation,
    skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_explain_named(
    const skerry_collection* collection, const skerry_vector* query, const skerry_name* name,
    size_t k, skerry_named_hit* hits, size_t hop_room, skerry_named_hop* hops,
    const skerry_search_options* options, skerry_search_result* result,
    skerry_explanation* explanation, skerry_error* error) SKERRY_NOEXCEPT;

// The collection as it is now, for as long as the handle is held. busy: as many as max_readers read
// the store already.
SKERRY_API skerry_code skerry_collection_snapshot(const skerry_collection* collection,
                                                  skerry_snapshot** out,
                                                  skerry_error* error) SKERRY_NOEXCEPT;

// Saves an image now. `control` may be null; it counts bytes.
SKERRY_API skerry_code skerry_collection_save_image(skerry_collection* collection,
                                                    const skerry_control* control,
                                                    skerry_error* error) SKERRY_NOEXCEPT;

// The graph in counts: see skerry_index_shape.
SKERRY_API skerry_code skerry_collection_shape(const skerry_collection* collection,
                                               const skerry_control* control,
                                               skerry_graph_shape* shape,
                                               skerry_error* error) SKERRY_NOEXCEPT;

// Do store and index say the same? `options` may be null. Errors: corruption names what disagrees.
SKERRY_API skerry_code skerry_collection_verify(const skerry_collection* collection,
                                                const skerry_verify_options* options,
                                                skerry_verify_report* report,
                                                skerry_error* error) SKERRY_NOEXCEPT;

// Each of the first three may be null. `image` says in words why no image was used at open.
SKERRY_API skerry_code skerry_collection_get_stats(const skerry_collection* collection,
                                                   skerry_collection_stats* out,
                                                   skerry_index_stats* index, skerry_error* image,
                                                   skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_collection_get_options(const skerry_collection* collection,
                                                     skerry_options* out,
                                                     skerry_error* error) SKERRY_NOEXCEPT;

// The name's length into `length`; as much of it as fits into out[room], ended by a zero. `out` may
// be null with 0. Never closed.
SKERRY_API skerry_code skerry_collection_get_name(const skerry_collection* collection, char* out,
                                                  size_t room, size_t* length,
                                                  skerry_error* error) SKERRY_NOEXCEPT;

// -- a snapshot (snapshot.h) ---------------------------------------------------------------------

SKERRY_API void skerry_snapshot_free(skerry_snapshot* snapshot) SKERRY_NOEXCEPT;

// Of its moment; known whatever has become of the database, and never closed.
SKERRY_API skerry_code skerry_snapshot_size(const skerry_snapshot* snapshot, uint64_t* out,
                                            skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_sequence(const skerry_snapshot* snapshot, uint64_t* out,
                                                skerry_error* error) SKERRY_NOEXCEPT;
// Seconds since it was taken.
SKERRY_API skerry_code skerry_snapshot_age(const skerry_snapshot* snapshot, double* out,
                                           skerry_error* error) SKERRY_NOEXCEPT;

// A few lookups in the store, O(log n) each.
SKERRY_API skerry_code skerry_snapshot_contains(const skerry_snapshot* snapshot, uint64_t key,
                                                skerry_bool* out,
                                                skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_contains_named(const skerry_snapshot* snapshot,
                                                      const skerry_name* name, skerry_bool* out,
                                                      skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_get(const skerry_snapshot* snapshot, uint64_t key,
                                           float* out, size_t count,
                                           skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_get_named(const skerry_snapshot* snapshot,
                                                 const skerry_name* name, float* out, size_t count,
                                                 skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_get_bytes(const skerry_snapshot* snapshot, uint64_t key,
                                                 void* out, size_t bytes,
                                                 skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_get_bytes_named(const skerry_snapshot* snapshot,
                                                       const skerry_name* name, void* out,
                                                       size_t bytes,
                                                       skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_get_payload(const skerry_snapshot* snapshot, uint64_t key,
                                                   void* out, size_t room, size_t* length,
                                                   skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_get_payload_named(const skerry_snapshot* snapshot,
                                                         const skerry_name* name, void* out,
                                                         size_t room, size_t* length,
                                                         skerry_error* error) SKERRY_NOEXCEPT;

// Every key once, numbers ascending. O(n).
SKERRY_API skerry_code skerry_snapshot_for_each(const skerry_snapshot* snapshot,
                                                skerry_visit_key visit, void* context,
                                                skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_for_each_named(const skerry_snapshot* snapshot,
                                                      skerry_visit_name visit, void* context,
                                                      skerry_error* error) SKERRY_NOEXCEPT;

// What an exact search of the collection would have answered at that moment. O(n).
SKERRY_API skerry_code skerry_snapshot_search(const skerry_snapshot* snapshot,
                                              const skerry_vector* query, size_t k,
                                              skerry_hit* hits,
                                              const skerry_search_options* options,
                                              skerry_search_result* result,
                                              skerry_error* error) SKERRY_NOEXCEPT;
SKERRY_API skerry_code skerry_snapshot_search_named(const skerry_snapshot* snapshot,
                                                    const skerry_vector* query, size_t k,
                                                    skerry_named_hit* hits,
                                                    const skerry_search_options* options,
                                                    skerry_search_result* result,
                                                    skerry_error* error) SKERRY_NOEXCEPT;

// -- hosts that own memory and threads (host.h) --------------------------------------------------

// `run` calls task(argument) up to `hands` times, on threads of the host's and at once as far as
// they are free, and returns when those calls have returned. It is called by many threads at once,
// never from inside a task. The calling thread should be among them: only there is a progress
// callback asked. A call that has not begun when another has returned has nothing left to do, and
// must not be waited for: its thread may be waiting for the call that this is a part of. `hands`: 1
// .. 65,536, how many threads may work for one call; that is what "one a core" means in the options
// then.
typedef struct skerry_executor {
  size_t struct_size;
  void (*run)(void* context, void (*task)(void* argument), void* argument, uint32_t hands);
  void* context;
  uint32_t hands;
  uint32_t reserved;
} skerry_executor;
#define SKERRY_EXECUTOR_INIT \
  { sizeof(skerry_executor), NULL, NULL, 0, 0 }

// Instead of the library's own worker threads, for the whole process and for good: before anything
// that could use them. Errors: busy (they have been used, or there is an executor already);
// invalid_argument.
SKERRY_API skerry_code skerry_set_executor(const skerry_executor* executor,
                                           skerry_error* error) SKERRY_NOEXCEPT;

// Memory of the host's, for whatever grows with vectors and for the scratch of searches; host.h
// says what is not covered. Called by many threads at once.
typedef struct skerry_allocator {
  size_t struct_size;
  // A piece that begins at a multiple of `alignment` (a power of two, at most 64); null: no memory.
  void* (*allocate)(void* context, size_t bytes, size_t alignment);
  void (*release)(void* context, void* memory, size_t bytes, size_t alignment);
  // Address space, whole pages, that costs nothing until it is committed, and may be much larger
  // than the memory there is; null: none.
  void* (*reserve)(void* context, size_t bytes);
  // Makes the bytes from `begin` on usable and zero: whole pages, each once, in ascending order. 0:
  // no memory.
  skerry_bool (*commit)(void* context, void* base, size_t begin, size_t bytes);
  void (*unreserve)(void* context, void* base, size_t bytes);
  void* context;
} skerry_allocator;
#define SKERRY_ALLOCATOR_INIT \
  { sizeof(skerry_allocator), NULL, NULL, NULL, NULL, NULL, NULL }

// For the whole process and for good: before the first index or database. Errors: busy (memory has
// been taken, or there is an allocator already); invalid_argument.
SKERRY_API skerry_code skerry_set_allocator(const skerry_allocator* allocator,
                                            skerry_error* error) SKERRY_NOEXCEPT;

#ifdef __cplusplus
}
#endif

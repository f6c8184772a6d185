// peer.h - one library under measurement: the only thing the measurements know of it.
//
// Skerry stands behind this interface like everybody else. A peer is given the data when it is
// made; afterwards calls name rows and queries by number, so that each library is fed the form it
// likes (floats, bytes, unit vectors) without any conversion on the clock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataset.h"
#include "skerry/options.h"
#include "skerry/types.h"

namespace skerry::bench {

// The most neighbours a search asks for.
inline constexpr std::size_t kMostHits = 1024;

// What all of them are built with.
struct GraphOptions {
  std::uint32_t M = 16;
  std::uint32_t ef_construction = 200;
  std::size_t capacity = 0;  // vectors there will ever be, for those that must know beforehand
  unsigned threads = 1;      // the most that will call at once
};

// The marks of age. Nothing: not known.
struct Wear {
  std::optional<std::uint64_t> tombstones;   // places of removed vectors, not used again yet
  std::optional<std::uint64_t> unreachable;  // live vectors that no walk over layer 0 meets
};

enum class Upkeep : std::uint8_t { image, compact };

class Peer {
 public:
  virtual ~Peer() = default;

  // Adds rows [first, first + count), each under its number as the key, on `threads` threads. With
  // one thread they go in one after the other, ascending. Failures are std::runtime_error, here
  // and below.
  virtual void add(std::size_t first, std::size_t count, unsigned threads) = 0;

  // The same, each row by a call of its own from one of the threads: many writers at once. Where
  // add() is nothing else it is this.
  virtual void add_each(std::size_t first, std::size_t count, unsigned threads) {
    add(first, count, threads);
  }

  // Puts another row under a present key. False: the library cannot.
  virtual bool update(Key key, std::size_t row) = 0;

  // Takes a key out. False: the library cannot.
  virtual bool remove(Key key) = 0;

  // Puts a row under an absent key: a new one, or one that was taken out. False: the library
  // cannot. `thread` is the caller's number, as in search().
  virtual bool insert(Key key, std::size_t row, unsigned thread) = 0;

  // Breadth of the searches that follow. Not beside a search.
  virtual void set_ef(std::uint32_t ef) = 0;

  // What part of the true neighbours they are to find, instead, until set_ef() is called. False:
  // the library cannot be asked that.
  virtual bool set_recall_target(float) { return false; }

  // Rows that may be answers of the searches that follow, a byte each, by key; borrowed. Nullptr:
  // all. False: the library cannot.
  virtual bool set_filter(const std::uint8_t*) { return false; }

  // The keys.size() nearest of a query, nearest first; returns how many there are. From up to
  // GraphOptions::threads threads at once, `thread` being the caller's number.
  virtual std::size_t search(std::size_t query, unsigned thread, std::span<Key> keys) = 0;

  // The same search, with what it cost in Skerry's counters. Nothing: the library has none. Not
  // beside another call.
  virtual std::optional<SearchResult> count_search(std::size_t, std::span<Key>) {
    return std::nullopt;
  }

  // Writes it into a file, and puts what a file holds in its place: read into memory, or `mapped`.
  // False: the library cannot. Skerry has databases for that.
  virtual bool save(const std::string&) { return false; }
  virtual bool open(const std::string&, bool) { return false; }

  // What updates have left behind, as far as the library or a walk over its links can tell. Not
  // beside a write.
  virtual Wear wear() const { return {}; }

  // What a database does in the background now and then, once. Beside reads and writes.
  virtual void keep_up(Upkeep) {}

  // Space on the disk, of those that have any.
  virtual std::optional<std::uint64_t> disk_bytes() { return std::nullopt; }

  // Memory in use as the library itself accounts for it.
  virtual std::uint64_t bytes() const = 0;

  // What is walked over in this moment, where the peer chose that by itself.
  virtual std::optional<Codes> picked() const { return std::nullopt; }

  // Memory of copies of the data that were made to feed it: the benchmark's, not the library's.
  virtual std::uint64_t feed_bytes() const { return 0; }
};

// A library, or one of its modes.
struct PeerKind {
  std::string impl;     // "hnswlib"
  std::string scalar;   // how vectors are kept: "f32", "bf16", "u8"
  std::string codes;    // what is walked over: "exact", "sq8", "rot4", "auto"
  std::string note;     // what a reader must know to be fair, or ""
  std::string missing;  // why it is not here, or "" when it is
  std::function<std::unique_ptr<Peer>(const Dataset&, const GraphOptions&)> make;

  // Beside a search: may a present key get another vector, and what must a reader know of a write?
  bool may_update_beside_search = false;
  std::string write_note;

  // Skerry's alone: the same index in a database.
  std::function<IndexOptions(const Dataset&, const GraphOptions&)> index_options;

  bool has_upkeep = false;  // keep_up() does something

  std::string vectors = {};  // where exact vectors are: "disk", or "" for memory

  // Instead of GraphOptions'; 0: that. For builds that are compared at equal recall.
  std::uint32_t ef_construction = 0;

  // "usearch bf16", "skerry f32 sq8": a legend's entry.
  std::string label() const;
};

// The foreign libraries, whether they are here or not.
inline constexpr std::string_view kPeerNames[] = {"hnswlib", "faiss", "usearch", "sqlite-vec",
                                                  "lancedb"};

// Skerry with each of the storages, codes, places and breadths, then the foreign libraries by name
// (kPeerNames, or one mode of it: "usearch:bf16"), found or missing. Throws std::runtime_error for
// an unknown name.
struct PeerChoice {
  std::vector<std::string> scalars = {"f32"};
  std::vector<std::string> codes = {"exact"};
  std::vector<std::string> vectors = {"memory"};
  std::vector<std::uint32_t> ef_constructions = {0};  // Skerry's; 0: everybody's
  std::vector<std::string> peers;
  std::uint32_t flat_below = 0;  // Skerry's option of that name
  std::string folder;            // for what is on disk; "": the system's for temporary files
};
std::vector<PeerKind> choose_peers(const PeerChoice& choice);

// One file each, in peers/.
PeerKind skerry_kind(Scalar scalar, Codes codes, Vectors vectors, std::uint32_t ef_construction,
                     const PeerChoice& choice);
PeerKind collection_kind(const PeerKind& index, Durability durability, const std::string& folder);
std::vector<PeerKind> hnswlib_kinds();
std::vector<PeerKind> faiss_kinds();
std::vector<PeerKind> usearch_kinds();
std::vector<PeerKind> sqlite_vec_kinds(const std::string& folder);
std::vector<PeerKind> lancedb_kinds(const std::string& folder);

}  // namespace skerry::bench

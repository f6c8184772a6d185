// durable_store.h - a Skerry database on disk with the data set in it, for the measurements of
// durability, opening and disk space.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "peer.h"
#include "skerry/database.h"

namespace skerry::bench {

// "commit", "interval", "none".
std::string_view name_of(Durability durability) noexcept;

// One database with one collection of the data set's shape, in floats. Failures are
// std::runtime_error.
class DurableStore {
 public:
  // Opens the folder, or makes it. Without images the index is rebuilt from the store.
  DurableStore(const std::filesystem::path& folder, const PeerKind& kind, const Dataset& set,
               const GraphOptions& graph, Durability durability, bool use_images = true);

  // Rows [first, first + count) under their keys, in one commit. From any thread.
  void upsert(std::size_t first, std::size_t count, unsigned threads);

  // A row's key is its number until this says otherwise.
  void set_keys(const std::vector<Key>& keys) { keys_ = keys; }

  // One row under a key, or a key less, in a commit of its own. From any thread.
  void upsert(Key key, std::size_t row);
  void remove(Key key);

  std::size_t search(std::size_t query, std::span<Hit> hits,
                     const SearchOptions& options = {}) const;
  void save_images();
  void compact();
  void close();

  std::uint64_t index_bytes() const;
  DatabaseStats stats() const;
  CollectionStats collection_stats() const;
  CheckReport check_index() const;

 private:
  const Dataset& set_;
  std::vector<Key> keys_;  // by row
  std::unique_ptr<Database> database_;
  std::unique_ptr<Collection> collection_;
};

}  // namespace skerry::bench

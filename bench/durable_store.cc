// durable_store.cc - see durable_store.h.
#include "durable_store.h"

#include <numeric>

#include "must.h"

namespace skerry::bench {

std::string_view name_of(Durability durability) noexcept {
  switch (durability) {
    case Durability::commit:
      return "commit";
    case Durability::interval:
      return "interval";
    case Durability::none:
      return "none";
  }
  return "";
}

DurableStore::DurableStore(const std::filesystem::path& folder, const PeerKind& kind,
                           const Dataset& set, const GraphOptions& graph, Durability durability,
                           bool use_images)
    : set_(set), keys_(set.base.rows) {
  std::iota(keys_.begin(), keys_.end(), Key{0});
  DatabaseOptions options;
  options.durability = durability;
  options.use_images = use_images;
  Result<Database> database = Database::open(folder, options);
  check(database.status());
  database_ = std::make_unique<Database>(std::move(*database));
  CollectionOptions collection_options;
  collection_options.index = kind.index_options(set, graph);
  Result<Collection> collection = database_->open_or_create("bench", collection_options);
  check(collection.status());
  collection_ = std::make_unique<Collection>(std::move(*collection));
}

void DurableStore::upsert(std::size_t first, std::size_t count, unsigned threads) {
  const MatrixView rows(set_.base.row(first), Scalar::f32, count, set_.base.dimension);
  if (count == 1) return check(collection_->upsert(keys_[first], rows.row(0)));
  check(collection_->upsert(std::span<const Key>(keys_).subspan(first, count), rows, {},
                            {.threads = threads}));
}

void DurableStore::upsert(Key key, std::size_t row) {
  check(collection_->upsert(key, set_.base.span(row)));
}

void DurableStore::remove(Key key) {
  check(collection_->remove(key).status());
}

std::size_t DurableStore::search(std::size_t query, std::span<Hit> hits,
                                 const SearchOptions& options) const {
  const Result<SearchResult> found = collection_->search(set_.queries.span(query), hits, options);
  check(found.status());
  return found->count;
}

void DurableStore::save_images() {
  check(database_->checkpoint());
}

void DurableStore::compact() {
  check(database_->compact());
}

void DurableStore::close() {
  check(database_->close());
}

std::uint64_t DurableStore::index_bytes() const {
  const IndexStats index = collection_stats().index;
  return index.vector_bytes - index.vector_disk_bytes + index.code_bytes + index.link_bytes +
         index.other_bytes;
}

DatabaseStats DurableStore::stats() const {
  Result<DatabaseStats> stats = database_->stats();
  check(stats.status());
  return *stats;
}

CollectionStats DurableStore::collection_stats() const {
  Result<CollectionStats> stats = collection_->stats();
  check(stats.status());
  return *stats;
}

CheckReport DurableStore::check_index() const {
  Result<VerifyReport> report = collection_->verify();
  check(report.status());
  return report->index;
}

}  // namespace skerry::bench

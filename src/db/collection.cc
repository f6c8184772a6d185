// collection.cc - the front door of a collection: one line a call.
#include "skerry/collection.h"

#include "db/calls.h"
#include "db/collection_state.h"
#include "db/snapshot_state.h"

namespace skerry {
namespace {

MatrixView one_row(VectorView vector) noexcept {
  return MatrixView(vector.data(), vector.scalar(), 1, vector.dimension());
}

using Kind = Request::Kind;

Status write_one(const std::shared_ptr<CollectionState>& state, Kind kind, Key key,
                 VectorView vector, Payload payload) {
  return guarded(state, [&](CollectionState& collection) {
    Request request;
    request.kind = kind;
    request.keys = std::span<const Key>(&key, 1);
    request.vectors = one_row(vector);
    if (!payload.empty()) request.payloads = std::span<const Payload>(&payload, 1);
    return collection.write(request, false, true);
  });
}

Status write_one(const std::shared_ptr<CollectionState>& state, Kind kind, std::string_view name,
                 VectorView vector, Payload payload) {
  return guarded(state, [&](CollectionState& collection) {
    Request request;
    request.kind = kind;
    request.names = std::span<const std::string_view>(&name, 1);
    request.vectors = one_row(vector);
    if (!payload.empty()) request.payloads = std::span<const Payload>(&payload, 1);
    return collection.write(request, true, true);
  });
}

Status write_batch(const std::shared_ptr<CollectionState>& state, Kind kind,
                   std::span<const Key> keys, MatrixView vectors, std::span<const Payload> payloads,
                   const BatchOptions& options) {
  return guarded(state, [&](CollectionState& collection) {
    Request request;
    request.kind = kind;
    request.keys = keys;
    request.vectors = vectors;
    request.payloads = payloads;
    request.threads = options.threads;
    request.control = options.control;
    return collection.write(request, false, false);
  });
}

Status write_batch(const std::shared_ptr<CollectionState>& state, Kind kind,
                   std::span<const std::string_view> names, MatrixView vectors,
                   std::span<const Payload> payloads, const BatchOptions& options) {
  return guarded(state, [&](CollectionState& collection) {
    Request request;
    request.kind = kind;
    request.names = names;
    request.vectors = vectors;
    request.payloads = payloads;
    request.threads = options.threads;
    request.control = options.control;
    return collection.write(request, true, false);
  });
}

Result<std::uint64_t> remove_keys(const std::shared_ptr<CollectionState>& state,
                                  std::span<const Key> keys, bool single) {
  return guarded(state, [&](CollectionState& collection) -> Result<std::uint64_t> {
    Request request;
    request.kind = Kind::remove;
    request.keys = keys;
    const Status status = collection.write(request, false, single);
    if (!status.ok()) return status;
    return request.removed;
  });
}

Result<std::uint64_t> remove_names(const std::shared_ptr<CollectionState>& state,
                                   std::span<const std::string_view> names, bool single) {
  return guarded(state, [&](CollectionState& collection) -> Result<std::uint64_t> {
    Request request;
    request.kind = Kind::remove;
    request.names = names;
    const Status status = collection.write(request, true, single);
    if (!status.ok()) return status;
    return request.removed;
  });
}

}  // namespace

std::string_view name_of(Opened opened) noexcept {
  switch (opened) {
    case Opened::created:
      return "created";
    case Opened::image:
      return "image";
    case Opened::rebuilt_absent:
      return "rebuilt_absent";
    case Opened::rebuilt_stale:
      return "rebuilt_stale";
    case Opened::rebuilt_damaged:
      return "rebuilt_damaged";
  }
  return "unknown";
}

Collection::Collection(std::shared_ptr<CollectionState> state) noexcept
    : state_(std::move(state)) {}

Status Collection::insert(Key key, VectorView vector, Payload payload) {
  return write_one(state_, Kind::insert, key, vector, payload);
}
Status Collection::insert(std::string_view name, VectorView vector, Payload payload) {
  return write_one(state_, Kind::insert, name, vector, payload);
}
Status Collection::upsert(Key key, VectorView vector, Payload payload) {
  return write_one(state_, Kind::upsert, key, vector, payload);
}
Status Collection::upsert(std::string_view name, VectorView vector, Payload payload) {
  return write_one(state_, Kind::upsert, name, vector, payload);
}
Status Collection::insert(std::span<const Key> keys, MatrixView vectors,
                          std::span<const Payload> payloads, const BatchOptions& options) {
  return write_batch(state_, Kind::insert, keys, vectors, payloads, options);
}
Status Collection::insert(std::span<const std::string_view> names, MatrixView vectors,
                          std::span<const Payload> payloads, const BatchOptions& options) {
  return write_batch(state_, Kind::insert, names, vectors, payloads, options);
}
Status Collection::upsert(std::span<const Key> keys, MatrixView vectors,
                          std::span<const Payload> payloads, const BatchOptions& options) {
  return write_batch(state_, Kind::upsert, keys, vectors, payloads, options);
}
Status Collection::upsert(std::span<const std::string_view> names, MatrixView vectors,
                          std::span<const Payload> payloads, const BatchOptions& options) {
  return write_batch(state_, Kind::upsert, names, vectors, payloads, options);
}

Result<std::uint64_t> Collection::remove(Key key) {
  return remove_keys(state_, std::span<const Key>(&key, 1), true);
}
Result<std::uint64_t> Collection::remove(std::string_view name) {
  return remove_names(state_, std::span<const std::string_view>(&name, 1), true);
}
Result<std::uint64_t> Collection::remove(std::span<const Key> keys) {
  return remove_keys(state_, keys, false);
}
Result<std::uint64_t> Collection::remove(std::span<const std::string_view> names) {
  return remove_names(state_, names, false);
}

bool Collection::contains(Key key) const {
  return state_ != nullptr && state_->contains(key);
}
bool Collection::contains(std::string_view name) const {
  return state_ != nullptr && state_->contains(name);
}
std::uint64_t Collection::size() const {
  return state_ != nullptr ? state_->size() : 0;
}

Status Collection::get(Key key, std::span<float> out) const {
  return state_ != nullptr ? state_->get(key, out) : moved_from();
}
Status Collection::get(std::string_view name, std::span<float> out) const {
  return state_ != nullptr ? state_->get(name, out) : moved_from();
}
Status Collection::get_bytes(Key key, std::span<std::byte> out) const {
  return state_ != nullptr ? state_->get_bytes(key, out) : moved_from();
}
Status Collection::get_bytes(std::string_view name, std::span<std::byte> out) const {
  return state_ != nullptr ? state_->get_bytes(name, out) : moved_from();
}
Result<std::size_t> Collection::get_payload(Key key, std::span<std::byte> out) const {
  return guarded(state_, [&](CollectionState& state) { return state.get_payload(key, out); });
}
Result<std::size_t> Collection::get_payload(std::string_view name, std::span<std::byte> out) const {
  return guarded(state_, [&](CollectionState& state) { return state.get_payload(name, out); });
}

Status Collection::for_each(FunctionRef<bool(Key)> visit) const {
  return guarded(state_, [&](CollectionState& state) { return state.for_each(visit); });
}
Status Collection::for_each_name(FunctionRef<bool(std::string_view)> visit) const {
  return guarded(state_, [&](CollectionState& state) { return state.for_each_name(visit); });
}

Result<SearchResult> Collection::search(VectorView query, std::span<Hit> hits,
                                        const SearchOptions& options) const {
  return guarded(state_,
                 [&](CollectionState& state) { return state.search(query, hits, options); });
}
Result<SearchResult> Collection::search(VectorView query, std::span<NamedHit> hits,
                                        const SearchOptions& options) const {
  return guarded(state_,
                 [&](CollectionState& state) { return state.search(query, hits, options); });
}
Result<SearchResult> Collection::search_batch(MatrixView queries, std::span<Hit> hits,
                                              std::span<std::uint32_t> counts,
                                              const SearchOptions& options) const {
  return guarded(state_, [&](CollectionState& state) {
    return state.search_batch(queries, hits, counts, options);
  });
}
Result<SearchResult> Collection::search_batch(MatrixView queries, std::span<NamedHit> hits,
                                              std::span<std::uint32_t> counts,
                                              const SearchOptions& options) const {
  return guarded(state_, [&](CollectionState& state) {
    return state.search_batch(queries, hits, counts, options);
  });
}

Result<Explanation> Collection::explain(VectorView query, Key key, std::span<Hit> hits,
                                        std::span<Hop> hops, const SearchOptions& options) const {
  return guarded(state_, [&](CollectionState& state) {
    return state.explain(query, key, hits, hops, options);
  });
}
Result<Explanation> Collection::explain(VectorView query, std::string_view name,
                                        std::span<NamedHit> hits, std::span<NamedHop> hops,
                                        const SearchOptions& options) const {
  return guarded(state_, [&](CollectionState& state) {
    return state.explain(query, name, hits, hops, options);
  });
}

Result<GraphShape> Collection::shape(const Control& control) const {
  return guarded(state_, [&](CollectionState& state) { return state.shape(control); });
}

Result<Snapshot> Collection::snapshot() const {
  return guarded(state_, [](const CollectionState& collection) -> Result<Snapshot> {
    Result<std::unique_ptr<SnapshotState>> state = collection.snapshot();
    if (!state.ok()) return state.error();
    return Snapshot(std::move(*state));
  });
}

Status Collection::save_image(const Control& control) {
  return guarded(state_, [&](CollectionState& state) { return state.save_image(control); });
}
Result<VerifyReport> Collection::verify(const VerifyOptions& options) const {
  return guarded(state_, [&](CollectionState& state) { return state.verify(options); });
}
Result<CollectionStats> Collection::stats() const {
  return guarded(state_, [](CollectionState& state) { return state.stats(); });
}
Result<CollectionOptions> Collection::options() const {
  return guarded(state_, [](CollectionState& state) -> Result<CollectionOptions> {
    const Status status = state.alive();
    if (!status.ok()) return status;
    return state.options();
  });
}
std::string_view Collection::name() const {
  return state_ != nullptr ? std::string_view(state_->name()) : std::string_view();
}

}  // namespace skerry

// snapshot.cc - the front door of a snapshot: one line a call.
#include "skerry/snapshot.h"

#include <utility>

#include "db/calls.h"
#include "db/snapshot_state.h"

namespace skerry {

Snapshot::Snapshot(std::unique_ptr<SnapshotState> state) noexcept : state_(std::move(state)) {}
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;
Snapshot::~Snapshot() = default;

std::uint64_t Snapshot::size() const noexcept {
  return state_ != nullptr ? state_->size() : 0;
}
std::uint64_t Snapshot::sequence() const noexcept {
  return state_ != nullptr ? state_->sequence() : 0;
}
double Snapshot::age() const noexcept {
  return state_ != nullptr ? state_->age() : 0;
}

Result<bool> Snapshot::contains(Key key) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.contains(key); });
}
Result<bool> Snapshot::contains(std::string_view name) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.contains(name); });
}
Status Snapshot::get(Key key, std::span<float> out) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.get(key, out); });
}
Status Snapshot::get(std::string_view name, std::span<float> out) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.get(name, out); });
}
Status Snapshot::get_bytes(Key key, std::span<std::byte> out) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.get_bytes(key, out); });
}
Status Snapshot::get_bytes(std::string_view name, std::span<std::byte> out) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.get_bytes(name, out); });
}
Result<std::size_t> Snapshot::get_payload(Key key, std::span<std::byte> out) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.get_payload(key, out); });
}
Result<std::size_t> Snapshot::get_payload(std::string_view name, std::span<std::byte> out) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.get_payload(name, out); });
}

Status Snapshot::for_each(FunctionRef<bool(Key)> visit) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.for_each(visit); });
}
Status Snapshot::for_each_name(FunctionRef<bool(std::string_view)> visit) const {
  return guarded(state_, [&](const SnapshotState& state) { return state.for_each_name(visit); });
}

Result<SearchResult> Snapshot::search(VectorView query, std::span<Hit> hits,
                                      const SearchOptions& options) const {
  return guarded(state_,
                 [&](const SnapshotState& state) { return state.search(query, hits, options); });
}
Result<SearchResult> Snapshot::search(VectorView query, std::span<NamedHit> hits,
                                      const SearchOptions& options) const {
  return guarded(state_,
                 [&](const SnapshotState& state) { return state.search(query, hits, options); });
}

}  // namespace skerry

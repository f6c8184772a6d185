// database.cc - the front door of a database: one line a call.
#include "skerry/database.h"

#include "db/calls.h"
#include "db/database_state.h"

namespace skerry {
namespace {

// Through a handle that may have been moved from or belong to another process.
template <class Call>
auto while_alive(const std::shared_ptr<DatabaseState>& state, Call call) -> decltype(call(*state)) {
  if (state == nullptr) return moved_from();
  const Status status = state->alive();
  if (!status.ok()) return status;
  return guarded([&] { return call(*state); });
}

}  // namespace

Result<Database> Database::open(const std::filesystem::path& folder,
                                const DatabaseOptions& options) {
  return guarded([&]() -> Result<Database> {
    Result<std::shared_ptr<DatabaseState>> state = DatabaseState::open(folder, options);
    if (!state.ok()) return state.error();
    return Database(std::move(*state));
  });
}

Result<RepairReport> Database::repair(const std::filesystem::path& folder,
                                      const RepairOptions& options) {
  return guarded([&] { return DatabaseState::repair(folder, options); });
}

Database::Database(std::shared_ptr<DatabaseState> state) noexcept : state_(std::move(state)) {}
Database::Database(Database&&) noexcept = default;

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    static_cast<void>(close());
    state_ = std::move(other.state_);
  }
  return *this;
}

Database::~Database() {
  static_cast<void>(close());
}

Result<Collection> Database::create(std::string_view name, const CollectionOptions& options) {
  return while_alive(state_, [&](DatabaseState& state) { return state.create(name, options); });
}
Result<Collection> Database::open_collection(std::string_view name, const Control& control) {
  return while_alive(state_,
                     [&](DatabaseState& state) { return state.open_collection(name, control); });
}
Result<Collection> Database::open_or_create(std::string_view name, const CollectionOptions& options,
                                            const Control& control) {
  return while_alive(
      state_, [&](DatabaseState& state) { return state.open_or_create(name, options, control); });
}
Status Database::create(std::span<const std::string_view> names, const CollectionOptions& options) {
  return while_alive(state_, [&](DatabaseState& state) { return state.create(names, options); });
}
Status Database::drop(std::string_view name) {
  return while_alive(state_, [&](DatabaseState& state) { return state.drop(name); });
}
Status Database::rename(std::string_view from, std::string_view to) {
  return while_alive(state_, [&](DatabaseState& state) { return state.rename(from, to); });
}
Result<Collection> Database::clone(std::string_view from, std::string_view to,
                                   const Control& control) {
  return while_alive(state_, [&](DatabaseState& state) { return state.clone(from, to, control); });
}
Result<std::vector<CollectionInfo>> Database::collections() const {
  return while_alive(state_, [](DatabaseState& state) { return state.collections(); });
}
Result<SearchResult> Database::search_union(std::span<const Collection> collections,
                                            VectorView query, std::span<UnionHit> hits,
                                            const SearchOptions& options) const {
  return while_alive(state_, [&](DatabaseState& state) {
    return state.search_union(collections, query, hits, options);
  });
}
Result<SearchResult> Database::search_union(std::span<const Collection> collections,
                                            VectorView query, std::span<NamedUnionHit> hits,
                                            const SearchOptions& options) const {
  return while_alive(state_, [&](DatabaseState& state) {
    return state.search_union(collections, query, hits, options);
  });
}
Result<std::vector<std::string>> Database::list() const {
  return while_alive(state_, [](DatabaseState& state) { return state.list(); });
}
Status Database::sync() {
  return while_alive(state_, [](DatabaseState& state) { return state.sync(); });
}
Status Database::checkpoint(const Control& control) {
  return while_alive(state_, [&](DatabaseState& state) { return state.checkpoint(control); });
}
Status Database::backup(const std::filesystem::path& folder, const Control& control) const {
  return while_alive(state_, [&](DatabaseState& state) { return state.backup(folder, control); });
}
Status Database::compact(const Control& control) {
  return while_alive(state_, [&](DatabaseState& state) { return state.compact(control); });
}
Status Database::close() {
  return while_alive(state_, [](DatabaseState& state) { return state.close(); });
}
Result<DatabaseStats> Database::stats() const {
  return while_alive(state_, [](DatabaseState& state) { return state.stats(); });
}

}  // namespace skerry

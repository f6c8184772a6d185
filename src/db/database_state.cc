// database_state.cc - opening, the leader's commit, closing, and the calls of a whole database.
#include "db/database_state.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/files.h"
#include "base/fork.h"
#include "db/calls.h"

namespace skerry {
namespace {

namespace fs = std::filesystem;

Status check(const DatabaseOptions& options) noexcept {
  if (options.sync_interval_ms < 1 || options.sync_interval_ms > 3'600'000) {
    return Status(Code::invalid_argument, "sync_interval_ms: expected 1 to 3600000, given {b}", 0,
                  options.sync_interval_ms);
  }
  if (options.max_readers < 1 || options.max_readers > 65'536) {
    return Status(Code::invalid_argument, "max_readers: expected 1 to 65536, given {b}", 0,
                  options.max_readers);
  }
  if (options.map_bytes < (1 << 18) || options.map_bytes > (1ULL << 46)) {
    return Status(Code::invalid_argument, "map_bytes: expected 2^18 to 2^46");
  }
  if (options.durability > Durability::none) {
    return Status(Code::invalid_argument, "durability: none has number {b}", 0,
                  static_cast<std::uint64_t>(options.durability));
  }
  return Status();
}

Status check_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > store::kNameBytesMax) {
    return Status(Code::invalid_argument, "a collection's name has 1 to 255 bytes, given {b}", 0,
                  name.size());
  }
  if (name.find('\0') != std::string_view::npos) {
    return Status(Code::invalid_argument, "a collection's name has no zero byte");
  }
  return Status();
}

// The first option that is not as the collection was made with.
Status check_same(const CollectionOptions& kept, const CollectionOptions& asked) noexcept {
  const auto differs = [](const char* text, std::uint64_t kept_value, std::uint64_t asked_value) {
    return Status(Code::incompatible, text, kept_value, asked_value);
  };
  const auto number = [](auto value) { return static_cast<std::uint64_t>(value); };
  const IndexOptions& a = kept.index;
  const IndexOptions& b = asked.index;
  if (a.dimension != b.dimension) {
    return differs("dimension: the collection has {a}, asked for {b}", a.dimension, b.dimension);
  }
  if (a.metric != b.metric) {
    return differs("metric: the collection has number {a}, asked for {b}", number(a.metric),
                   number(b.metric));
  }
  if (a.scalar != b.scalar) {
    return differs("scalar: the collection has number {a}, asked for {b}", number(a.scalar),
                   number(b.scalar));
  }
  if (a.codes != b.codes) {
    return differs("codes: the collection has number {a}, asked for {b}", number(a.codes),
                   number(b.codes));
  }
  if (kept.byte_keys != asked.byte_keys) {
    return differs("byte_keys: the collection has {a}, asked for {b}", kept.byte_keys,
                   asked.byte_keys);
  }
  if (a.M != b.M) return differs("M: the collection has {a}, asked for {b}", a.M, b.M);
  if (a.ef_construction != b.ef_construction) {
    return differs("ef_construction: the collection has {a}, asked for {b}", a.ef_construction,
                   b.ef_construction);
  }
  if (a.ef != b.ef) return differs("ef: the collection has {a}, asked for {b}", a.ef, b.ef);
  if (a.flat_below != b.flat_below) {
    return differs("flat_below: the collection has {a}, asked for {b}", a.flat_below, b.flat_below);
  }
  if (a.seed != b.seed) return differs("seed: the collection has another", 0, 0);
  return Status();
}

Status make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return status_of_errno(error.value(), "cannot make the folder: {e}");
  const fs::path parent = fs::absolute(folder).parent_path();
  return parent.empty() ? Status() : sync_path(parent);
}

Status rename_and_sync(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return status_of_errno(error.value(), "cannot rename: {e}");
  return sync_path(to.parent_path());
}

bool holds_files(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  return !error && entries != fs::directory_iterator();
}

}  // namespace

// -- opening --------------------------------------------------------------------------------------

DatabaseState::DatabaseState(std::filesystem::path folder, const DatabaseOptions& options)
    : folder_(std::move(folder)), options_(options), generation_(fork_generation()) {}

DatabaseState::~DatabaseState() {
  if (generation_ == fork_generation()) {
    keeper_->stop();
    stop_syncing();
    return;
  }
  // In a forked child: what is left belongs to the parent.
  static_cast<void>(syncing_.release());
  static_cast<void>(store_.release());
  lock_.forget();
}

Result<std::shared_ptr<DatabaseState>> DatabaseState::open(const std::filesystem::path& folder,
                                                           const DatabaseOptions& options) {
  const Status status = check(options);
  if (!status.ok()) return status;
  std::shared_ptr<DatabaseState> state(new DatabaseState(folder, options));
  const Status started = state->start();
  if (!started.ok()) return started;
  return state;
}

Status DatabaseState::start() {
  const bool may_create = options_.create_if_missing && !options_.read_only;
  std::error_code error;
  const bool has_folder = fs::exists(folder_, error);
  if (error) return status_of_errno(error.value(), "cannot look at the folder: {e}");
  if (!has_folder && !may_create) return Status(Code::not_found, "there is no such folder");
  if (has_folder && !fs::is_directory(folder_, error)) {
    return status_of_errno(ENOTDIR, "the database's path is no folder: {e}");
  }
  Status status = has_folder ? Status() : make_folders(folder_);
  if (!status.ok()) return status;
  if (!may_create && !fs::exists(folder_ / "store", error)) {
    return Status(Code::not_found, "there is no database in the folder");
  }
  status = lock_.take(folder_, options_.read_only);
  if (status.ok() && !fs::exists(folder_ / "store", error)) status = make_store();
  if (status.ok() && !options_.read_only && !fs::exists(images(), error)) {
    status = make_folders(images());
  }
  if (!status.ok()) return status;
  Result<std::unique_ptr<store::Store>> store = store::Store::open(
      folder_ / "store",
      {options_.read_only, options_.durability, options_.map_bytes, options_.max_readers});
  if (!store.ok()) return store.error();
  store_ = std::move(*store);
  if (options_.durability == Durability::interval && !options_.read_only) start_syncing();
  return status;
}

// A store is made beside and renamed, so that a store that is there is whole.
Status DatabaseState::make_store() {
  if (holds_files(images())) {
    return Status(Code::corruption, "store/ is missing, though there are images of it");
  }
  const fs::path fresh = folder_ / "store.new";
  std::error_code error;
  fs::remove_all(fresh, error);  // left by an open that was killed
  Status status = make_folders(fresh);
  if (status.ok()) status = store::Store::create(fresh);
  if (status.ok()) status = rename_and_sync(fresh, folder_ / "store");
  if (!status.ok()) fs::remove_all(fresh, error);
  return status;
}

void DatabaseState::start_syncing() {
  syncing_ = std::make_unique<Syncing>();
  syncing_->thread = std::thread([this, &syncing = *syncing_] {
    const std::chrono::milliseconds interval(options_.sync_interval_ms);
    std::uint64_t synced = 0;
    std::unique_lock lock(syncing.mutex);
    while (!syncing.wake.wait_for(lock, interval, [&] { return syncing.stop; })) {
      lock.unlock();
      const std::uint64_t commits = store_->environment().commits();
      // A failed sync is tried again: the next sync(), commit or close() tells of what lasts.
      if (commits != synced && store_->environment().sync().ok()) synced = commits;
      lock.lock();
    }
  });
}

void DatabaseState::stop_syncing() {
  if (syncing_ == nullptr) return;
  {
    const std::lock_guard lock(syncing_->mutex);
    syncing_->stop = true;
  }
  syncing_->wake.notify_all();
  syncing_->thread.join();
  syncing_.reset();
}

Status DatabaseState::alive() const noexcept {
  if (closing_.load(std::memory_order_acquire) || generation_ != fork_generation()) {
    return Status(Code::closed, "the database is closed");
  }
  return Status();
}

// -- collections ----------------------------------------------------------------------------------

std::shared_ptr<DatabaseState::Entry> DatabaseState::entry_of(std::string_view name) {
  const std::lock_guard lock(entries_mutex_);
  const auto found = entries_.find(name);
  if (found != entries_.end()) return found->second;
  return entries_.emplace(name, std::make_shared<Entry>()).first->second;
}

std::vector<std::shared_ptr<CollectionState>> DatabaseState::open_states() {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    const std::lock_guard lock(entries_mutex_);
    for (const auto& [name, entry] : entries_) entries.push_back(entry);
  }
  std::vector<std::shared_ptr<CollectionState>> states;
  for (const std::shared_ptr<Entry>& entry : entries) {
    const std::lock_guard lock(entry->mutex);
    if (entry->state != nullptr) states.push_back(entry->state);
  }
  return states;
}

Result<Collection> DatabaseState::open_entry(Entry& entry, std::string_view name) {
  Status status = alive();
  if (!status.ok()) return status;
  if (entry.state != nullptr) return Collection(entry.state);
  store::CollectionRecord record;
  status = store_->read([&](const store::Reading& reading) {
    const Result<store::CollectionRecord> found = reading.collection(name);
    if (found.ok()) record = *found;
    return found.status();
  });
  if (!status.ok()) return status;
  Result<std::shared_ptr<CollectionState>> state =
      CollectionState::open(shared_from_this(), name, record);
  if (!state.ok()) return state.error();
  entry.state = std::move(*state);
  return Collection(entry.state);
}

Result<Collection> DatabaseState::create_entry(Entry& entry, std::string_view name,
                                               const CollectionOptions& options) {
  Status status = alive();
  if (!status.ok()) return status;
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  // The index first: options out of range and want of memory leave nothing in the store.
  Result<std::shared_ptr<CollectionState>> state =
      CollectionState::create(shared_from_this(), name, options);
  if (!state.ok()) return state.error();
  const Result<store::CollectionRecord> record =
      store_->create_collection(name, (*state)->options());
  if (!record.ok()) return record.error();
  (*state)->set_id(record->id);
  entry.state = std::move(*state);
  return Collection(entry.state);
}

Result<Collection> DatabaseState::create(std::string_view name, const CollectionOptions& options) {
  const Status status = check_name(name);
  if (!status.ok()) return status;
  const std::shared_ptr<Entry> entry = entry_of(name);
  const std::lock_guard lock(entry->mutex);
  if (entry->state != nullptr) {
    return Status(Code::already_exists, "there is a collection of that name already");
  }
  return create_entry(*entry, name, options);
}

Result<Collection> DatabaseState::open_collection(std::string_view name) {
  const Status status = check_name(name);
  if (!status.ok()) return status;
  const std::shared_ptr<Entry> entry = entry_of(name);
  const std::lock_guard lock(entry->mutex);
  return open_entry(*entry, name);
}

Result<Collection> DatabaseState::open_or_create(std::string_view name,
                                                 const CollectionOptions& options) {
  Status status = check_name(name);
  if (!status.ok()) return status;
  const std::shared_ptr<Entry> entry = entry_of(name);
  const std::lock_guard lock(entry->mutex);
  // Compared before it is opened: a rebuild could take long.
  store::CollectionRecord record;
  status = store_->read([&](const store::Reading& reading) {
    const Result<store::CollectionRecord> found = reading.collection(name);
    if (found.ok()) record = *found;
    return found.status();
  });
  if (status.code() == Code::not_found) return create_entry(*entry, name, options);
  if (status.ok()) status = check_same(record.options, options);
  if (!status.ok()) return status;
  return open_entry(*entry, name);
}

Status DatabaseState::drop(std::string_view name) {
  Status status = check_name(name);
  if (status.ok()) status = check_outside_callbacks();
  if (!status.ok()) return status;
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  const std::shared_ptr<Entry> entry = entry_of(name);
  std::shared_ptr<CollectionState> state;
  Result<std::uint32_t> id = std::uint32_t{0};
  {
    const std::lock_guard lock(entry->mutex);
    status = alive();
    if (!status.ok()) return status;
    const std::lock_guard no_writers(commit_mutex_);
    id = store_->drop_collection(name);
    if (!id.ok()) return id.error();
    state = std::exchange(entry->state, nullptr);
    if (state != nullptr) state->seal();
  }
  // With no lock held: a reader that this waits for may be asking for one.
  if (state != nullptr) state->shut();
  std::error_code ignored;
  fs::remove(images() / (std::to_string(*id) + ".image"), ignored);
  // The collection is gone for everybody; rows that could not be removed now are removed by the
  // next open.
  static_cast<void>(store_->remove_rows(*id));
  return status;
}

Result<std::vector<std::string>> DatabaseState::list() const {
  std::vector<std::string> names;
  const Status status = store_->read([&](const store::Reading& reading) {
    return reading.each_collection([&](std::string_view name, const store::CollectionRecord&) {
      names.emplace_back(name);
      return true;
    });
  });
  if (!status.ok()) return status;
  return names;
}

// -- the leader's commit --------------------------------------------------------------------------

void DatabaseState::submit(Request& request) {
  queue_.submit(request, [this](std::span<Request* const> group) { commit(group); });
}

void DatabaseState::commit(std::span<Request* const> group) noexcept {
  const std::lock_guard lock(commit_mutex_);
  std::size_t admitted = 0;
  for (Request* request : group) {
    request->collection->admit(*request);
    if (request->admitted) ++admitted;
  }
  const Status status = store_group(group);
  if (status.code() != Code::storage_full || admitted < 2) return finish(group, status);
  // Together they are too much for the disk: some of them may fit.
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::span<Request* const> one = group.subspan(i, 1);
    if (group[i]->admitted) finish(one, store_group(one));
  }
}

Status DatabaseState::store_group(std::span<Request* const> group) noexcept try {
  return store_->commit([&](store::Commit& commit) -> Status {
    ++commit_number_;
    for (Request* request : group) {
      if (!request->admitted) continue;
      CollectionState& collection = *request->collection;
      const bool alone = collection.commit_number != commit_number_;
      if (alone) {
        collection.commit_number = commit_number_;
        collection.commit_fresh = 0;
        collection.commit_gone = 0;
      }
      const Status status = collection.write_rows(commit, *request, alone);
      if (!status.ok()) return status;
    }
    return Status();
  });
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory for the commit");
}

void DatabaseState::finish(std::span<Request* const> group, Status status) noexcept {
  for (Request* request : group) {
    if (!request->admitted) continue;
    if (!status.ok()) request->status = status;
    if (request->status.ok()) {
      request->collection->publish(*request);
    } else {
      request->collection->give_up(*request);
    }
  }
}

// -- the whole database ---------------------------------------------------------------------------

Status DatabaseState::sync() {
  return store_->environment().sync();
}

Status DatabaseState::checkpoint() {
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  Status first;
  for (const std::shared_ptr<CollectionState>& state : open_states()) {
    const Status status = state->save_image_if_changed();
    // A collection that was dropped meanwhile needs no image.
    if (first.ok() && status.code() != Code::closed) first = status;
  }
  return first;
}

Status DatabaseState::backup(const std::filesystem::path& folder) const {
  if (holds_files(folder)) {
    return Status(Code::already_exists, "the folder of the backup is not empty");
  }
  Status status = make_folders(folder);
  const fs::path fresh = folder / "store.new";
  if (status.ok()) status = make_folders(fresh);
  if (status.ok()) status = store_->environment().copy_to(fresh / "data.mdb");
  // Images of ours must not be taken for images of the copy, which goes its own way.
  if (status.ok()) status = store::Store::renew_identity(fresh);
  if (status.ok()) status = sync_path(fresh);
  if (status.ok()) status = rename_and_sync(fresh, folder / "store");
  if (!status.ok()) {
    std::error_code ignored;
    fs::remove_all(fresh, ignored);
  }
  return status;
}

Status DatabaseState::compact() {
  const Status status = check_outside_callbacks();
  return status.ok() ? store_->environment().compact() : status;
}

Status DatabaseState::close() {
  Status first = check_outside_callbacks();
  if (!first.ok()) return first;
  const std::lock_guard lock(close_mutex_);
  first = alive();
  if (!first.ok()) return first;
  closing_.store(true, std::memory_order_release);
  stop_syncing();
  keeper_->stop();
  const std::vector<std::shared_ptr<CollectionState>> states = open_states();
  {
    const std::lock_guard no_writers(commit_mutex_);
    for (const std::shared_ptr<CollectionState>& state : states) state->seal();
  }
  for (const std::shared_ptr<CollectionState>& state : states) {
    if (!options_.read_only && options_.use_images) {
      const Status status = state->save_image_if_changed();
      if (first.ok()) first = status;
    }
    state->shut();
  }
  if (!options_.read_only) {
    const Status status = store_->environment().sync();
    if (first.ok()) first = status;
  }
  store_->environment().close();
  lock_.release();
  const std::lock_guard entries(entries_mutex_);
  entries_.clear();
  return first;
}

Result<DatabaseStats> DatabaseState::stats() const {
  DatabaseStats stats;
  Status status = store_->read([&](const store::Reading& reading) {
    const Result<store::Counters> all = reading.counters(0);
    if (!all.ok()) return all.error();
    stats.sequence = all->sequence;
    return reading.each_collection([&](std::string_view, const store::CollectionRecord&) {
      ++stats.collections;
      return true;
    });
  });
  if (!status.ok()) return status;
  const Result<store::EnvironmentStats> store = store_->environment().stats();
  if (!store.ok()) return store.error();
  stats.map_bytes = store->map_bytes;
  stats.store_used_bytes = store->used_bytes;
  stats.store_disk_bytes = store->disk_bytes;
  stats.commits = store->commits;
  stats.grown = store->grown;
  std::error_code error;
  for (fs::directory_iterator entry(images(), error), end; !error && entry != end;
       entry.increment(error)) {
    struct stat file = {};
    if (::stat(entry->path().c_str(), &file) == 0) {
      stats.image_disk_bytes += static_cast<std::uint64_t>(file.st_blocks) * 512;
    }
  }
  return stats;
}

}  // namespace skerry

// database_state.cc - opening, the leader's commit, closing, and the calls of a whole database.
#include "db/database_state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <system_error>
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
  if (options.warm_collections < 1 || options.warm_collections > 1'000'000) {
    return Status(Code::invalid_argument, "warm_collections: expected 1 to 1000000, given {b}", 0,
                  options.warm_collections);
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
  if (a.vectors != b.vectors) {
    return differs("vectors: the collection has number {a}, asked for {b}", number(a.vectors),
                   number(b.vectors));
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
  // Each folder that is made is a name in the one above, which lasts when that one is synced.
  fs::path made = fs::absolute(folder).lexically_normal();
  if (!made.has_filename()) made = made.parent_path();
  std::vector<fs::path> parents;
  for (fs::path at = made; !fs::exists(at, error) && at.has_relative_path();) {
    at = at.parent_path();
    parents.push_back(at);
  }
  fs::create_directories(made, error);
  if (error) return status_of_errno(error.value(), "cannot make the folder: {e}");
  for (const fs::path& parent : parents) {
    const Status status = sync_path(parent);
    if (!status.ok()) return status;
  }
  return Status();
}

Status rename_and_sync(const fs::path& from, const fs::path& to) {
  const fs::path parent = to.parent_path();
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return status_of_errno(error.value(), "cannot rename: {e}");
  return sync_path(parent);
}

Result<bool> holds_files(const fs::path& folder) noexcept {
  FolderNames names(folder);
  if (names.next() != nullptr) return true;
  if (!names.status().ok()) return names.status();
  return false;
}

}  // namespace

// -- opening --------------------------------------------------------------------------------------

DatabaseState::DatabaseState(std::filesystem::path folder, const DatabaseOptions& options)
    : folder_(std::move(folder)),
      options_(options),
      generation_(fork_generation()),
      warm_(options.warm_collections) {}

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
  status =
      lock_.take(folder_, options_.read_only                        ? FolderLock::As::reader
                          : options_.durability == Durability::none ? FolderLock::As::only_writer
                                                                    : FolderLock::As::writer);
  if (status.ok() && !fs::exists(folder_ / "store", error)) {
    if (!may_create) {
      status = Status(Code::not_found, "there is no database in the folder");
    } else if (lock_.is_alone()) {
      status = make_store();
    } else {
      status = Status(Code::corruption, "store/ is missing, though others have it open");
    }
  }
  if (status.ok() && !options_.read_only && !fs::exists(images(), error)) {
    status = make_folders(images());
  }
  if (status.ok() && !lock_.is_blind()) {
    status = counter_.open(folder_, lock_.is_alone(), options_.read_only);
  }
  if (!status.ok()) return status;
  Result<std::unique_ptr<store::Store>> store =
      store::Store::open(folder_ / "store", {.read_only = options_.read_only,
                                             .durability = options_.durability,
                                             .map_bytes = options_.map_bytes,
                                             .max_readers = options_.max_readers,
                                             .alone = lock_.is_alone(),
                                             .blind = lock_.is_blind()});
  if (!store.ok()) return store.error();
  store_ = std::move(*store);
  if (!options_.read_only) {
    if (lock_.is_alone()) status = remove_leftovers();
    // A writer may have been killed between its commit and the counter.
    counter_.alert();
  }
  if (status.ok()) status = lock_.let_others_in();
  if (!status.ok()) return status;
  if (options_.durability == Durability::interval && !options_.read_only) status = start_syncing();
  return status;
}

// A store is made beside and renamed, so that a store that is there is whole.
Status DatabaseState::make_store() {
  const Result<bool> has_images = holds_files(images());
  if (!has_images.ok()) return has_images.error();
  if (*has_images) {
    return Status(Code::corruption, "store/ is missing, though there are images of it");
  }
  const fs::path fresh = folder_ / "store.new";
  Status status = remove_folder(fresh);  // left by an open that was killed
  if (status.ok()) status = make_folders(fresh);
  if (status.ok()) status = store::Store::create(fresh);
  if (status.ok()) status = rename_and_sync(fresh, folder_ / "store");
  if (!status.ok()) static_cast<void>(remove_folder(fresh));
  return status;
}

// Images that were being written when their process was killed, and those of collections that are
// gone. Nobody else is here.
Status DatabaseState::remove_leftovers() {
  const Result<bool> is_any = holds_files(images());
  if (!is_any.ok() || !*is_any) return is_any.status();
  std::vector<std::uint32_t> known;
  const Status status = store_->read([&](const store::Reading& reading) {
    return reading.each_collection([&](std::string_view, const store::CollectionRecord& record) {
      known.push_back(record.id);
      return true;
    });
  });
  if (!status.ok()) return status;
  std::sort(known.begin(), known.end());
  const auto is_known = [&](std::string_view name) {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    return error == std::errc() && std::string_view(end, name.data() + name.size()) == ".image" &&
           std::binary_search(known.begin(), known.end(), id);
  };
  FolderNames names(images());
  while (const char* const found = names.next()) {
    const std::string_view name = found;
    const bool unfinished = name.ends_with(".image.new");
    const bool orphan = name.ends_with(".image") && !is_known(name);
    // What stays costs room, and nothing else.
    if (unfinished || orphan) ::unlinkat(names.descriptor(), found, 0);
  }
  return status;
}

Status DatabaseState::start_syncing() try {
  syncing_ = std::make_unique<Syncing>();
  syncing_->thread = std::thread([this, &syncing = *syncing_] {
    const std::chrono::milliseconds interval(options_.sync_interval_ms);
    std::uint64_t synced = 0;
    std::unique_lock lock(syncing.mutex);
    while (!syncing.wake.wait_for(lock, interval, [&] { return syncing.stop; })) {
      lock.unlock();
      // Of every process: one that was killed leaves its last commits for us to sync. A failed sync
      // is tried again: the next sync(), commit or close() tells of what lasts.
      const Result<std::uint64_t> last = store_->environment().last_transaction();
      if (last.ok() && *last != synced && store_->environment().sync().ok()) synced = *last;
      lock.lock();
    }
  });
  return Status();
} catch (const std::system_error& error) {
  syncing_.reset();
  return status_of_errno(error.code().value(), "no thread to sync the store with: {e}");
} catch (const std::bad_alloc&) {
  syncing_.reset();  // there is no thread to be joined
  return Status(Code::out_of_memory, "no memory for the thread that syncs the store");
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

Result<store::CollectionRecord> DatabaseState::find(std::string_view name) const {
  Result<store::CollectionRecord> record = store::CollectionRecord();
  const Status status = store_->read([&](const store::Reading& reading) {
    record = reading.collection(name);
    return record.status();
  });
  return status.ok() ? record : status;
}

std::shared_ptr<DatabaseState::Entry> DatabaseState::entry_of(std::uint32_t id) {
  const std::lock_guard lock(entries_mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end()) return found->second;
  return entries_.emplace(id, std::make_shared<Entry>()).first->second;
}

void DatabaseState::forget(std::uint32_t id) noexcept {
  std::shared_ptr<Entry> gone;  // when the lock has gone
  const std::lock_guard lock(entries_mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  gone.swap(found->second);
  entries_.erase(found);
}

// With no lock held while it visits, and no memory taken.
void DatabaseState::each_entry(FunctionRef<void(Entry&)> visit) {
  std::uint32_t after = 0;  // no collection has that number
  for (;;) {
    std::shared_ptr<Entry> entry;
    {
      const std::lock_guard lock(entries_mutex_);
      const auto next = entries_.upper_bound(after);
      if (next == entries_.end()) return;
      after = next->first;
      entry = next->second;
    }
    visit(*entry);
  }
}

void DatabaseState::each_open_state(FunctionRef<void(CollectionState&)> visit) {
  each_entry([&](Entry& entry) {
    std::shared_ptr<CollectionState> state;
    {
      const std::lock_guard lock(entry.mutex);
      state = entry.state;
    }
    if (state != nullptr) visit(*state);
  });
}

Status DatabaseState::check_for_writing() const noexcept {
  const Status status = alive();
  if (!status.ok() || !options_.read_only) return status;
  return Status(Code::read_only, "the database was opened read-only");
}

// Under the entry's mutex. `record`: what the name stood for a moment ago; not_found when that is
// so no more.
Result<Collection> DatabaseState::open_entry(Entry& entry, std::string_view name,
                                             const store::CollectionRecord& record,
                                             const Control& control) {
  Status status = alive();
  if (!status.ok()) return status;
  const Result<store::CollectionRecord> now = find(name);
  if (!now.ok()) return now.error();
  if (now->id != record.id) return Status(Code::not_found, "the name is another collection's");
  if (entry.state != nullptr && entry.state->alive().ok()) {
    // Another process may have renamed it.
    if (entry.state->name() != name) {
      entry.state->set_name(std::make_unique<const std::string>(name));
    }
    return Collection(entry.state);
  }
  Result<std::shared_ptr<CollectionState>> state =
      CollectionState::open(shared_from_this(), name, record, control);
  if (!state.ok()) return state.error();
  entry.state = std::move(*state);
  return Collection(entry.state);
}

Result<Collection> DatabaseState::create(std::string_view name, const CollectionOptions& options) {
  Status status = check_name(name);
  if (status.ok()) status = check_for_writing();
  if (!status.ok()) return status;
  // All memory first: options out of range and want of memory leave nothing in the store.
  Result<std::shared_ptr<CollectionState>> state =
      CollectionState::create(shared_from_this(), name, options);
  if (!state.ok()) return state.error();
  Entries fresh;
  fresh.emplace(0, std::make_shared<Entry>());
  Entries::node_type node = fresh.extract(fresh.begin());
  const Result<store::CollectionRecord> record =
      store_->create_collection(name, (*state)->options());
  if (!record.ok()) return record.error();
  (*state)->set_id(record->id);
  node.key() = record->id;
  std::shared_ptr<Entry> entry;
  {
    // Somebody may have opened it by now.
    const std::lock_guard lock(entries_mutex_);
    entry = entries_.insert(std::move(node)).position->second;
  }
  const std::lock_guard lock(entry->mutex);
  if (entry->state == nullptr) entry->state = std::move(*state);
  return Collection(entry->state);
}

Status DatabaseState::create(std::span<const std::string_view> names,
                             const CollectionOptions& options) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Status status = check_name(names[i]);
    if (!status.ok()) return Status(status.code(), "name {b} is no name of a collection", 0, i);
  }
  Status status = check_for_writing();
  if (!status.ok()) return status;
  // One that is thrown away checks the options for all.
  const Result<std::shared_ptr<CollectionState>> checked =
      CollectionState::create(shared_from_this(), "", options);
  if (!checked.ok()) return checked.error();
  return store_->create_collections(names, options);
}

Result<Collection> DatabaseState::open_collection(std::string_view name, const Control& control) {
  const Status status = check_name(name);
  if (!status.ok()) return status;
  for (;;) {
    const Result<store::CollectionRecord> record = find(name);
    if (!record.ok()) return record.error();
    const std::shared_ptr<Entry> entry = entry_of(record->id);
    const std::lock_guard lock(entry->mutex);
    Result<Collection> collection = open_entry(*entry, name, *record, control);
    // Dropped or renamed between the two looks: look again.
    if (collection.status().code() != Code::not_found) return collection;
  }
}

Result<Collection> DatabaseState::open_or_create(std::string_view name,
                                                 const CollectionOptions& options,
                                                 const Control& control) {
  Status status = check_name(name);
  if (!status.ok()) return status;
  for (;;) {
    // Compared before it is opened: a rebuild could take long.
    const Result<store::CollectionRecord> record = find(name);
    status = record.status();
    const bool absent = status.code() == Code::not_found;
    if (status.ok()) status = check_same(record->options, options);
    if (!status.ok() && !absent) return status;
    Result<Collection> collection = absent ? create(name, options) : open_collection(name, control);
    // Somebody was quicker to make it, or to drop it: look again.
    if (collection.status().code() == (absent ? Code::already_exists : Code::not_found)) continue;
    return collection;
  }
}

Status DatabaseState::drop(std::string_view name) {
  Status status = check_name(name);
  if (status.ok()) status = check_outside_callbacks();
  if (!status.ok()) return status;
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  std::shared_ptr<CollectionState> state;
  store::Store::Dropped dropped;
  for (;;) {
    const Result<store::CollectionRecord> record = find(name);
    if (!record.ok()) return record.error();
    const std::shared_ptr<Entry> entry = entry_of(record->id);
    const std::lock_guard lock(entry->mutex);
    status = alive();
    if (!status.ok()) return status;
    const std::lock_guard no_writers(commit_mutex_);
    using Rows = store::Store::Rows;
    const Result<store::Store::Dropped> done = store_->drop_collection(
        name, record->id, entry->state == nullptr ? Rows::go_if_few : Rows::stay);
    if (done.status().code() == Code::not_found) continue;  // it has become another's: look again
    if (!done.ok()) return done.error();
    counter_.raise();
    dropped = *done;
    state = std::exchange(entry->state, nullptr);
    if (state != nullptr) state->seal();
    break;
  }
  forget(dropped.id);
  // With no lock held: a reader that this waits for may be asking for one.
  if (state != nullptr) state->shut();
  // The collection is gone for everybody, whatever happens now: rows that could not be removed are
  // removed by the next open.
  try {
    std::error_code ignored;
    fs::remove(images() / (std::to_string(dropped.id) + ".image"), ignored);
    if (dropped.has_rows) static_cast<void>(store_->remove_rows(dropped.id));
  } catch (const std::bad_alloc&) {
  }
  return status;
}

// The number stays, and with it the index, the image and every handle, here and in other processes.
Status DatabaseState::rename(std::string_view from, std::string_view to) {
  Status status = check_name(from);
  if (status.ok()) status = check_name(to);
  if (status.ok()) status = check_outside_callbacks();
  if (status.ok()) status = check_for_writing();
  if (!status.ok()) return status;
  auto name = std::make_unique<const std::string>(to);
  for (;;) {
    const Result<store::CollectionRecord> record = find(from);
    if (!record.ok()) return record.error();
    const std::shared_ptr<Entry> entry = entry_of(record->id);
    const std::lock_guard lock(entry->mutex);
    status = alive();
    if (status.ok()) status = store_->rename_collection(from, record->id, to);
    if (status.code() == Code::not_found) continue;  // it has become another's: look again
    if (status.ok() && entry->state != nullptr) entry->state->set_name(std::move(name));
    return status;
  }
}

Result<Collection> DatabaseState::clone(std::string_view from, std::string_view to,
                                        const Control& control) {
  Status status = check_name(from);
  if (status.ok()) status = check_name(to);
  if (status.ok()) status = check_outside_callbacks();
  if (status.ok()) status = check_for_writing();
  if (!status.ok()) return status;
  const Result<store::CollectionRecord> source = find(from);
  if (!source.ok()) return source.error();
  std::uint64_t records = 0;
  status = store_->read([&](const store::Reading& reading) {
    const Result<std::uint64_t> counted = reading.records_of(*source);
    if (counted.ok()) records = *counted;
    return counted.status();
  });
  if (!status.ok()) return status;
  Watch watch(control, records);
  status = watch.begin();
  if (status.ok()) status = store_->clone_collection(from, to, watch).status();
  if (!status.ok()) return status;
  Result<Collection> clone = open_collection(to, watch.inner());
  if (clone.status().code() != Code::cancelled) return clone;
  return Status(Code::cancelled, "the clone is made, but opening it was stopped");
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

bool DatabaseState::is_for_many() const {
  std::uint64_t count = 0;
  const Status status = store_->read([&](const store::Reading& reading) {
    const Result<std::uint64_t> counted = reading.collection_count();
    if (counted.ok()) count = *counted;
    return counted.status();
  });
  return status.ok() && count > options_.warm_collections;
}

Result<std::vector<CollectionInfo>> DatabaseState::collections() const {
  std::vector<CollectionInfo> found;
  const Status status = store_->read([&](const store::Reading& reading) {
    Status step;
    const Status walk =
        reading.each_collection([&](std::string_view name, const store::CollectionRecord& record) {
          const Result<store::Counters> counters = reading.counters(record.id);
          step = counters.status();
          if (!step.ok()) return false;
          found.push_back({std::string(name), counters->live, counters->payloads, record.options});
          return true;
        });
    return walk.ok() ? step : walk;
  });
  if (!status.ok()) return status;
  return found;
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

// One transaction for all that is admitted in the group; again for as long as another process gets
// in between, and without a request that was stopped in the middle of its rows.
Status DatabaseState::store_group(std::span<Request* const> group) noexcept {
  for (;;) {
    CollectionState* behind = nullptr;
    const Status status = try_group(group, behind);
    const bool is_cancelled = status.code() == Code::cancelled;
    const bool wrote = status.ok() && std::any_of(group.begin(), group.end(), [](auto* request) {
                         return request->admitted && request->sequence != 0;
                       });
    if (wrote) counter_.raise();
    for (Request* request : group) request->collection->end_commit(status.ok());
    if (is_cancelled) {
      // What it had written already went with the transaction, and the others' with it.
      for (Request* request : group) {
        if (request->status.code() == Code::cancelled) request->collection->give_up(*request);
      }
      continue;
    }
    if (behind == nullptr) return status;
    const Status caught_up = behind->catch_up_for_commit();
    if (caught_up.ok()) continue;
    for (Request* request : group) {
      if (!request->admitted || request->collection != behind) continue;
      request->collection->give_up(*request);
      request->status = caught_up;
    }
  }
}

// `behind`: set to a collection in which another process has written; then nothing was committed.
Status DatabaseState::try_group(std::span<Request* const> group, CollectionState*& behind) noexcept
    try {
  return store_->commit([&](store::Commit& commit) -> Status {
    ++commit_number_;
    behind = nullptr;
    for (Request* request : group) {
      if (!request->admitted) continue;
      CollectionState& collection = *request->collection;
      const bool alone = collection.commit_number != commit_number_;
      if (alone) {
        collection.commit_number = commit_number_;
        collection.commit_fresh = 0;
        collection.commit_gone = 0;
        const Status status = collection.begin_commit(commit);
        if (status.code() == Code::busy) behind = &collection;
        if (!status.ok()) return status;
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
    if (!request->status.ok()) request->collection->give_up(*request);
  }
  for (Request* request : group) {
    if (request->admitted) request->collection->publish(group);
  }
  for (Request* request : group) request->collection->end_publish();
}

// -- the whole database ---------------------------------------------------------------------------

Status DatabaseState::sync() {
  return store_->environment().sync();
}

Status DatabaseState::checkpoint(const Control& control) {
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  std::uint64_t open = 0;
  each_open_state([&](CollectionState&) { ++open; });
  Watch watch(control, open);
  Status first = watch.begin();
  each_open_state([&](CollectionState& state) {
    if (!watch.status().ok()) return;
    const Status status = state.save_image_if_changed(watch.inner());
    // A collection that was dropped meanwhile needs no image.
    if (first.ok() && status.code() != Code::closed) first = status;
    static_cast<void>(watch.advance(1));
  });
  return watch.status().ok() ? first : watch.status();
}

Status DatabaseState::backup(const std::filesystem::path& folder, const Control& control) const {
  const fs::path fresh = folder / "store.new";
  Status status = remove_folder(fresh);  // left by a backup that was killed, or could not tidy up
  if (!status.ok()) return status;
  const Result<bool> is_taken = holds_files(folder);
  if (!is_taken.ok()) return is_taken.error();
  if (*is_taken) return Status(Code::already_exists, "the folder of the backup is not empty");
  status = make_folders(folder);
  if (status.ok()) status = make_folders(fresh);
  if (status.ok()) status = store_->environment().copy_to(fresh / "data.mdb", control);
  // Images of ours must not be taken for images of the copy, which goes its own way.
  if (status.ok()) status = store::Store::renew_identity(fresh);
  if (status.ok()) status = sync_path(fresh);
  if (status.ok()) status = rename_and_sync(fresh, folder / "store");
  if (!status.ok()) {
    // The folder was empty: both are ours. What cannot be removed now, for want of descriptors
    // perhaps, has the name that the next try removes.
    std::error_code ignored;
    fs::rename(folder / "store", fresh, ignored);
    static_cast<void>(remove_folder(fresh));
  }
  return status;
}

Status DatabaseState::compact(const Control& control) {
  Status status = check_outside_callbacks();
  if (!status.ok()) return status;
  if (options_.read_only) return Status(Code::read_only, "the database was opened read-only");
  const std::lock_guard lock(close_mutex_);
  status = alive();
  // Another process would go on with the old file.
  if (status.ok()) status = lock_.become_alone();
  if (!status.ok()) return status;
  status = store_->environment().compact(control);
  const Status together = lock_.let_others_in();
  return status.ok() ? together : status;
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
  // Nothing here needs memory: a close that is given up would leave the folder locked.
  each_open_state([&](CollectionState& state) {
    const std::lock_guard no_writers(commit_mutex_);
    state.seal();
  });
  each_open_state([&](CollectionState& state) {
    if (!options_.read_only && options_.use_images) {
      Status status;
      try {
        status = state.save_image_if_changed({});
      } catch (const std::bad_alloc&) {
        status = Status(Code::out_of_memory, "no memory to save the image");
      }
      // A collection that another process has dropped needs no image.
      if (first.ok() && status.code() != Code::closed) first = status;
    }
    state.shut();
  });
  if (!options_.read_only) {
    const Status status = store_->environment().sync();
    if (first.ok()) first = status;
  }
  store_->environment().close();
  lock_.release();
  each_entry([](Entry& entry) {
    std::shared_ptr<CollectionState> gone;  // when the lock has gone
    const std::lock_guard entry_lock(entry.mutex);
    gone.swap(entry.state);
  });
  return first;
}

Result<DatabaseStats> DatabaseState::stats() const {
  DatabaseStats stats;
  Status status = store_->read([&](const store::Reading& reading) {
    const Result<store::Counters> all = reading.counters(0);
    if (!all.ok()) return all.error();
    stats.sequence = all->sequence;
    const Result<std::uint64_t> count = reading.collection_count();
    if (count.ok()) stats.collections = *count;
    return count.status();
  });
  if (!status.ok()) return status;
  const Result<store::EnvironmentStats> store = store_->environment().stats();
  if (!store.ok()) return store.error();
  stats.map_bytes = store->map_bytes;
  stats.store_used_bytes = store->used_bytes;
  stats.store_disk_bytes = store->disk_bytes;
  stats.store_file_bytes = store->file_bytes;
  stats.readers = store->readers;
  stats.max_readers = store->max_readers;
  stats.stale_readers = store->stale_readers;
  stats.oldest_reader = store->oldest_reader;
  stats.snapshots = store->held;
  stats.oldest_snapshot = store->oldest_held;
  stats.commits = store->commits;
  stats.grown = store->grown;
  FolderNames names(images());
  while (const char* const name = names.next()) {
    struct stat file = {};
    if (::fstatat(names.descriptor(), name, &file, 0) == 0) {
      stats.image_disk_bytes += static_cast<std::uint64_t>(file.st_blocks) * 512;
    }
  }
  status = names.status();
  if (!status.ok()) return status;
  return stats;
}

}  // namespace skerry

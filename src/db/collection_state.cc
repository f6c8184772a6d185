// collection_state.cc - what the handles of an open collection do, and the leader's steps of a
// write.
#include "db/collection_state.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "base/epoch.h"
#include "base/fork.h"
#include "db/calls.h"
#include "db/database_state.h"
#include "db/folder_lock.h"
#include "db/kinds.h"
#include "db/snapshot_state.h"

namespace skerry {
namespace {

constexpr std::uint64_t kPayloadBytesMax = (std::uint64_t{1} << 32) - 5;

// An image is due when the log has so many changes, or a hundredth of the live vectors if more,
// and the last one was written at least twenty times as long ago as it took. See docs/adr/0005. A
// database without images trims its log instead, to as many: another process that is no farther
// behind takes up what it lacks, where it would have to make its whole index anew.
constexpr std::uint64_t kLogEntriesBeforeImage = 10'000;
constexpr std::int64_t kRestAfterImage = 20;

std::uint64_t entries_before_image(std::uint64_t live) noexcept {
  return std::max(kLogEntriesBeforeImage, live / 100);
}

std::int64_t now_ns() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

Status closed() noexcept {
  return Status(Code::closed, "the collection or its database is closed");
}
Status no_memory() noexcept {
  return Status(Code::out_of_memory, "no memory for the call");
}

}  // namespace

// What a search of a collection with byte-string keys needs beside the engine's own.
struct CollectionState::NameScratch {
  std::vector<Hit> hits;
  std::vector<Key> ids;
};

CollectionState::CollectionState(std::shared_ptr<DatabaseState> database, std::string_view name,
                                 const CollectionOptions& options)
    : database_(std::move(database)),
      counter_(database_->counter()),
      name_(name),
      generation_(fork_generation()),
      options_(options) {
  if (options_.index.metric != Metric::custom) {
    options_.index.custom = {};
  } else if (options_.index.custom.call == nullptr) {
    options_.index.custom = database_->options().custom;
  }
}

CollectionState::~CollectionState() {
  // In a forked child the index's memory is a copy, and its locks may be held by nobody.
  if (generation_ == fork_generation()) {
    delete view_.load(std::memory_order_relaxed);
  } else {
    for (OldView& old : retired_) static_cast<void>(old.view.release());
  }
}

Result<std::shared_ptr<CollectionState>> CollectionState::create(
    const std::shared_ptr<DatabaseState>& database, std::string_view name,
    const CollectionOptions& options) {
  std::shared_ptr<CollectionState> state(new CollectionState(database, name, options));
  state->caught_up_ = state->counter_.count_others();
  auto view = std::make_unique<View>();
  Result<std::unique_ptr<Engine>> engine =
      Engine::create(state->options_.index, options.byte_keys ? view->book.order() : KeyOrder());
  if (!engine.ok()) return engine.error();
  view->engine = std::move(*engine);
  state->view_ = view.release();
  state->image_due_at_ = kLogEntriesBeforeImage;
  return state;
}

Result<std::shared_ptr<CollectionState>> CollectionState::open(
    const std::shared_ptr<DatabaseState>& database, std::string_view name,
    const store::CollectionRecord& record) {
  std::shared_ptr<CollectionState> state(new CollectionState(database, name, record.options));
  state->id_ = record.id;
  state->caught_up_ = state->counter_.count_others();  // before the store is looked at
  Result<std::unique_ptr<View>> view = state->recover();
  if (!view.ok()) return view.error();
  state->image_due_at_ = entries_before_image((*view)->engine->size());
  state->view_ = view->release();
  state->call_keeper(state->view());
  return state;
}

// There is work left from opening, or from taking up what others wrote.
void CollectionState::call_keeper(const View& view) const noexcept {
  if (view.engine->has_unverified_rows() || view.engine->has_backlog()) {
    database_->images_keeper().call(const_cast<CollectionState*>(this)->weak_from_this());
  }
}

// -- checks ---------------------------------------------------------------------------------------

Status CollectionState::alive() const noexcept {
  if (closed_.load(std::memory_order_acquire) || generation_ != fork_generation()) {
    return closed();
  }
  return Status();
}

// -- writing: the caller's thread
// -------------------------------------------------------------------

Status CollectionState::check_write(const Request& request, bool by_name,
                                    bool single) const noexcept {
  if (inside_filter()) {
    return Status(Code::invalid_argument, "a filter's callback may read but not write");
  }
  Status status = check_kind(options_, by_name);
  if (!status.ok()) return status;
  if (database_->options().read_only) {
    return Status(Code::read_only, "the database was opened read-only");
  }
  for (std::size_t i = 0; i < request.names.size(); ++i) {
    const std::size_t size = request.names[i].size();
    if (size >= 1 && size <= kMaxKeyBytes) continue;
    return single ? Status(Code::invalid_argument,
                           "a byte-string key has 1 to 480 bytes, given {b}", 0, size)
                  : Status(Code::invalid_argument,
                           "row {b}: a byte-string key has 1 to 480 bytes, given {a}", size, i);
  }
  return request.kind == Request::Kind::remove ? status : check_rows(request, single);
}

Status CollectionState::check_rows(const Request& request, bool single) const noexcept {
  if (request.rows() != request.vectors.rows()) {
    return Status(Code::invalid_argument, "expected one key a vector: {a} keys, {b} vectors",
                  request.rows(), request.vectors.rows());
  }
  if (!request.payloads.empty() && request.payloads.size() != request.rows()) {
    return Status(Code::invalid_argument, "expected one payload a row: {a} rows, {b} payloads",
                  request.rows(), request.payloads.size());
  }
  for (std::size_t i = 0; i < request.payloads.size(); ++i) {
    if (request.payloads[i].size() <= kPayloadBytesMax) continue;
    return Status(Code::invalid_argument, "row {b}: a payload has at most 2^32 - 5 bytes", 0, i);
  }
  return single ? engine().check(request.vectors.row(0)) : engine().check(request.vectors);
}

Status CollectionState::write(Request& request, bool by_name, bool single) {
  {
    EpochGuard guard;
    Status status = alive();
    if (status.ok()) status = check_write(request, by_name, single);
    if (!status.ok() || request.rows() == 0) return status;
  }
  request.collection = this;
  try {
    database_->submit(request);
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
  if (request.status.ok() && is_image_due()) database_->images_keeper().call(weak_from_this());
  return request.status;
}

// -- writing: the leader, under the commit lock
// ----------------------------------------------------

void CollectionState::admit(Request& request) noexcept {
  request.admitted = false;
  request.status = sealed_ ? closed() : alive();
  if (!request.status.ok()) return;
  const std::lock_guard lock(view_mutex_);
  release_retired();
  view().book.reclaim();
  if (request.kind != Request::Kind::remove) {
    try {
      request.status = engine().reserve(request.rows());
    } catch (const std::bad_alloc&) {
      request.status = no_memory();
    }
    if (request.status.ok()) reserved_ += request.rows();
  }
  request.admitted = request.status.ok();
}

void CollectionState::give_up(Request& request) noexcept {
  if (request.admitted && request.kind != Request::Kind::remove) {
    const std::lock_guard lock(view_mutex_);
    engine().release(request.rows());
    reserved_ -= request.rows();
  }
  request.admitted = false;
}

// With the engine at the store's number nobody moves the view until our commit stands: there is
// nothing to take up, and while the transaction is open no other process can commit.
Status CollectionState::begin_commit(store::Commit& commit) {
  const Status behind(Code::busy, "another process has written");
  const Result<bool> ours = commit.is_named(name_, id_);
  if (!ours.ok()) return ours.error();
  if (!*ours) return behind;
  const Status status = commit.turn_to(id_);
  if (!status.ok()) return status;
  // Only tried: who holds it may be waiting for the store's writer, and that is we.
  const std::unique_lock lock(view_mutex_, std::try_to_lock);
  if (!lock.owns_lock() || commit.sequence() != engine().sequence()) return behind;
  leading_ = Leading::writing;
  commit_from_ = commit_to_ = commit.sequence();
  return status;
}

void CollectionState::end_commit(bool committed) noexcept {
  const std::lock_guard lock(view_mutex_);
  leading_ = committed && leading_ == Leading::writing ? Leading::committed : Leading::no;
  landed_.notify_all();
}

void CollectionState::end_publish() noexcept {
  end_commit(false);
}

Status CollectionState::write_rows(store::Commit& commit, Request& request, bool alone) {
  request.status = Status();
  request.removed = 0;
  request.sequence = 0;
  request.ids.clear();
  request.fresh.clear();
  Status status = commit.turn_to(id_);
  if (!status.ok()) return status;

  if (request.kind == Request::Kind::remove) {
    for (const std::string_view name : request.names) {
      const Result<Key> id = commit.find_name(name);
      if (!id.ok()) return id.error();
      if (*id == 0) continue;
      status = commit.remove_name(name, *id);
      if (!status.ok()) return status;
      request.ids.push_back(*id);
    }
    for (const Key key : request.numbers()) {
      const Result<bool> removed = commit.remove(key);
      if (!removed.ok()) return removed.error();
      if (*removed) ++request.removed;
    }
    commit_gone += request.ids.size();
    view().book.reserve(commit_fresh, commit_gone);
    if (request.removed == 0) return Status();
    const Result<std::uint64_t> sequence = commit.log(store::LogKind::removals, request.numbers());
    if (sequence.ok()) request.sequence = commit_to_ = *sequence;
    return sequence.status();
  }

  if (request.kind == Request::Kind::insert) {
    for (std::size_t i = 0; i < request.rows(); ++i) {
      bool present = false;
      if (options_.byte_keys) {
        const Result<Key> id = commit.find_name(request.names[i]);
        if (!id.ok()) return id.error();
        present = *id != 0;
      } else if (alone) {
        present = engine().contains(request.keys[i]);
      } else {
        // An earlier request of this commit may have put it there or taken it away.
        const Result<bool> found = commit.contains(request.keys[i]);
        if (!found.ok()) return found.error();
        present = *found;
      }
      if (!present) continue;
      request.status = request.rows() == 1
                           ? Status(Code::already_exists, "the key is present")
                           : Status(Code::already_exists, "row {b}: the key is present", 0, i);
      return Status();
    }
  }
  request.ids.reserve(request.names.size());
  for (const std::string_view name : request.names) {
    Result<Key> id = commit.find_name(name);
    if (id.ok() && *id == 0) {
      id = commit.add_name(name);
      if (id.ok()) request.fresh.push_back(make_key_record(*id, name));
    }
    if (!id.ok()) return id.error();
    request.ids.push_back(*id);
  }
  commit_fresh += request.fresh.size();
  view().book.reserve(commit_fresh, commit_gone);

  const std::span<const Key> keys = request.numbers();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Result<store::Transaction::Room> room = commit.put_vector(keys[i]);
    if (!room.ok()) return room.error();
    engine().store(request.vectors.row(i), room->bytes);
    const Payload payload = request.payloads.empty() ? Payload() : request.payloads[i];
    status = commit.put_payload(keys[i], payload, room->fresh);
    if (!status.ok()) return status;
  }
  const Result<std::uint64_t> sequence = commit.log(store::LogKind::upserts, keys);
  if (sequence.ok()) request.sequence = commit_to_ = *sequence;
  return sequence.status();
}

void CollectionState::publish(Request& request) noexcept {
  const std::lock_guard lock(view_mutex_);
  if (request.kind != Request::Kind::remove) reserved_ -= request.rows();
  if (request.sequence == 0) return;
  for (KeyRecordPtr& record : request.fresh) view().book.add(std::move(record));
  const bool removal = request.kind == Request::Kind::remove;
  engine().publish({request.numbers(), request.vectors, removal}, request.sequence,
                   request.threads);
  if (removal) {
    for (const Key id : request.ids) view().book.remove(id);
  }
  log_entries_.fetch_add(request.numbers().size(), std::memory_order_relaxed);
}

// -- reading --------------------------------------------------------------------------------------

bool CollectionState::contains(Key key) const noexcept {
  static_cast<void>(keep_up());  // no way to tell an error: the answer is what was last read
  EpochGuard guard;
  return alive().ok() && !options_.byte_keys && engine().contains(key);
}

bool CollectionState::contains(std::string_view name) const noexcept {
  static_cast<void>(keep_up());  // no way to tell an error: the answer is what was last read
  EpochGuard guard;
  if (!alive().ok() || !options_.byte_keys) return false;
  const View& view = this->view();
  const KeyRecord* record = view.book.find(name);
  return record != nullptr && view.engine->contains(record->id);
}

std::uint64_t CollectionState::size() const noexcept {
  static_cast<void>(keep_up());  // no way to tell an error: the answer is what was last read
  EpochGuard guard;
  return alive().ok() ? engine().size() : 0;
}

Status CollectionState::get(Key key, std::span<float> out) const noexcept {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, false);
  return status.ok() ? engine().get(key, out) : status;
}

Status CollectionState::get(std::string_view name, std::span<float> out) const noexcept {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  const View& view = this->view();
  const KeyRecord* record = view.book.find(name);
  return record != nullptr ? view.engine->get(record->id, out)
                           : Status(Code::not_found, "no such key");
}

Status CollectionState::get_bytes(Key key, std::span<std::byte> out) const noexcept {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, false);
  return status.ok() ? engine().get_bytes(key, out) : status;
}

Status CollectionState::get_bytes(std::string_view name, std::span<std::byte> out) const noexcept {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  const View& view = this->view();
  const KeyRecord* record = view.book.find(name);
  return record != nullptr ? view.engine->get_bytes(record->id, out)
                           : Status(Code::not_found, "no such key");
}

Result<std::size_t> CollectionState::get_payload(Key key, std::span<std::byte> out) const {
  Status status = keep_up();
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, false);
  if (!status.ok()) return status;
  Result<std::size_t> size = std::size_t{0};
  status = database_->store().read([&](const store::Reading& reading) {
    size = reading.copy_payload(id_, key, out);
    return size.status();
  });
  return status.ok() ? size : status;
}

Result<std::size_t> CollectionState::get_payload(std::string_view name,
                                                 std::span<std::byte> out) const {
  Status status = keep_up();
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  if (name.empty() || name.size() > kMaxKeyBytes) return Status(Code::not_found, "no such key");
  Result<std::size_t> size = std::size_t{0};
  status = database_->store().read([&](const store::Reading& reading) {
    const Result<Key> id = reading.name_id(id_, name);
    if (!id.ok()) {
      return id.error().code() == Code::not_found ? Status(Code::not_found, "no such key")
                                                  : id.error();
    }
    size = reading.copy_payload(id_, *id, out);
    return size.status();
  });
  return status.ok() ? size : status;
}

Status CollectionState::for_each(FunctionRef<bool(Key)> visit) const {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, false);
  if (!status.ok()) return status;
  const VisitScope visiting;
  return engine().for_each(visit);
}

Status CollectionState::for_each_name(FunctionRef<bool(std::string_view)> visit) const {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  const VisitScope visiting;
  const View& view = this->view();
  return view.engine->for_each([&](Key id) {
    const KeyRecord* record = view.book.find(id);
    return record == nullptr || visit(record->name());
  });
}

Result<std::unique_ptr<SnapshotState>> CollectionState::snapshot() const {
  const Status status = alive();
  if (!status.ok()) return status;
  return SnapshotState::take(database_, name_, id_, options_);
}

Result<SearchResult> CollectionState::search(VectorView query, std::span<Hit> hits,
                                             const SearchOptions& options) const {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, false);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  return engine().search(query, hits, options);
}

Result<SearchResult> CollectionState::search_batch(MatrixView queries, std::span<Hit> hits,
                                                   std::span<std::uint32_t> counts,
                                                   const SearchOptions& options) const {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, false);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  return engine().search_batch(queries, hits, counts, options);
}

void CollectionState::copy_hit(const View& view, const Hit& from, NamedHit& to) noexcept {
  const std::string_view name = view.book.find(from.key)->name();
  to.name.size = static_cast<std::uint16_t>(name.size());
  std::memcpy(to.name.bytes, name.data(), name.size());
  to.distance = from.distance;
}

template <class Search, class Copy>
Result<SearchResult> CollectionState::with_names(const SearchOptions& options, std::size_t hits,
                                                 Search search, Copy copy) const try {
  Status status = keep_up();
  EpochGuard guard;
  if (status.ok()) status = alive();
  if (status.ok()) status = check_kind(options_, true);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  const ScratchLease lease(name_scratch_);
  if (lease.get() == nullptr) return no_memory();
  NameScratch& scratch = *lease.get();
  scratch.hits.resize(hits);
  const View& view = this->view();
  SearchOptions by_id = options;
  const auto passes = [&](Key id) {
    const KeyRecord* record = view.book.find(id);
    return record != nullptr && options.filter.passes(record->name());
  };
  switch (options.filter.kind()) {
    case Filter::Kind::name_predicate:
      by_id.filter = Filter::where(passes);
      break;
    case Filter::Kind::only_names:
    case Filter::Kind::except_names: {
      scratch.ids.clear();
      for (const std::string_view name : options.filter.names()) {
        const KeyRecord* record = view.book.find(name);
        if (record != nullptr) scratch.ids.push_back(record->id);
      }
      by_id.filter = options.filter.kind() == Filter::Kind::only_names
                         ? Filter::only(scratch.ids)
                         : Filter::except(scratch.ids);
      break;
    }
    default:
      break;
  }
  Result<SearchResult> result = search(view, std::span<Hit>(scratch.hits), by_id);
  if (result.ok()) copy(view, scratch.hits.data(), *result);
  return result;
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<SearchResult> CollectionState::search(VectorView query, std::span<NamedHit> hits,
                                             const SearchOptions& options) const {
  return with_names(
      options, hits.size(),
      [&](const View& view, std::span<Hit> found, const SearchOptions& by_id) {
        return view.engine->search(query, found, by_id);
      },
      [&](const View& view, const Hit* found, const SearchResult& result) {
        for (std::size_t i = 0; i < result.count; ++i) copy_hit(view, found[i], hits[i]);
      });
}

Result<SearchResult> CollectionState::search_batch(MatrixView queries, std::span<NamedHit> hits,
                                                   std::span<std::uint32_t> counts,
                                                   const SearchOptions& options) const {
  return with_names(
      options, hits.size(),
      [&](const View& view, std::span<Hit> found, const SearchOptions& by_id) {
        return view.engine->search_batch(queries, found, counts, by_id);
      },
      [&](const View& view, const Hit* found, const SearchResult&) {
        const std::size_t rows = queries.rows();
        const std::size_t k = rows == 0 ? 0 : hits.size() / rows;
        for (std::size_t row = 0; row < rows; ++row) {
          for (std::size_t i = row * k; i < row * k + counts[row]; ++i) {
            copy_hit(view, found[i], hits[i]);
          }
        }
      });
}

// -- images, checks, numbers
// ------------------------------------------------------------------------

std::filesystem::path CollectionState::image_path() const {
  return database_->images() / (std::to_string(id_) + ".image");
}

ImageTag CollectionState::image_tag() const noexcept {
  const store::Identity& identity = database_->store().identity();
  return {id_, {identity[0], identity[1]}};
}

Status CollectionState::save_image(bool only_if_changed) {
  Status status = keep_up();
  if (status.ok()) status = alive();
  if (!status.ok()) return status;
  if (database_->options().read_only) {
    return Status(Code::read_only, "the database was opened read-only");
  }
  const std::shared_lock gate(gate_);
  status = alive();
  if (!status.ok()) return status;
  const std::lock_guard lock(image_mutex_);
  const std::uint64_t saved = image_sequence_.load(std::memory_order_relaxed);
  const Pin pin(*this);
  if (only_if_changed && engine().sequence() == saved && !is_image_damaged()) return status;
  return save_image_now([this] { return alive().ok(); }, true);
}

// Under image_mutex_ and a Pin. See database_state.h for the order of the steps. `go_on`: false
// ends it. When another process is saving one: waits for that, or leaves it at that.
Status CollectionState::save_image_now(FunctionRef<bool()> go_on, bool wait) {
  const std::int64_t begun = now_ns();
  ImageLock making;
  Status status = making.take(database_->folder(), id_, ImageLock::For::making, wait);
  if (status.ok()) {
    status = place_image(go_on);
  } else if (status.code() == Code::busy) {
    status = Status();
  }
  // After a failure the next try waits until as much has been logged again.
  image_due_at_.store(
      log_entries_.load(std::memory_order_relaxed) + entries_before_image(engine().size()),
      std::memory_order_relaxed);
  const std::int64_t ended = now_ns();
  image_rests_until_.store(ended + kRestAfterImage * (ended - begun), std::memory_order_relaxed);
  return status;
}

bool CollectionState::is_image_due() const noexcept {
  return log_entries_.load(std::memory_order_relaxed) >=
             image_due_at_.load(std::memory_order_relaxed) &&
         now_ns() >= image_rests_until_.load(std::memory_order_relaxed);
}

// Rows were mended in memory: the file still has them as they were found.
bool CollectionState::is_image_damaged() const noexcept {
  return engine().mended() != mended_in_image_.load(std::memory_order_relaxed);
}

// Whoever puts an image in its place and trims the log behind it keeps others, here and in other
// processes, from doing it or from choosing an image meanwhile.
Status CollectionState::place_image(FunctionRef<bool()> go_on) {
  ImageLock placing;
  const std::uint64_t entries = log_entries_.load(std::memory_order_relaxed);
  Engine& engine = this->engine();  // stays while we pin it, even if it is exchanged
  const std::uint64_t mended = engine.mended();
  std::uint64_t sequence = engine.sequence();
  bool dropped = false;
  bool newer = false;
  const auto ready = [&]() -> Status {
    Status status;
    if (database_->options().durability != Durability::commit) {
      status = database_->store().environment().sync();
    }
    if (status.ok()) {
      status = placing.take(database_->folder(), id_, ImageLock::For::placing, true);
    }
    if (!status.ok()) return status;
    status = database_->store().read([&](const store::Reading& reading) -> Status {
      const Result<store::CollectionRecord> record = reading.collection(name_);
      dropped = !record.ok() || record->id != id_;
      if (dropped) return Status();
      const Result<store::Counters> counters = reading.counters(id_);
      // The log is trimmed behind an image: there is one that reaches farther than ours would.
      newer = counters.ok() && counters->trimmed > sequence;
      return counters.status();
    });
    return dropped || newer ? Status(Code::cancelled, "the image is of no use any more") : status;
  };
  Status status;
  if (database_->options().use_images) {
    const Result<std::uint64_t> saved = engine.save(image_path(), image_tag(), go_on, ready);
    status = saved.status();
    if (saved.ok()) sequence = *saved;
  } else {
    status = ready();
  }
  if (dropped) return closed();
  if (newer) return Status();
  if (!status.ok()) return status;
  image_sequence_.store(sequence, std::memory_order_relaxed);
  mended_in_image_.store(mended, std::memory_order_relaxed);
  const std::uint64_t kept =
      database_->options().use_images ? 0 : entries_before_image(engine.size());
  status = database_->store().trim_log(id_, sequence - std::min(sequence, kept));
  const std::uint64_t gone = entries - std::min(entries, kept);
  const std::uint64_t now = log_entries_.load(std::memory_order_relaxed);
  if (status.ok()) log_entries_.store(now - std::min(now, gone), std::memory_order_relaxed);
  return status;
}

// On the keeper's thread. What fails here is tried again later, or by close(), which tells: the
// writes that brought us here are durable whatever becomes of the image.
void CollectionState::keep(FunctionRef<bool()> go_on) noexcept try {
  const std::shared_lock gate(gate_);
  const auto is_wanted = [&] { return go_on() && alive().ok(); };
  if (!is_wanted()) return;
  const Pin pin(*this);
  engine().work_off_backlog(database_->options().threads, is_wanted);
  static_cast<void>(engine().verify_rows(is_wanted));
  if (database_->options().read_only || (!is_image_due() && !is_image_damaged())) return;
  const std::unique_lock lock(image_mutex_, std::try_to_lock);
  if (lock.owns_lock() && is_wanted()) static_cast<void>(save_image_now(is_wanted, false));
} catch (const std::exception&) {
  image_due_at_.fetch_add(kLogEntriesBeforeImage, std::memory_order_relaxed);
}

Result<CollectionStats> CollectionState::stats() const {
  Status status = keep_up();
  if (status.ok()) status = alive();
  if (!status.ok()) return status;
  const std::shared_lock gate(gate_);
  status = alive();
  if (!status.ok()) return status;
  CollectionStats stats;
  EpochGuard guard;
  stats.index = engine().stats();
  stats.opened = view().opened;
  stats.image = view().image;
  stats.replayed = view().replayed;
  stats.mended_blocks = engine().mended();
  status = database_->store().read([&](const store::Reading& reading) {
    const Result<store::Counters> counters = reading.counters(id_);
    if (counters.ok()) {
      stats.log_entries = counters->log_entries;
      stats.payload_count = counters->payloads;
    }
    return counters.status();
  });
  if (!status.ok()) return status;
  std::error_code absent;
  const std::uintmax_t bytes = std::filesystem::file_size(image_path(), absent);
  stats.image_bytes = absent ? 0 : bytes;
  return stats;
}

// The epochs first: a caller's function, under its guard, may be about to ask for the gate.
void CollectionState::shut() noexcept {
  closed_.store(true, std::memory_order_release);
  const std::uint64_t tag = epoch_tag();
  while (!epoch_passed(tag)) std::this_thread::yield();
  const std::unique_lock gate(gate_);
  const std::lock_guard still(view_mutex_);
  retired_.clear();
  delete view_.exchange(nullptr, std::memory_order_acq_rel);
}

}  // namespace skerry

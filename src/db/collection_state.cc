// collection_state.cc - what the handles of an open collection do, and the leader's steps of a
// write.
#include "db/collection_state.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "base/epoch.h"
#include "base/fork.h"
#include "base/watch.h"
#include "base/workers.h"
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

// Vectors of a collection whose index may be put away: it is made again in about a millisecond.
constexpr std::uint64_t kSmallBytes = 1 << 20;

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

CollectionState::CollectionState(std::shared_ptr<DatabaseState> database, std::string_view name,
                                 const CollectionOptions& options)
    : database_(std::move(database)),
      counter_(database_->counter()),
      generation_(fork_generation()),
      options_(options) {
  names_.push_back(std::make_unique<const std::string>(name));
  name_ = names_.back().get();
  if (options_.index.metric != Metric::custom) {
    options_.index.custom = {};
  } else if (options_.index.custom.call == nullptr) {
    options_.index.custom = database_->options().custom;
  }
}

CollectionState::~CollectionState() {
  // In a forked child the index's memory is a copy, and its locks may be held by nobody.
  if (generation_ == fork_generation()) {
    database_->warm().leave(*this);
    delete view_.load(std::memory_order_relaxed);
  } else {
    for (OldView& old : retired_) static_cast<void>(old.view.release());
  }
}

Result<std::shared_ptr<CollectionState>> CollectionState::create(
    const std::shared_ptr<DatabaseState>& database, std::string_view name,
    const CollectionOptions& options) {
  std::shared_ptr<CollectionState> state(new CollectionState(database, name, options));
  const Status status = check_options(state->options_.index);
  if (!status.ok()) return status;
  state->image_due_at_ = kLogEntriesBeforeImage;
  return state;
}

Result<std::shared_ptr<CollectionState>> CollectionState::open(
    const std::shared_ptr<DatabaseState>& database, std::string_view name,
    const store::CollectionRecord& record, const Control& control) {
  std::shared_ptr<CollectionState> state(new CollectionState(database, name, record.options));
  state->id_ = record.id;
  state->caught_up_ = state->counter_.count_others();  // before the store is looked at
  const std::lock_guard lock(state->view_mutex_);
  const Status status = state->wake(control);
  if (!status.ok()) return status;
  state->image_due_at_ = entries_before_image(state->engine().size());
  return state;
}

void CollectionState::set_name(Name name) noexcept {
  const std::string* now = name.get();
  // What is handed out must stay good; without memory to keep it by, the old name stays.
  try {
    names_.push_back(std::move(name));
  } catch (const std::bad_alloc&) {
    return;
  }
  name_.store(now, std::memory_order_release);
}

// There is work left from opening, or from taking up what others wrote.
void CollectionState::call_keeper(const View& view) const noexcept {
  if (view.engine->has_unverified_rows() || view.engine->has_backlog()) {
    database_->images_keeper().call(const_cast<CollectionState*>(this)->weak_from_this());
  }
}

// -- who reads, and what is in memory -------------------------------------------------------------

// A view that is put away between the look and the guard is made again: the guard keeps the next.
CollectionState::Inside::Inside(const CollectionState& collection) noexcept {
  for (;;) {
    status_ = collection.keep_up();
    guard_.emplace();
    const Status alive = collection.alive();
    if (!alive.ok()) {
      status_ = alive;
      return;
    }
    view_ = collection.view_.load(std::memory_order_acquire);
    if (!status_.ok() || view_ != nullptr) break;
    guard_.reset();
  }
  if (!collection.used_.load(std::memory_order_relaxed)) {
    collection.used_.store(true, std::memory_order_relaxed);
  }
}

CollectionState::Pin::Pin(const CollectionState& collection) noexcept
    : collection_(collection), pins_(collection.pins_) {
  const std::lock_guard lock(collection.view_mutex_);
  pins_.fetch_add(1, std::memory_order_acq_rel);
  has_view_ = collection.view_.load(std::memory_order_relaxed) != nullptr;
}

Status CollectionState::Pin::need_view() noexcept {
  const Status status = has_view_ ? Status() : collection_.keep_up();
  if (status.ok()) has_view_ = true;
  return status;
}

bool CollectionState::is_small(const View& view) const noexcept {
  const std::uint64_t live = view.engine->size();
  const IndexOptions& index = options_.index;
  return live <= index.flat_below &&
         live * vector_bytes(index.scalar, index.dimension) <= kSmallBytes;
}

// A read that began before still has the view: it goes when that one is out. The hand of the list
// comes by again until it has.
CollectionState::PutAway CollectionState::put_away() noexcept {
  const std::unique_lock lock(view_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return PutAway::not_now;
  View* const view = view_.load(std::memory_order_relaxed);
  if (view != nullptr) {
    if (!is_small(*view)) return PutAway::never;
    if (used_.exchange(false, std::memory_order_relaxed) || admitted_ != 0 ||
        leading_ != Leading::no || pins_.load(std::memory_order_acquire) != 0) {
      return PutAway::not_now;
    }
    try {
      retired_.reserve(retired_.size() + 1);
    } catch (const std::bad_alloc&) {
      return PutAway::not_now;
    }
    view_.store(nullptr, std::memory_order_release);
    retired_.push_back({std::unique_ptr<View>(view), epoch_tag()});
  }
  release_retired();
  return retired_.empty() ? PutAway::done : PutAway::not_now;
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
  return single ? check_vectors(options_.index, request.vectors.row(0))
                : check_vectors(options_.index, request.vectors);
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

// From here to the publishing the view is not put away.
void CollectionState::admit(Request& request) noexcept {
  request.admitted = false;
  request.status = sealed_ ? closed() : alive();
  if (!request.status.ok()) return;
  const std::lock_guard lock(view_mutex_);
  release_retired();
  try {
    request.status = view_.load(std::memory_order_relaxed) == nullptr ? wake_or_close() : Status();
    if (request.status.ok()) {
      view().book.reclaim();
      steps_.reserve(admitted_ + 1);
      if (request.kind != Request::Kind::remove) {
        request.status = engine().reserve(request.rows(), Linking::now, request.vectors);
      }
    }
  } catch (const std::bad_alloc&) {
    request.status = no_memory();
  }
  request.admitted = request.status.ok();
  if (!request.admitted) return;
  ++admitted_;
  if (request.kind != Request::Kind::remove) reserved_ += request.rows();
}

void CollectionState::give_up(Request& request) noexcept {
  if (!request.admitted) return;
  request.admitted = false;
  const std::lock_guard lock(view_mutex_);
  --admitted_;
  if (request.kind == Request::Kind::remove) return;
  engine().release(request.rows());
  reserved_ -= request.rows();
}

// With the engine at the store's number nobody moves the view until our commit stands: there is
// nothing to take up, and while the transaction is open no other process can commit.
Status CollectionState::begin_commit(store::Commit& commit) {
  const Status behind(Code::busy, "another process has written");
  const Result<bool> ours = commit.is_there(name(), id_);
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
  request.removed = 0;
  request.sequence = 0;
  request.ids.clear();
  request.fresh.clear();
  request.status = request.look(0);
  if (!request.status.ok()) return Status();
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
    request.status = request.look(i);
    if (!request.status.ok()) return request.status;
    const Result<store::Transaction::Room> room = commit.put_vector(keys[i]);
    if (!room.ok()) return room.error();
    engine().store(request.vectors.row(i), room->bytes);
    const Payload payload = request.payloads.empty() ? Payload() : request.payloads[i];
    status = commit.put_payload(keys[i], payload, room->fresh);
    if (!status.ok()) return status;
  }
  request.status = request.look(keys.size());
  if (!request.status.ok()) return request.status;
  const Result<std::uint64_t> sequence = commit.log(store::LogKind::upserts, keys);
  if (sequence.ok()) request.sequence = commit_to_ = *sequence;
  return sequence.status();
}

// All of the group that is ours and stands in the store is shown at once, linked by as many threads
// as wait for it. But a name that is removed is forgotten before it may come again.
void CollectionState::publish(std::span<Request* const> group) noexcept {
  const std::lock_guard lock(view_mutex_);
  steps_.clear();
  std::uint32_t threads = 0;
  const auto show = [&] {
    if (!steps_.empty()) engine().publish(steps_, std::min(threads, hand_count()));
    steps_.clear();
    threads = 0;
  };
  for (Request* request : group) {
    if (!request->admitted || request->collection != this) continue;
    request->admitted = false;
    --admitted_;
    const bool removal = request->kind == Request::Kind::remove;
    if (!removal) reserved_ -= request->rows();
    if (request->sequence == 0) continue;
    for (KeyRecordPtr& record : request->fresh) view().book.add(std::move(record));
    steps_.push_back({{request->numbers(), request->vectors, removal}, request->sequence});
    threads += request->threads == 0 ? hand_count() : request->threads;
    log_entries_.fetch_add(request->numbers().size(), std::memory_order_relaxed);
    if (!removal || request->ids.empty()) continue;
    show();
    for (const Key id : request->ids) view().book.remove(id);
  }
  show();
}

// -- reading --------------------------------------------------------------------------------------

// No way to tell an error: the answer is what was last read.
bool CollectionState::contains(Key key) const noexcept {
  const Inside inside(*this);
  return inside.view() != nullptr && !options_.byte_keys && inside.engine().contains(key);
}

bool CollectionState::contains(std::string_view name) const noexcept {
  const Inside inside(*this);
  if (inside.view() == nullptr || !options_.byte_keys) return false;
  const KeyRecord* record = inside.view()->book.find(name);
  return record != nullptr && inside.engine().contains(record->id);
}

std::uint64_t CollectionState::size() const noexcept {
  if (view_.load(std::memory_order_relaxed) == nullptr && alive().ok()) {
    // Put away: the store counts too, and nothing need be read but that.
    std::uint64_t live = 0;
    const Status status = database_->store().read([&](const store::Reading& reading) {
      const Result<bool> there = reading.is_there(name(), id_);
      if (!there.ok() || !*there) return there.status();
      const Result<store::Counters> counters = reading.counters(id_);
      if (counters.ok()) live = counters->live;
      return counters.status();
    });
    return status.ok() ? live : 0;
  }
  const Inside inside(*this);
  return inside.view() != nullptr ? inside.engine().size() : 0;
}

Status CollectionState::get(Key key, std::span<float> out) const noexcept {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, false);
  return status.ok() ? inside.engine().get(key, out) : status;
}

Status CollectionState::get(std::string_view name, std::span<float> out) const noexcept {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  const KeyRecord* record = inside.view()->book.find(name);
  return record != nullptr ? inside.engine().get(record->id, out)
                           : Status(Code::not_found, "no such key");
}

Status CollectionState::get_bytes(Key key, std::span<std::byte> out) const noexcept {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, false);
  return status.ok() ? inside.engine().get_bytes(key, out) : status;
}

Status CollectionState::get_bytes(std::string_view name, std::span<std::byte> out) const noexcept {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  const KeyRecord* record = inside.view()->book.find(name);
  return record != nullptr ? inside.engine().get_bytes(record->id, out)
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
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, false);
  if (!status.ok()) return status;
  const VisitScope visiting;
  return inside.engine().for_each(visit);
}

Status CollectionState::for_each_name(FunctionRef<bool(std::string_view)> visit) const {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, true);
  if (!status.ok()) return status;
  const VisitScope visiting;
  const View& view = *inside.view();
  return view.engine->for_each([&](Key id) {
    const KeyRecord* record = view.book.find(id);
    return record == nullptr || visit(record->name());
  });
}

Result<std::unique_ptr<SnapshotState>> CollectionState::snapshot() const {
  const Status status = alive();
  if (!status.ok()) return status;
  return SnapshotState::take(database_, name(), id_, options_);
}

Result<SearchResult> CollectionState::search(VectorView query, std::span<Hit> hits,
                                             const SearchOptions& options) const {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, false);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  return inside.engine().search(query, hits, options);
}

Result<SearchResult> CollectionState::search_batch(MatrixView queries, std::span<Hit> hits,
                                                   std::span<std::uint32_t> counts,
                                                   const SearchOptions& options) const {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, false);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  return inside.engine().search_batch(queries, hits, counts, options);
}

Result<Explanation> CollectionState::explain(VectorView query, Key key, std::span<Hit> hits,
                                             std::span<Hop> hops,
                                             const SearchOptions& options) const {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, false);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  return inside.engine().explain(query, key, hits, hops, options);
}

namespace {

void copy_name(std::string_view from, Name& to) noexcept {
  to.size = static_cast<std::uint16_t>(from.size());
  std::memcpy(to.bytes, from.data(), from.size());
}

}  // namespace

void CollectionState::copy_hit(const View& view, const Hit& from, NamedHit& to) noexcept {
  copy_name(view.book.find(from.key)->name(), to.name);
  to.distance = from.distance;
}

template <class Search, class Copy>
auto CollectionState::with_names(const SearchOptions& options, std::size_t hits, Search search,
                                 Copy copy) const
    -> std::invoke_result_t<Search, const View&, std::span<Hit>, const SearchOptions&> try {
  const Inside inside(*this);
  Status status = inside.status();
  if (status.ok()) status = check_kind(options_, true);
  if (status.ok()) status = check_filter(options_, options.filter);
  if (!status.ok()) return status;
  const ScratchLease lease(database_->name_scratch());
  if (lease.get() == nullptr) return no_memory();
  NameScratch& scratch = *lease.get();
  scratch.hits.resize(hits);
  const View& view = *inside.view();
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
  auto result = search(view, std::span<Hit>(scratch.hits), by_id);
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

Result<Explanation> CollectionState::explain(VectorView query, std::string_view name,
                                             std::span<NamedHit> hits, std::span<NamedHop> hops,
                                             const SearchOptions& options) const {
  std::vector<Hop> by_id(hops.size());
  return with_names(
      options, hits.size(),
      [&](const View& view, std::span<Hit> found, const SearchOptions& wanted) {
        const KeyRecord* const record = view.book.find(name);
        const std::optional<Key> id = record != nullptr ? std::optional(record->id) : std::nullopt;
        return view.engine->explain(query, id, found, by_id, wanted);
      },
      [&](const View& view, const Hit* found, const Explanation& explanation) {
        const std::uint64_t count = std::min<std::uint64_t>(hops.size(), explanation.result.hops);
        for (std::size_t i = 0; i < explanation.result.count; ++i) {
          copy_hit(view, found[i], hits[i]);
        }
        for (std::size_t i = 0; i < count; ++i) {
          const KeyRecord* const record = view.book.find(by_id[i].key);
          copy_name(record != nullptr ? record->name() : std::string_view(), hops[i].name);
          hops[i].distance = by_id[i].distance;
          hops[i].level = by_id[i].level;
          hops[i].is_live = by_id[i].is_live;
        }
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

Status CollectionState::save_image(bool only_if_changed, const Control& control) {
  // One that is put away needs none: it is made again from the store as quickly.
  if (only_if_changed && view_.load(std::memory_order_relaxed) == nullptr) return alive();
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
  Pin pin(*this);
  status = pin.need_view();
  if (!status.ok()) return status;
  if (only_if_changed && engine().sequence() == saved && !is_image_damaged()) return status;
  // Nor does a small one of so many that most are put away: an image each would be a sync each.
  if (only_if_changed && is_small(view()) && database_->is_for_many()) return status;
  return save_image_now([this] { return alive().ok(); }, true, control);
}

// Under image_mutex_ and a Pin. See database_state.h for the order of the steps. `go_on`: false
// ends it. When another process is saving one: waits for that, or leaves it at that.
Status CollectionState::save_image_now(FunctionRef<bool()> go_on, bool wait,
                                       const Control& control) {
  const std::int64_t begun = now_ns();
  ImageLock making;
  Status status = making.take(database_->folder(), id_, ImageLock::For::making, wait);
  if (status.ok()) {
    status = place_image(go_on, control);
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
Status CollectionState::place_image(FunctionRef<bool()> go_on, const Control& control) {
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
      const Result<bool> there = reading.is_there(name(), id_);
      dropped = !there.ok() || !*there;
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
    const Result<std::uint64_t> saved =
        engine.save(image_path(), image_tag(), go_on, ready, control);
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
  if (!pin.has_view()) return;
  engine().work_off_backlog(database_->options().threads, is_wanted);
  static_cast<void>(engine().verify_rows(is_wanted));
  if (database_->options().read_only || (!is_image_due() && !is_image_damaged())) return;
  const std::unique_lock lock(image_mutex_, std::try_to_lock);
  if (lock.owns_lock() && is_wanted()) static_cast<void>(save_image_now(is_wanted, false, {}));
} catch (const std::exception&) {
  image_due_at_.fetch_add(kLogEntriesBeforeImage, std::memory_order_relaxed);
}

Result<GraphShape> CollectionState::shape(const Control& control) const {
  const Inside inside(*this);
  if (!inside.status().ok()) return inside.status();
  Watch watch(control, inside.engine().size());
  return inside.engine().shape(watch);
}

Result<CollectionStats> CollectionState::stats() const {
  const Inside inside(*this);
  Status status = inside.status();
  if (!status.ok()) return status;
  CollectionStats stats;
  const View& view = *inside.view();
  stats.index = view.engine->stats();
  stats.opened = view.opened;
  stats.image = view.image;
  stats.replayed = view.replayed;
  stats.mended_blocks = view.engine->mended();
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
  database_->warm().leave(*this);
  const std::unique_lock gate(gate_);
  const std::lock_guard still(view_mutex_);
  retired_.clear();
  delete view_.exchange(nullptr, std::memory_order_acq_rel);
}

}  // namespace skerry

#include "index/engine.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <thread>

#include "base/assert.h"
#include "base/epoch.h"
#include "quant/convert.h"

namespace skerry {
namespace {

thread_local std::uint32_t t_filter_depth = 0;

// From a row that may not be read, everything is infinitely far away.
void score_nothing(const simd::Query&, const simd::Rows&, const std::uint32_t*, std::size_t count,
                   float* out) {
  std::fill_n(out, count, std::numeric_limits<float>::infinity());
}

bool is_byte_like(Scalar scalar) noexcept {
  return scalar == Scalar::i8 || scalar == Scalar::u8 || scalar == Scalar::b1;
}

}  // namespace

bool inside_filter() noexcept {
  return t_filter_depth != 0;
}
FilterScope::FilterScope() noexcept {
  ++t_filter_depth;
}
FilterScope::~FilterScope() {
  --t_filter_depth;
}

Status check_options(const IndexOptions& options) noexcept {
  const auto bad = [](const char* text, std::uint64_t given) {
    return Status(Code::invalid_argument, text, 0, given);
  };
  if (options.dimension < 1 || options.dimension > kMaxDimension) {
    return bad("dimension: expected 1 to 65535, given {b}", options.dimension);
  }
  if (options.M < 2 || options.M > 256) return bad("M: expected 2 to 256, given {b}", options.M);
  if (options.ef_construction < 1 || options.ef_construction > 65536) {
    return bad("ef_construction: expected 1 to 65536, given {b}", options.ef_construction);
  }
  if (options.ef < 1 || options.ef > 1048576) {
    return bad("ef: expected 1 to 1048576, given {b}", options.ef);
  }
  if (options.metric > Metric::custom) {
    return bad("metric: no metric has number {b}", static_cast<std::uint64_t>(options.metric));
  }
  if (options.scalar > Scalar::b1) {
    return bad("scalar: no type has number {b}", static_cast<std::uint64_t>(options.scalar));
  }
  if (options.codes > Codes::sq8) {
    return bad("codes: none has number {b}", static_cast<std::uint64_t>(options.codes));
  }
  const bool bits = options.scalar == Scalar::b1;
  const bool of_bits = options.metric == Metric::hamming || options.metric == Metric::jaccard;
  if (of_bits && !bits) {
    return bad("metric: hamming and jaccard expect scalar b1, given another", 0);
  }
  if (bits && !of_bits && options.metric != Metric::custom) {
    return bad("metric: scalar b1 expects hamming, jaccard or custom, given another", 0);
  }
  if (options.metric == Metric::haversine && options.scalar != Scalar::f32) {
    return bad("scalar: haversine expects f32, given another", 0);
  }
  if (options.metric == Metric::haversine && options.dimension != 2) {
    return bad("dimension: haversine expects 2, given {b}", options.dimension);
  }
  if (options.codes == Codes::sq8 &&
      (options.metric == Metric::haversine || options.metric == Metric::custom)) {
    return bad("codes: sq8 expects metric l2, ip or cosine, given another", 0);
  }
  if (options.metric == Metric::custom && options.custom.call == nullptr) {
    return bad("custom: metric custom expects a function, given none", 0);
  }
  return {};
}

Status check_vectors(const IndexOptions& index, VectorView vector) noexcept {
  return check_storable(vector, index.scalar, index.dimension);
}

Status check_vectors(const IndexOptions& index, MatrixView vectors) noexcept {
  if (vectors.rows() == 0) return {};
  if (vectors.dimension() != index.dimension) {
    return Status(Code::invalid_argument, "expected dimension {a}, given {b}", index.dimension,
                  vectors.dimension());
  }
  for (std::size_t i = 0; i < vectors.rows(); ++i) {
    const Status status = check_vectors(index, vectors.row(i));
    if (status.ok()) continue;
    if (vectors.rows() == 1) return status;
    // A sentence of its own for each, so that the row is named beside the component.
    struct Wording {
      const char* of_vector;
      const char* of_row;
    };
    static constexpr Wording kWordings[] = {
        {"component {a} is not a finite number", "row {b}: component {a} is not a finite number"},
        {"component {a} is beyond the range of f16",
         "row {b}: component {a} is beyond the range of f16"},
        {"component {a} is beyond the range of bf16",
         "row {b}: component {a} is beyond the range of bf16"},
        {"component {a} is not a whole number from -128 to 127, as i8 expects",
         "row {b}: component {a} is not a whole number from -128 to 127, as i8 expects"},
        {"component {a} is not a whole number from 0 to 255, as u8 expects",
         "row {b}: component {a} is not a whole number from 0 to 255, as u8 expects"},
    };
    for (const Wording& wording : kWordings) {
      if (std::strcmp(status.text(), wording.of_vector) == 0) {
        return Status(status.code(), wording.of_row, status.a(), i);
      }
    }
    return status;
  }
  return {};
}

Engine::Engine(const IndexOptions& options, KeyOrder order)
    : options_(options),
      order_(order),
      exact_(options.metric, options.scalar, options.dimension, options.custom) {
  if (options.codes == Codes::sq8 && !is_byte_like(options.scalar)) {
    sq8_.emplace(options.metric, options.dimension);
  }
}

Engine::~Engine() {
  delete storage_.load(std::memory_order_relaxed);
}

Result<std::unique_ptr<Engine>> Engine::create(const IndexOptions& options, KeyOrder order) {
  if (Status status = check_options(options); !status.ok()) return status;
  std::unique_ptr<Engine> engine(new (std::nothrow) Engine(options, order));
  if (engine == nullptr) return Status(Code::out_of_memory, "no memory for the index");
  auto storage = Storage::create(engine->shape(), Storage::capacity_for(0));
  if (!storage) return storage.status();
  engine->storage_.store(storage->release(), std::memory_order_release);
  return engine;
}

StorageShape Engine::shape() const noexcept {
  return StorageShape{exact_.stride(), sq8_ ? sq8_->stride() : 0, options_.M, options_.seed};
}

// -- scorers --------------------------------------------------------------------------------------

Scorer Engine::exact_scorer(const Storage& storage, VectorView query,
                            std::byte* scratch) const noexcept {
  return Scorer{exact_.prepare(query, scratch), exact_.rows(storage.vectors.base()),
                storage.unchecked_vectors()};
}

Scorer Engine::code_scorer(const Storage& storage, VectorView query,
                           std::byte* scratch) const noexcept {
  if (!sq8_) return exact_scorer(storage, query, scratch);
  return Scorer{sq8_->prepare(query, scratch), sq8_->rows(storage.codes.base()),
                storage.unchecked_codes()};
}

Scorer Engine::node_scorer(const Storage& storage, Slot slot, std::byte* scratch) const noexcept {
  Scorer scorer;
  scorer.unchecked = storage.unchecked_codes();
  scorer.rows = sq8_ ? sq8_->rows(storage.codes.base()) : exact_.rows(storage.vectors.base());
  if (scorer.unchecked != nullptr && !scorer.unchecked->admit(&slot, 1)) [[unlikely]] {
    scorer.code.kernel = score_nothing;
  } else {
    scorer.code = sq8_ ? sq8_->prepare_row(storage.code(slot), scratch)
                       : exact_.prepare_row(storage.vector(slot), scratch);
  }
  return scorer;
}

std::size_t Engine::code_scratch() const noexcept {
  return std::max(exact_.scratch_bytes(), sq8_ ? sq8_->scratch_bytes() : 0);
}

// -- checking and reserving -----------------------------------------------------------------------

void Engine::store(VectorView vector, std::byte* out) const noexcept {
  convert(vector, options_.scalar, out);
}

Status Engine::reserve(std::size_t upserts, Linking linking) {
  std::lock_guard lock(write_mutex_);
  return reserve_locked(upserts, linking);
}

void Engine::release(std::size_t upserts) noexcept {
  std::lock_guard lock(write_mutex_);
  SKERRY_ASSERT(upserts <= reserved_);
  reserved_ -= upserts;
}

// What is linked later takes slots that were never used, so the free ones do not count for it.
Status Engine::reserve_locked(std::size_t upserts, Linking linking) {
  if (read_only_) return Status(Code::read_only, "the index was opened for reading only");
  reclaim();
  Storage* storage = storage_.load(std::memory_order_relaxed);
  const std::uint64_t used = storage->used.load(std::memory_order_relaxed);
  const std::uint64_t wanted = reserved_ + upserts;
  const std::uint64_t free = keeps_rows_ || linking == Linking::later ? 0 : free_slots_.count;
  const std::uint64_t fresh = wanted > free ? wanted - free : 0;
  const std::uint64_t slots = used + fresh;
  if (slots > kMaxSlots) {
    return Status(Code::out_of_memory, "an index holds at most 2147483647 vectors");
  }
  const auto target = static_cast<std::uint32_t>(slots);

  Status status = fresh_.reserve(upserts);
  if (status.ok()) status = reserve_link_scratch(link_scratch_, target);
  if (status.ok()) status = reserve_rescue(target);
  if (status.ok() &&
      (linking_ || live_.load(std::memory_order_relaxed) + wanted > options_.flat_below))
    status = departures_.reserve();
  if (status.ok() && departures_.is_reserved()) status = displaced_.reserve();
  if (!status.ok()) return status;

  if (target > storage->capacity) {
    try {
      old_storages_.reserve(old_storages_.size() + 1);
    } catch (const std::bad_alloc&) {
      return Status(Code::out_of_memory, "no memory for the index");
    }
    auto larger = Storage::create(shape(), Storage::capacity_for(slots));
    if (!larger) return larger.status();
    status = (*larger)->copy_from(*storage);
    if (status.ok()) status = (*larger)->grow(target);
    if (!status.ok()) return status;
    Storage* fresh_storage = larger->release();
    schedule_point("storage: exchange");
    storage_.store(fresh_storage, std::memory_order_release);
    old_storages_.push_back(OldStorage{std::unique_ptr<Storage>(storage), epoch_tag()});
    storage = fresh_storage;
  } else {
    status = storage->grow(target);
    if (!status.ok()) return status;
  }
  status =
      directory_.reserve(live_.load(std::memory_order_relaxed) + wanted, storage->states.data());
  if (!status.ok()) return status;
  reserved_ += upserts;
  return {};
}

// -- publishing -----------------------------------------------------------------------------------

std::uint64_t Engine::publish(const Changes& changes, std::uint64_t sequence,
                              std::uint32_t threads) noexcept {
  std::lock_guard lock(write_mutex_);
  return publish_locked(changes, sequence, threads);
}

void Engine::publish(const Changes& upserts, std::span<const Key> removals, std::uint64_t sequence,
                     std::uint32_t threads, Linking linking) noexcept {
  std::lock_guard lock(write_mutex_);
  SKERRY_ASSERT(sequence > visible_.load(std::memory_order_relaxed) && !upserts.removal);
  reclaim();
  SlotList replaced;
  SlotList removed;
  if (!upserts.keys.empty()) make_slots(upserts, sequence, threads, linking, replaced);
  end_slots(removals, sequence, removed);
  show(sequence, removed);
  settle(replaced, linking);
  settle(removed, linking);
}

std::uint64_t Engine::publish_locked(const Changes& changes, std::uint64_t sequence,
                                     std::uint32_t threads) noexcept {
  SKERRY_ASSERT(sequence > visible_.load(std::memory_order_relaxed));
  reclaim();
  SlotList departed;
  if (changes.removal) {
    end_slots(changes.keys, sequence, departed);
    const std::uint64_t removed = departed.count;
    show(sequence, departed);
    settle(departed, Linking::now);
    return removed;
  }
  make_slots(changes, sequence, threads, Linking::now, departed);
  show(sequence, {});
  settle(departed, Linking::now);
  return 0;
}

Slot Engine::take_slot(Linking linking) noexcept {
  Storage& storage = writable();
  if (free_slots_.count != 0 && !keeps_rows_ && linking == Linking::now) {
    const Slot slot = free_slots_.head;
    free_slots_.head = storage.states[slot].link.load(std::memory_order_relaxed);
    if (--free_slots_.count == 0) free_slots_.tail = kNoSlot;
    return slot;
  }
  const Slot slot = storage.used.load(std::memory_order_relaxed);
  SKERRY_ASSERT(slot < storage.usable);
  storage.used.store(slot + 1, std::memory_order_release);
  return slot;
}

void Engine::make_slots(const Changes& changes, std::uint64_t sequence, std::uint32_t threads,
                        Linking linking, SlotList& departed) noexcept {
  const std::size_t count = changes.keys.size();
  SKERRY_ASSERT(count <= reserved_ && count <= fresh_.size());
  if (is_broken_by(Fault::shown_before_written)) visible_.store(sequence);
  Storage& storage = writable();
  const Slot first_unused = storage.used.load(std::memory_order_relaxed);
  std::uint64_t added = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Slot slot = take_slot(linking);
    SlotState& state = storage.states[slot];
    const VectorView vector = changes.vectors.row(i);
    // A block is looked at before a byte of it changes. What is damaged and cannot be mended now
    // will be, by rows of the store, this one's among them.
    storage.checked_vectors.admit(&slot, 1);
    storage.checked_codes.admit(&slot, 1);
    // The slot is nobody's: whoever could have seen it has left, and nobody can see it yet.
    SKERRY_DEBUG_ASSERT(state.born.load(std::memory_order_relaxed) == 0 &&
                        storage.flags[slot] == 0);
    schedule_point("slot: row");
    exact_.encode(vector, storage.vector(slot));
    if (sq8_) sq8_->encode(vector, storage.code(slot));

    const Key key = changes.keys[i];
    const Slot old = newest(key);
    Slot before = kNoSlot;
    if (old != kNoSlot && !storage.states[old].is_dead()) {
      SlotState& previous = storage.states[old];
      // A version of this very batch was never seen: readers go on to the one before it.
      before = previous.born.load(std::memory_order_relaxed) == sequence
                   ? previous.link.load(std::memory_order_relaxed)
                   : old;
      change(old);
      departures_.add(old, sequence);
      schedule_point("slot: dies");
      previous.died.store(sequence, std::memory_order_release);
      push(departed, old, storage);
    } else {
      ++added;
    }
    schedule_point("slot: made");
    state.died.store(0, std::memory_order_release);
    schedule_point("slot: key");
    state.key.store(key, std::memory_order_relaxed);
    state.link.store(before, std::memory_order_relaxed);
    state.in_links = 0;
    schedule_point("slot: is born");
    state.born.store(sequence, std::memory_order_release);
    directory_.put(key, slot, storage.states.data());
    fresh_[i] = slot;
  }
  reserved_ -= count;
  const std::uint64_t live = live_.load(std::memory_order_relaxed) + added;
  schedule_point("live: more");
  live_.store(live, std::memory_order_release);

  if (!linking_ && live > options_.flat_below) linking_ = true;
  if (!linking_) return;
  if (linking == Linking::later) return join_backlog(first_unused);
  link_slots(std::span<const Slot>(fresh_.data(), count), threads);
  // A small collection that has just outgrown its scan is linked some nodes at a time, so that no
  // single insert pays for all. One behind a graph is looked after by its owner, and ends anyway.
  work_off(graph_.load(std::memory_order_relaxed) ? count : std::uint64_t{count} * 8, threads);
}

void Engine::end_slots(std::span<const Key> removals, std::uint64_t sequence,
                       SlotList& departed) noexcept {
  Storage& storage = writable();
  for (const Key key : removals) {
    const Slot slot = newest(key);
    if (slot == kNoSlot || storage.states[slot].is_dead()) continue;
    change(slot);
    departures_.add(slot, sequence);
    schedule_point("slot: is removed");
    storage.states[slot].died.store(sequence, std::memory_order_release);
    push(departed, slot, storage);
  }
  live_.fetch_sub(departed.count, std::memory_order_release);
}

// One store makes all of it visible; then the directory forgets the removed keys.
void Engine::show(std::uint64_t sequence, const SlotList& removed) noexcept {
  Storage& storage = writable();
  schedule_point("show");
  // The number only rises: what a reader has seen stays seen.
  SKERRY_DEBUG_ASSERT(visible_.load(std::memory_order_relaxed) < sequence ||
                      is_broken_by(Fault::shown_before_written));
  visible_.store(sequence, std::memory_order_release);
  schedule_point("shown");
  for (Slot slot = removed.head; slot != kNoSlot;) {
    const SlotState& state = storage.states[slot];
    directory_.erase(state.key.load(std::memory_order_relaxed), slot, storage.states.data());
    slot = state.link.load(std::memory_order_relaxed);
  }
}

// The departed are invisible now: take them out of the graph, or let them wait for that, and let
// their slots go.
void Engine::settle(SlotList& departed, Linking linking) noexcept {
  Storage& storage = writable();
  tombstones_.fetch_add(departed.count, std::memory_order_relaxed);
  const std::uint64_t count = departed.count;
  if (count != 0 && linking_ && live_.load(std::memory_order_relaxed) == 0) {
    for (Slot slot = departed.head; slot != kNoSlot;) {
      const Slot next = storage.states[slot].link.load(std::memory_order_relaxed);
      if ((storage.flags[slot] & kLinked) == 0) push(retired_, slot, storage);
      slot = next;
    }
    drop_graph();
  } else {
    for (Slot slot = departed.head; slot != kNoSlot;) {
      const Slot next = storage.states[slot].link.load(std::memory_order_relaxed);
      if ((storage.flags[slot] & kLinked) == 0) {
        push(retired_, slot, storage);
      } else if (linking == Linking::later) {
        push(leaving_, slot, storage);
      } else {
        erase_from_graph(slot);
      }
      slot = next;
    }
    if (dead_linked_ != 0 && linking == Linking::now)
      sweep(static_cast<std::uint32_t>(std::min<std::uint64_t>(count, 1 << 20)));
  }
  reclaim();
}

std::uint64_t Engine::sequence() const noexcept {
  return visible_.load(std::memory_order_acquire);
}

// -- the three steps in a row
// -----------------------------------------------------------------------

Status Engine::check_write(const Changes& changes) const noexcept {
  if (inside_filter()) {
    return Status(Code::invalid_argument, "a filter's callback may read but not write");
  }
  if (read_only_) return Status(Code::read_only, "the index was opened for reading only");
  if (changes.removal) return {};
  if (changes.keys.size() != changes.vectors.rows()) {
    return Status(Code::invalid_argument, "expected one key a vector: {a} keys, {b} vectors",
                  changes.keys.size(), changes.vectors.rows());
  }
  return check_vectors(options_, changes.vectors);
}

Status Engine::upsert(const Changes& changes, std::uint32_t threads) {
  if (Status status = check_write(changes); !status.ok()) return status;
  if (changes.keys.empty()) return {};
  std::lock_guard lock(write_mutex_);
  if (Status status = reserve_locked(changes.keys.size()); !status.ok()) return status;
  publish_locked(changes, visible_.load(std::memory_order_relaxed) + 1, threads);
  return {};
}

Status Engine::insert(const Changes& changes, std::uint32_t threads) {
  if (Status status = check_write(changes); !status.ok()) return status;
  if (changes.keys.empty()) return {};
  std::lock_guard lock(write_mutex_);
  for (std::size_t i = 0; i < changes.keys.size(); ++i) {
    const Slot slot = newest(changes.keys[i]);
    if (slot != kNoSlot && !writable().states[slot].is_dead()) {
      return changes.keys.size() == 1
                 ? Status(Code::already_exists, "the key is present")
                 : Status(Code::already_exists, "row {b}: the key is present", 0, i);
    }
  }
  if (Status status = reserve_locked(changes.keys.size()); !status.ok()) return status;
  publish_locked(changes, visible_.load(std::memory_order_relaxed) + 1, threads);
  return {};
}

Result<std::uint64_t> Engine::remove(const Changes& changes) {
  if (Status status = check_write(changes); !status.ok()) return status;
  if (changes.keys.empty()) return std::uint64_t{0};
  std::lock_guard lock(write_mutex_);
  return publish_locked(changes, visible_.load(std::memory_order_relaxed) + 1, 1);
}

// -- reading --------------------------------------------------------------------------------------

// The writer's look: the newest version, dead or alive.
Slot Engine::newest(Key key) const noexcept {
  return directory_.find(key, [this] { return writable().states.data(); });
}

// Which version of the key does a reader of `sequence` see, if the directory names `slot`? `stale`:
// two writes went by since the number was read, and it cannot be told any more.
Slot Engine::version_at(const Storage& storage, Slot slot, Key key, std::uint64_t sequence,
                        bool& stale) noexcept {
  const SlotState& state = storage.states[slot];
  if (state.visible(sequence)) return slot;
  if (state.born.load(std::memory_order_acquire) <= sequence) return kNoSlot;  // it died
  // A write is on its way: what is visible is the version before, or none. Once a slot has died its
  // link serves the writer's lists; died is set first, so it tells.
  schedule_point("slot: before");
  const Slot before = state.link.load(std::memory_order_acquire);
  schedule_point("slot: dead?");
  if (state.is_dead()) {
    stale = true;
    return kNoSlot;
  }
  if (before == kNoSlot) return kNoSlot;
  const SlotState& previous = storage.states[before];
  if (previous.key.load(std::memory_order_relaxed) == key && previous.visible(sequence)) {
    return before;
  }
  stale = true;
  return kNoSlot;
}

// The slot in which a reader of this moment sees the key, or kNoSlot. Under an EpochGuard.
Slot Engine::find(Key key, const Storage*& storage) const noexcept {
  SKERRY_DEBUG_ASSERT(is_inside_epoch());
  for (;;) {
    schedule_point("find: number");
    const std::uint64_t sequence = visible_.load(std::memory_order_acquire);
    const Slot slot = directory_.find(key, [&] {
      schedule_point("find: storage");
      storage = storage_.load(std::memory_order_acquire);
      return storage->states.data();
    });
    if (slot == kNoSlot) return kNoSlot;
    bool stale = false;
    const Slot seen = version_at(*storage, slot, key, sequence, stale);
    if (!stale) return seen;
  }
}

bool Engine::contains(Key key) const noexcept {
  EpochGuard guard;
  const Storage* storage = nullptr;
  return find(key, storage) != kNoSlot;
}

std::uint64_t Engine::size() const noexcept {
  return live_.load(std::memory_order_acquire);
}

// Calls read(row) with the exact row of the key, once the row may be read.
template <class Read>
Status Engine::read_row(Key key, Read read) const noexcept {
  for (int attempt = 0; attempt <= kMendingAttempts; ++attempt) {
    {
      EpochGuard guard;
      const Storage* storage = nullptr;
      const std::uint64_t mended = this->mended();
      const Slot slot = find(key, storage);
      if (slot == kNoSlot) return Status(Code::not_found, "no such key");
      CheckedRows* const unchecked = storage->unchecked_vectors();
      if (unchecked == nullptr) [[likely]] {
        read(storage->vector(slot));
        return {};
      }
      CheckedRows::set_trouble(CheckedRows::Look::whole);
      const bool admitted = unchecked->admit(&slot, 1);
      if (CheckedRows::trouble() == CheckedRows::Look::lost) return rows_failed();
      if (admitted && mended == this->mended()) {
        read(storage->vector(slot));
        return {};
      }
    }
    std::this_thread::yield();
  }
  return rows_busy();
}

Status Engine::get(Key key, std::span<float> out) const noexcept {
  if (out.size() != options_.dimension) {
    return Status(Code::invalid_argument, "expected room for {a} components, given {b}",
                  options_.dimension, out.size());
  }
  return read_row(key, [&](const std::byte* row) { to_floats(exact_.vector(row), out.data()); });
}

Status Engine::get_bytes(Key key, std::span<std::byte> out) const noexcept {
  const std::size_t bytes = vector_bytes(options_.scalar, options_.dimension);
  if (out.size() != bytes) {
    return Status(Code::invalid_argument, "expected room for {a} bytes, given {b}", bytes,
                  out.size());
  }
  return read_row(key, [&](const std::byte* row) { std::memcpy(out.data(), row, bytes); });
}

Status Engine::for_each(FunctionRef<bool(Key)> visit) const {
  EpochGuard guard;
  const View view = this->view();
  const std::uint32_t used = view.storage->used.load(std::memory_order_acquire);
  for (Slot slot = 0; slot < used; ++slot) {
    const SlotState& state = view.storage->states[slot];
    if (!state.visible(view.sequence)) continue;
    if (!visit(state.key.load(std::memory_order_relaxed))) break;
  }
  return {};
}

IndexStats Engine::stats() const {
  EpochGuard guard;
  std::lock_guard lock(write_mutex_);
  const Storage& storage = writable();
  IndexStats stats;
  stats.live = live_.load(std::memory_order_relaxed);
  stats.tombstones = tombstones_.load(std::memory_order_relaxed);
  stats.free_slots = free_slots_.count;
  stats.vector_bytes = storage.vectors.committed();
  stats.code_bytes = storage.codes.committed();
  stats.link_bytes = storage.layer0.committed_bytes() + storage.upper.committed_bytes() +
                     storage.upper_offsets.committed_bytes();
  stats.other_bytes =
      storage.states.committed_bytes() + storage.flags.committed_bytes() + directory_.bytes();
  stats.has_graph = graph_.load(std::memory_order_relaxed);
  const Slot from = linked_until_.load(std::memory_order_relaxed);
  const Slot until = backlog_until_.load(std::memory_order_relaxed);
  stats.backlog = leaving_.count + (from < until ? until - from : 0);
  const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
  if (stats.has_graph && entry != Storage::kNoEntry) {
    stats.levels = static_cast<std::uint32_t>(entry >> 32) + 1;
  }
  stats.sequence = visible_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace skerry

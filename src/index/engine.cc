#include "index/engine.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <thread>

#include "base/assert.h"
#include "base/epoch.h"
#include "base/watch.h"
#include "quant/convert.h"

namespace skerry {
namespace {

constexpr std::size_t kWorthEncoding = 64;  // vectors: some 300 us of 384 dimensions

thread_local std::uint32_t t_filter_depth = 0;

// From a row that may not be read, everything is infinitely far away.
void score_nothing(const simd::Query&, const simd::Rows&, const std::uint32_t*, std::size_t count,
                   float* out) {
  std::fill_n(out, count, std::numeric_limits<float>::infinity());
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
  if (options.codes > Codes::automatic) {
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
  if (options.metric == Metric::haversine || options.metric == Metric::custom) {
    if (options.codes == Codes::sq8) {
      return bad("codes: sq8 expects metric l2, ip or cosine, given another", 0);
    }
    if (options.codes == Codes::rot4) {
      return bad("codes: rot4 expects metric l2, ip or cosine, given another", 0);
    }
  }
  if (options.metric == Metric::custom && options.custom.call == nullptr) {
    return bad("custom: metric custom expects a function, given none", 0);
  }
  if (options.vectors > Vectors::disk) {
    return bad("vectors: no place has number {b}", static_cast<std::uint64_t>(options.vectors));
  }
  if (options.vectors == Vectors::disk && options.codes == Codes::exact) {
    return bad("codes: vectors on disk expect sq8 or rot4 beside them, given exact", 0);
  }
  if (options.vectors == Vectors::disk && !ShortCodes::fit(options.scalar)) {
    return bad("scalar: vectors on disk expect f32, f16 or bf16, given another", 0);
  }
  if (options.vectors == Vectors::disk && !ShortCodes::fit(options.metric)) {
    return bad("metric: vectors on disk expect l2, ip or cosine, given another", 0);
  }
  return {};
}

Status check_folder(const IndexOptions& options, const std::filesystem::path& folder) noexcept {
  if (options.vectors == Vectors::memory || !folder.empty()) return {};
  return Status(Code::invalid_argument, "vectors: on disk they expect a folder, given none");
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

Engine::Engine(const IndexOptions& options, KeyOrder order, const std::filesystem::path& folder)
    : options_(options),
      order_(order),
      exact_(options.metric, options.scalar, options.dimension, options.custom) {
  if (options.codes != Codes::automatic) chosen_ = options.codes;
  if (options.vectors == Vectors::disk) folder_ = folder;
}

Engine::~Engine() {
  delete storage_.load(std::memory_order_relaxed);
}

Result<std::unique_ptr<Engine>> Engine::create(const IndexOptions& options, KeyOrder order,
                                               const std::filesystem::path& folder) try {
  Status status = check_options(options);
  if (status.ok()) status = check_folder(options, folder);
  if (!status.ok()) return status;
  std::unique_ptr<Engine> engine(new (std::nothrow) Engine(options, order, folder));
  if (engine == nullptr) return Status(Code::out_of_memory, "no memory for the index");
  auto storage = Storage::create(engine->shape_of(ShortCodes::of(options)),
                                 Storage::capacity_for(0), engine->folder_);
  if (!storage) return storage.status();
  engine->storage_.store(storage->release(), std::memory_order_release);
  return engine;
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory for the index");
}

StorageShape Engine::shape_of(const std::optional<ShortCodes>& codes) const noexcept {
  return StorageShape{exact_.stride(), codes ? codes->stride() : 0, options_.M, options_.seed,
                      codes};
}

// -- scorers --------------------------------------------------------------------------------------

Scorer Engine::exact_scorer(const Storage& storage, VectorView query,
                            std::byte* scratch) const noexcept {
  return Scorer{exact_.prepare(query, scratch), exact_.rows(storage.vectors.base()),
                storage.unchecked_vectors(), storage.read_ahead()};
}

Scorer Engine::code_scorer(const Storage& storage, VectorView query,
                           std::byte* scratch) const noexcept {
  const std::optional<ShortCodes>& codes = storage.shape.codes;
  if (!codes) return exact_scorer(storage, query, scratch);
  return Scorer{codes->prepare(query, scratch), codes->rows(storage.codes.base()),
                storage.unchecked_codes()};
}

// A node as the query of a walk.
Scorer Engine::node_scorer(const Storage& storage, Slot slot, std::byte* scratch) const noexcept {
  const std::optional<ShortCodes>& codes = storage.shape.codes;
  if (!codes) return edge_scorer(storage, slot, scratch);
  const bool by_code = codes->choose_links();
  Scorer scorer;
  scorer.unchecked = storage.unchecked_codes();
  scorer.rows = codes->rows(storage.codes.base());
  CheckedRows* const read = by_code ? scorer.unchecked : storage.unchecked_vectors();
  if (read != nullptr && !read->admit(&slot, 1)) [[unlikely]] {
    scorer.code.kernel = score_nothing;
  } else {
    scorer.code = by_code ? codes->prepare_row(storage.code(slot), scratch)
                          : codes->prepare(exact_.vector(storage.vector(slot)), scratch);
  }
  return scorer;
}

// How far nodes are from each other when links are chosen: on codes that can tell, or exactly.
Scorer Engine::edge_scorer(const Storage& storage, Slot slot, std::byte* scratch) const noexcept {
  if (storage.shape.codes && storage.shape.codes->choose_links()) {
    return node_scorer(storage, slot, scratch);
  }
  return exact_node_scorer(storage, slot, scratch);
}

Scorer Engine::exact_node_scorer(const Storage& storage, Slot slot,
                                 std::byte* scratch) const noexcept {
  Scorer scorer;
  scorer.unchecked = storage.unchecked_vectors();
  scorer.ahead = storage.read_ahead();
  scorer.rows = exact_.rows(storage.vectors.base());
  if (scorer.unchecked != nullptr && !scorer.unchecked->admit(&slot, 1)) [[unlikely]] {
    scorer.code.kernel = score_nothing;
  } else {
    scorer.code = exact_.prepare_row(storage.vector(slot), scratch);
  }
  return scorer;
}

std::size_t Engine::code_scratch(const Storage& storage) const noexcept {
  const std::optional<ShortCodes>& codes = storage.shape.codes;
  return std::max(exact_.scratch_bytes(), codes ? codes->scratch_bytes() : 0);
}

// -- checking and reserving -----------------------------------------------------------------------

void Engine::store(VectorView vector, std::byte* out) const noexcept {
  convert(vector, options_.scalar, out);
}

Status Engine::reserve(std::size_t upserts, Linking linking, const MatrixView& coming) {
  WriterLock lock(write_mutex_);
  be_alone(lock);
  return reserve_locked(upserts, linking, own_scratch_, &coming);
}

Status Engine::make_room(std::size_t upserts) {
  WriterLock lock(write_mutex_);
  be_alone(lock);
  Status status = reserve_locked(upserts, Linking::now, own_scratch_, nullptr);
  if (status.ok()) reserved_ -= upserts;  // the memory stays
  return status;
}

void Engine::release(std::size_t upserts) noexcept {
  const WriterLock lock(write_mutex_);
  SKERRY_ASSERT(upserts <= reserved_);
  reserved_ -= upserts;
}

// How many slots there must be for `upserts` more. What is linked later takes slots that were never
// used, so the free ones do not count for it.
std::uint64_t Engine::slots_for(std::size_t upserts, Linking linking) const noexcept {
  const std::uint64_t wanted = reserved_ + upserts;
  const std::uint64_t free = keeps_rows_ || linking == Linking::later ? 0 : free_slots_.count;
  return writable().used.load(std::memory_order_relaxed) + (wanted > free ? wanted - free : 0);
}

// Alone, or when the storage has the capacity and the graph is there. `coming` is null when nothing
// is published by this: then no codes are chosen.
Status Engine::reserve_locked(std::size_t upserts, Linking linking, LinkScratch& scratch,
                              const MatrixView* coming) {
  if (read_only_) return Status(Code::read_only, "the index was opened for reading only");
  reclaim();
  const std::uint64_t wanted = reserved_ + upserts;
  const std::uint64_t slots = slots_for(upserts, linking);
  if (slots > kMaxSlots) {
    return Status(Code::out_of_memory, "an index holds at most 2147483647 vectors");
  }
  const auto target = static_cast<std::uint32_t>(slots);

  // What only a graph needs: a scanned index of a few vectors would be scratch for the most part.
  const bool links =
      linking_ || live_.load(std::memory_order_relaxed) + wanted > options_.flat_below;
  Status status;
  if (links && !chosen_ && coming != nullptr) status = settle_codes(*coming, slots, scratch);
  Storage* storage = storage_.load(std::memory_order_relaxed);
  if (status.ok()) status = scratch.fresh.reserve(wanted);
  if (status.ok()) status = scratch.code.reserve(code_scratch(*storage));
  if (links) {
    const bool whole = graph_.load(std::memory_order_relaxed) && !has_backlog_locked();
    const bool one_by_one = whole && linking == Linking::now;
    if (status.ok()) status = reserve_link_scratch(scratch, target);
    if (status.ok()) status = reserve_plans(scratch, one_by_one ? wanted : kTogether);
    if (status.ok()) status = departures_.reserve();
    if (status.ok()) status = displaced_.reserve();
  }
  if (!status.ok()) return status;

  const std::lock_guard linking_stops(link_mutex_);
  if (links) status = reserve_rescue(target);
  if (status.ok() && links) status = reserve_list_scratch(repair_);
  if (!status.ok()) return status;
  if (target > storage->capacity) {
    status = replace_storage(storage->shape.codes, slots, scratch);
    if (!status.ok()) return status;
    storage = storage_.load(std::memory_order_relaxed);
  }
  status = storage->grow(target);
  if (!status.ok()) return status;
  status =
      directory_.reserve(live_.load(std::memory_order_relaxed) + wanted, storage->states.data());
  if (!status.ok()) return status;
  reserved_ += upserts;
  return {};
}

// Alone. There will be a graph, so what it is walked by is settled now. A reader has the codes of
// the storage that he reads (StorageShape): one who holds the storage without codes scans it, for
// it never gets an entry point.
Status Engine::settle_codes(const MatrixView& coming, std::uint64_t slots, LinkScratch& scratch) {
  const Result<Codes> choice = choose(coming);
  if (!choice.ok()) return choice.status();
  if (const std::optional<ShortCodes> codes = ShortCodes::of(options_, *choice)) {
    SKERRY_ASSERT(writable().entry.load(std::memory_order_relaxed) == Storage::kNoEntry);
    const std::lock_guard linking_stops(link_mutex_);
    const std::uint64_t room = std::max<std::uint64_t>(slots, writable().capacity);
    Status status = scratch.code.reserve(codes->scratch_bytes());
    if (status.ok()) status = replace_storage(codes, room, scratch);
    if (!status.ok()) return status;
  }
  chosen_ = *choice;
  return {};
}

// Alone, with the link lock. By one with room for `slots` and with these codes, which are those of
// before or, when there were none, are made for all that is there.
Status Engine::replace_storage(const std::optional<ShortCodes>& codes, std::uint64_t slots,
                               LinkScratch& scratch) {
  SKERRY_ASSERT(active_ == 0);
  Storage* const storage = storage_.load(std::memory_order_relaxed);
  try {
    old_storages_.reserve(old_storages_.size() + 1);
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory for the index");
  }
  auto larger = Storage::create(shape_of(codes), Storage::capacity_for(slots), folder_);
  if (!larger) return larger.status();
  Storage& fresh = **larger;
  if (Status status = fresh.copy_from(*storage); !status.ok()) return status;
  if (codes && !storage->shape.codes) {
    const Slot used = fresh.used.load(std::memory_order_relaxed);
    for (Slot slot = 0; slot < used; ++slot) {
      codes->encode(exact_.vector(fresh.vector(slot)), fresh.code(slot), scratch.code.data());
    }
  }
  schedule_point("storage: exchange");
  storage_.store(larger->release(), std::memory_order_release);
  old_storages_.push_back(OldStorage{std::unique_ptr<Storage>(storage), epoch_tag()});
  return {};
}

// -- publishing -----------------------------------------------------------------------------------

void Engine::publish(std::span<const Publication> steps, std::uint32_t threads,
                     Linking linking) noexcept {
  WriterLock lock(write_mutex_);
  be_alone(lock);
  Watch nobody{Control()};
  static_cast<void>(publish_locked(steps, threads, linking, own_scratch_, nobody));
}

// Alone. Returns how many removals met a live key. A single step of upserts may be stopped.
Result<std::uint64_t> Engine::publish_locked(std::span<const Publication> steps,
                                             std::uint32_t threads, Linking linking,
                                             LinkScratch& scratch, Watch& watch) noexcept {
  SKERRY_ASSERT(!steps.empty() &&
                steps.front().sequence > visible_.load(std::memory_order_relaxed));
  reclaim();
  SlotList departed;
  std::uint64_t removed = 0;
  std::size_t made = 0;
  const Slot first_unused = writable().used.load(std::memory_order_relaxed);
  for (const Publication& step : steps) {
    if (step.changes.removal) {
      removed += end_slots(step.changes.keys, step.sequence, departed);
    } else {
      make_slots(step.changes, step.sequence, linking, threads, scratch, departed,
                 std::span(scratch.fresh.data() + made, step.changes.keys.size()));
      made += step.changes.keys.size();
    }
  }
  if (made != 0) {
    if (!linking_ && live_.load(std::memory_order_relaxed) > options_.flat_below) linking_ = true;
    SKERRY_ASSERT(!linking_ || chosen_);
    if (linking_ && linking == Linking::later) {
      join_backlog(first_unused);
    } else if (linking_) {
      link_slots(std::span<const Slot>(scratch.fresh.data(), made), threads, scratch, watch);
      // A small collection that has just outgrown its scan is linked some nodes at a time, so that
      // no single insert pays for all. One behind a graph is looked after by its owner, and ends
      // anyway.
      work_off(graph_.load(std::memory_order_relaxed) ? made : std::uint64_t{made} * 8, threads,
               scratch, watch);
    }
    if (const Status status = watch.finish(); !status.ok()) {
      settle(withdraw(std::span<const Slot>(scratch.fresh.data(), made), steps.front().sequence),
             linking);
      return status;
    }
  }
  show(steps.back().sequence, departed);
  settle(departed, linking);
  return removed;
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

// Who was visible to nobody yet.
bool Engine::is_unseen(Slot slot) const noexcept {
  return writable().states[slot].born.load(std::memory_order_relaxed) >
         visible_.load(std::memory_order_relaxed);
}

// Into `fresh` go the slots, which are not linked.
void Engine::make_slots(const Changes& changes, std::uint64_t sequence, Linking linking,
                        std::uint32_t threads, LinkScratch& scratch, SlotList& departed,
                        std::span<Slot> fresh) noexcept {
  const std::size_t count = changes.keys.size();
  SKERRY_ASSERT(!changes.removal && count <= reserved_);
  if (is_broken_by(Fault::shown_before_written)) visible_.store(sequence);
  Storage& storage = writable();
  const std::optional<ShortCodes>& codes = storage.shape.codes;
  const std::unique_lock keeping = lock_for_snapshot();
  for (Slot& slot : fresh) {
    slot = take_slot(linking);
    // A block is looked at before a byte of it changes. What is damaged and cannot be mended now
    // will be, by rows of the store, this one's among them.
    storage.checked_vectors.admit(&slot, 1);
    storage.checked_codes.admit(&slot, 1);
    // The slot is nobody's: whoever could have seen it has left, and nobody can see it yet.
    SKERRY_DEBUG_ASSERT(storage.states[slot].born.load(std::memory_order_relaxed) == 0 &&
                        storage.flags[slot] == 0);
    schedule_point("slot: row");
    storage.leave_image(slot);
  }
  share_out(count, count < kWorthEncoding ? 1 : threads, scratch,
            [&](std::size_t i, LinkScratch& mine) {
              const VectorView vector = changes.vectors.row(i);
              exact_.encode(vector, storage.vector(fresh[i]));
              if (codes) codes->encode(vector, storage.code(fresh[i]), mine.code.data());
            });
  std::uint64_t added = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Slot slot = fresh[i];
    SlotState& state = storage.states[slot];
    const Key key = changes.keys[i];
    const Slot old = newest(key);
    Slot before = kNoSlot;
    if (old != kNoSlot) {
      // A version that nobody has seen is no version: readers go on to the one before it.
      before = is_unseen(old) ? storage.states[old].link.load(std::memory_order_relaxed) : old;
    }
    if (old != kNoSlot && !storage.states[old].is_dead()) {
      change(old);
      schedule_point("slot: dies");
      storage.states[old].died.store(sequence, std::memory_order_release);
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
  }
  reserved_ -= count;
  schedule_point("live: more");
  live_.fetch_add(added, std::memory_order_release);
}

// Returns how many keys were live.
std::uint64_t Engine::end_slots(std::span<const Key> removals, std::uint64_t sequence,
                                SlotList& departed) noexcept {
  Storage& storage = writable();
  const std::unique_lock keeping = lock_for_snapshot();
  std::uint64_t ended = 0;
  for (const Key key : removals) {
    const Slot slot = newest(key);
    if (slot == kNoSlot || storage.states[slot].is_dead()) continue;
    // Of a version that nobody has seen the directory forgets at once: it names the one before it
    // again, which readers still see, or none.
    if (is_unseen(slot)) {
      const Slot before = storage.states[slot].link.load(std::memory_order_relaxed);
      if (before != kNoSlot) {
        directory_.put(key, before, storage.states.data());
      } else {
        directory_.erase(key, slot, storage.states.data());
      }
    }
    change(slot);
    schedule_point("slot: is removed");
    storage.states[slot].died.store(sequence, std::memory_order_release);
    push(departed, slot, storage);
    ++ended;
  }
  live_.fetch_sub(ended, std::memory_order_release);
  return ended;
}

// One store makes all of it visible. Who departs with it is noted before, while all that led to him
// does (departures.h); after, the directory forgets the keys that still point to him.
void Engine::show(std::uint64_t sequence, const SlotList& departed) noexcept {
  const Storage& storage = writable();
  // The number only rises: what a reader has seen stays seen.
  SKERRY_ASSERT(sequence > visible_.load(std::memory_order_relaxed) ||
                is_broken_by(Fault::shown_before_written));
  const auto each_departed = [&](auto visit) {
    Slot slot = departed.head;
    for (std::uint64_t i = 0; i < departed.count; ++i) {
      const SlotState& state = storage.states[slot];
      visit(slot, state);
      slot = state.link.load(std::memory_order_relaxed);
    }
  };
  each_departed([&](Slot slot, const SlotState& state) {
    departures_.add(slot, state.died.load(std::memory_order_relaxed));
  });
  schedule_point("show");
  visible_.store(sequence, std::memory_order_release);
  schedule_point("shown");
  tombstones_.fetch_add(departed.count, std::memory_order_relaxed);
  each_departed([&](Slot slot, const SlotState& state) {
    directory_.erase(state.key.load(std::memory_order_relaxed), slot, storage.states.data());
  });
}

// The departed are invisible now: take them out of the graph, or let them wait for that, and let
// their slots go. Alone.
void Engine::settle(const SlotList& departed, Linking linking) noexcept {
  if (linking_ && live_.load(std::memory_order_relaxed) == 0) {
    const std::lock_guard lock(link_mutex_);
    drop_graph(departed);
  } else {
    take_out(departed, linking);
  }
  reclaim();
}

// One after the other, so that others may connect in between.
void Engine::take_out(const SlotList& departed, Linking linking) noexcept {
  Storage& storage = writable();
  Slot slot = departed.head;
  for (std::uint64_t i = 0; i < departed.count; ++i) {
    const std::lock_guard lock(link_mutex_);
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
  if (linking == Linking::now) sweep(departed.count);
}

std::uint64_t Engine::sequence() const noexcept {
  return visible_.load(std::memory_order_acquire);
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
  stats.vector_disk_bytes = storage.vector_disk_bytes();
  stats.code_bytes = storage.codes.committed();
  stats.codes = storage.shape.codes ? storage.shape.codes->kind() : Codes::exact;
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

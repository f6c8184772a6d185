// writers.cc - how do many write an Index at once?
//
//   begins     takes a number and its slots, and the keys' old versions die as of that number: some
//              microseconds with the writer lock
//   links      its slots, beside all others that do (insert.cc); nobody sees them
//   is shown   in the order of the numbers: who is done early waits for those before him, and the
//              first in line shows all behind him that are done. So one number still says what is
//              visible
//   takes out  of the graph what it replaced or removed, node by node
//
// One that is stopped while it links is withdrawn: the old versions live again, its own slots are
// taken out, and its number is never shown.
//
// Two writes of one key do not meet: the second begins when the first is shown. So a key has at
// most two versions that a reader may ask for, and what insert() and remove() answer is what every
// reader sees by then.
//
// What moves more than nodes (a larger storage, an image that begins, a graph that is not whole, a
// collection's publish()) is done alone: nobody begins, and those who have are waited for. A small
// index without a graph is always written alone, which is over at once.
//
// With one thread nothing waits, and the graph is the one that the same calls make alone.
#include <algorithm>
#include <mutex>

#include "base/assert.h"
#include "base/schedule.h"
#include "base/watch.h"
#include "index/engine.h"

namespace skerry {

// Returns with the lock held and no write under way. Const: check() is alone too.
void Engine::be_alone(WriterLock& lock) const noexcept {
  ++want_alone_;
  changed_.wait(lock, [this] { return active_ == 0; });
  if (--want_alone_ == 0) changed_.notify_all();
}

// Is the graph whole and the storage large enough? Then a write needs nobody to stand still.
bool Engine::may_write_beside(std::size_t upserts) const noexcept {
  return graph_.load(std::memory_order_relaxed) && !has_backlog_locked() &&
         slots_for(upserts, Linking::now) <= writable().capacity;
}

// Is one of the keys being written by somebody who is not shown yet?
bool Engine::is_in_flight(std::span<const Key> keys) const noexcept {
  if (first_ == nullptr || is_broken_by(Fault::writes_of_a_key_meet)) return false;
  const Storage& storage = writable();
  const std::uint64_t visible = visible_.load(std::memory_order_relaxed);
  return std::any_of(keys.begin(), keys.end(), [&](Key key) {
    const Slot slot = newest(key);
    return slot != kNoSlot &&
           (is_unseen(slot) || storage.states[slot].died.load(std::memory_order_relaxed) > visible);
  });
}

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

Status Engine::check_absent(std::span<const Key> keys) const noexcept {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Slot slot = newest(keys[i]);
    if (slot == kNoSlot || writable().states[slot].is_dead()) continue;
    return keys.size() == 1 ? Status(Code::already_exists, "the key is present")
                            : Status(Code::already_exists, "row {b}: the key is present", 0, i);
  }
  return {};
}

Status Engine::upsert(const Changes& changes, const BatchOptions& options) {
  return write(changes, false, options).status();
}

Status Engine::insert(const Changes& changes, const BatchOptions& options) {
  return write(changes, true, options).status();
}

Result<std::uint64_t> Engine::remove(const Changes& changes) {
  return write(changes, false, {});
}

// `only_new`: of keys that are absent. Returns how many removals met a live key.
Result<std::uint64_t> Engine::write(const Changes& changes, bool only_new,
                                    const BatchOptions& options) {
  Status status = check_write(changes);
  if (!status.ok()) return status;
  if (changes.keys.empty()) return std::uint64_t{0};
  const std::size_t upserts = changes.removal ? 0 : changes.keys.size();
  const ScratchLease<LinkScratch> lease(link_scratches_);
  if (lease.get() == nullptr) return Status(Code::out_of_memory, "no memory for the index");
  LinkScratch& scratch = *lease.get();

  WriterLock lock(write_mutex_);
  changed_.wait(lock, [&] { return want_alone_ == 0 && !is_in_flight(changes.keys); });
  const bool alone = !may_write_beside(upserts);
  if (alone) be_alone(lock);
  Watch watch(options.control, upserts);
  status = watch.begin();
  if (status.ok() && only_new) status = check_absent(changes.keys);
  if (status.ok() && !changes.removal) {
    status = reserve_locked(upserts, Linking::now, scratch, &changes.vectors);
  }
  if (!status.ok()) return status;
  const std::uint64_t sequence =
      (last_ != nullptr ? last_->sequence : visible_.load(std::memory_order_relaxed)) + 1;
  if (alone) {
    const Publication step{changes, sequence};
    return publish_locked(std::span(&step, 1), options.threads, Linking::now, scratch, watch);
  }

  Write write;
  write.sequence = sequence;
  std::uint64_t removed = 0;
  const std::span<Slot> fresh(scratch.fresh.data(), upserts);
  if (changes.removal) {
    reclaim();
    removed = end_slots(changes.keys, sequence, write.departed);
  } else {
    make_slots(changes, sequence, Linking::now, options.threads, scratch, write.departed, fresh);
  }
  (last_ != nullptr ? last_->next : first_) = &write;
  last_ = &write;
  ++active_;
  if (!changes.removal) {
    lock.unlock();
    link_slots(fresh, options.threads, scratch, watch);
    status = watch.finish();
    lock.lock();
    if (!status.ok()) {
      write.withdrawn = true;
      write.departed = withdraw(fresh, sequence);
    }
  }
  finish(write, lock);
  if (!status.ok()) return status;
  return removed;
}

// What one write made and nobody has seen is unmade: the keys have the versions that they had.
// Returns the slots, which are dead now, perhaps linked, and not shown.
Engine::SlotList Engine::withdraw(std::span<const Slot> fresh, std::uint64_t sequence) noexcept {
  Storage& storage = writable();
  const std::unique_lock keeping = lock_for_snapshot();
  std::uint64_t added = 0;
  for (const Slot slot : fresh) {
    SlotState& state = storage.states[slot];
    if (state.is_dead()) continue;  // the key came again, and that slot knows what was before
    const Key key = state.key.load(std::memory_order_relaxed);
    const Slot before = state.link.load(std::memory_order_relaxed);
    if (before == kNoSlot) {
      ++added;
      directory_.erase(key, slot, storage.states.data());
    } else {
      change(before);
      storage.states[before].link.store(kNoSlot, std::memory_order_release);
      storage.states[before].died.store(0, std::memory_order_release);
      directory_.put(key, before, storage.states.data());
    }
    state.died.store(sequence, std::memory_order_release);
  }
  live_.fetch_sub(added, std::memory_order_release);
  SlotList gone;
  for (const Slot slot : fresh) push(gone, slot, storage);
  tombstones_.fetch_add(gone.count, std::memory_order_relaxed);
  return gone;
}

// What is linked is shown when its turn comes; then what it replaced is taken out.
void Engine::finish(Write& write, WriterLock& lock) noexcept {
  write.done = true;
  schedule_point("write: done");
  if (first_ == &write) {
    while (first_ != nullptr && first_->done) {
      Write& next = *first_;
      first_ = next.next;
      if (first_ == nullptr) last_ = nullptr;
      if (!next.withdrawn) show(next.sequence, next.departed);
      next.shown = true;
    }
    changed_.notify_all();
  } else {
    changed_.wait(lock, [&] { return write.shown; });
  }
  // The last one under way, and nothing is live: nobody needs the graph.
  if (active_ == 1 && live_.load(std::memory_order_relaxed) == 0) {
    settle(write.departed, Linking::now);
  } else if (write.departed.count != 0) {
    lock.unlock();
    take_out(write.departed, Linking::now);
    lock.lock();
  }
  if (--active_ == 0) changed_.notify_all();
}

}  // namespace skerry

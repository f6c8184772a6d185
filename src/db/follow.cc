// follow.cc - how does the view in memory learn what other processes have written?
//
// A call that finds the shared counter moved (shared_counter.h) comes here before it reads. One
// thread takes the collection's view_mutex_ and looks at the store, others that need the same wait
// for it. In one snapshot of the store:
//
//   the collection is not there any more          it was dropped: every call is `closed`
//   the store's number is the view's              nothing was written here
//   the log reaches back to the view              the keys that changed, as they are now: shown in
//                                                 one step, so that no search of ours meets half of
//                                                 what was one commit there; many are linked later
//   the log was trimmed beyond the view           a new view is made, from the newest image and the
//                                                 log or from the vectors, and put in the old one's
//                                                 place; the old goes when its last reader has left
//
// Our own leader commits meanwhile. Its commit is not to be taken up here: the leader publishes it.
// While its transaction is open nobody else can commit, so a store that stands at the number from
// before has nothing for us; once it has committed, whatever is up to its last number is either in
// the view or its own. Only what is beyond waits until the leader has published.
//
// The counter is read before the store. What is committed in between is found, and looked for once
// more at the next call, in vain.
//
// Memory: the vectors of the changed keys, once, beside the view. Locks: see database_state.h.
#include <new>
#include <unordered_map>
#include <vector>

#include "base/epoch.h"
#include "db/collection_state.h"
#include "db/database_state.h"

namespace skerry {
namespace {

// So many rows are linked while the caller waits; more are linked later.
constexpr std::size_t kLinkedAtOnce = 16;

}  // namespace

Status CollectionState::catch_up(bool look) const noexcept try {
  std::unique_lock lock(view_mutex_);
  for (;;) {
    Status status = alive();
    if (!status.ok()) return status;
    const std::uint64_t others = counter_.count_others();
    if (view_.load(std::memory_order_relaxed) == nullptr) return wake_or_close();
    if (!look && others == caught_up_.load(std::memory_order_relaxed)) return status;
    release_retired();
    const Result<Followed> followed = follow(view(), view().engine->sequence(), false);
    if (!followed.ok()) return followed.error();
    switch (followed->found) {
      case Found::leading:
        landed_.wait(lock);
        continue;
      case Found::dropped:
        closed_.store(true, std::memory_order_release);
        database_->forget(id_);
        continue;
      case Found::trimmed:
        status = reload();
        if (status.code() == Code::not_found) continue;  // dropped meanwhile
        if (!status.ok()) return status;
        break;
      case Found::all:
        break;
    }
    caught_up_.store(others, std::memory_order_release);
    call_keeper(view());
    return status;
  }
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory for what another process has written");
}

// Under view_mutex_. The view holds everything up to change `after`; a fresh one has no names yet.
Result<CollectionState::Followed> CollectionState::follow(View& view, std::uint64_t after,
                                                          bool fresh) const {
  Engine& engine = *view.engine;
  const std::size_t bytes = vector_bytes(options_.index.scalar, options_.index.dimension);
  Followed followed;
  store::Counters counters;
  std::vector<Key> upserts;
  std::vector<std::byte> vectors;
  std::vector<Key> removals;
  std::vector<KeyRecordPtr> names;

  const Status status = database_->store().read([&](const store::Reading& reading) -> Status {
    const Result<bool> there = reading.is_there(name(), id_);
    if (!there.ok()) return there.error();
    if (!*there) {
      followed.found = Found::dropped;
      return Status();
    }
    const Result<store::Counters> found = reading.counters(id_);
    if (!found.ok()) return found.error();
    counters = *found;
    followed.live = counters.live;
    if (leading_ != Leading::no) {
      const bool ours = leading_ == Leading::writing ? counters.sequence == commit_from_
                                                     : counters.sequence <= commit_to_;
      if (!ours) followed.found = Found::leading;
      return Status();
    }
    if (fresh && options_.byte_keys) {
      const Status read = reading.each_name(id_, 0, [&](Key id, std::string_view name) {
        names.push_back(make_key_record(id, name));
        return true;
      });
      if (!read.ok()) return read;
    }
    if (counters.sequence < after) {
      return Status(Code::corruption, "the store is at change {a}, the index at {b}",
                    counters.sequence, after);
    }
    if (counters.sequence > after && counters.trimmed > after) {
      followed.found = Found::trimmed;
      return Status();
    }
    if (counters.sequence == after) return Status();
    std::vector<Key> keys;
    std::unordered_map<Key, std::size_t> last;  // where in `keys` each one comes last
    Status read = read_changes(reading, after, keys, last);
    Result<store::HeapReader> heap = reading.heap(id_);
    if (!heap.ok()) return heap.error();
    for (std::size_t at = 0; read.ok() && at < keys.size(); ++at) {
      if (last[keys[at]] != at) continue;
      const Result<store::Bytes> vector = heap->vector(keys[at]);
      if (!vector.ok()) {
        if (vector.error().code() != Code::not_found) return vector.error();
        removals.push_back(keys[at]);
        continue;
      }
      if (vector->size() != bytes) {
        return Status(Code::corruption, "a vector of the store has a wrong length");
      }
      upserts.push_back(keys[at]);
      vectors.insert(vectors.end(), vector->begin(), vector->end());
      if (!options_.byte_keys || fresh || view.book.find(keys[at]) != nullptr) continue;
      const Result<std::string_view> name = reading.name_of(id_, keys[at]);
      if (!name.ok()) return name.error();
      names.push_back(make_key_record(keys[at], *name));
    }
    return read;
  });
  if (!status.ok()) return status;
  if (followed.found != Found::all || leading_ != Leading::no) return followed;

  // What may fail first; then all of it at once.
  view.book.reclaim();
  view.book.reserve(names.size(), removals.size());
  const bool few = upserts.size() + removals.size() <= kLinkedAtOnce;
  const Linking linking = few ? Linking::now : Linking::later;
  const MatrixView rows(vectors.data(), options_.index.scalar, upserts.size(),
                        options_.index.dimension);
  const Status reserved = engine.reserve(upserts.size(), linking, rows);
  if (!reserved.ok()) return reserved;
  for (KeyRecordPtr& name : names) view.book.add(std::move(name));
  if (counters.sequence > engine.sequence()) {
    const Publication steps[] = {{{upserts, rows, false}, counters.sequence},
                                 {{removals, {}, true}, counters.sequence}};
    engine.publish(steps, database_->options().threads, linking);
    if (options_.byte_keys) {
      for (const Key id : removals) view.book.remove(id);
    }
  }
  log_entries_.store(counters.log_entries, std::memory_order_relaxed);
  return followed;
}

// Under view_mutex_, with no view: one is made from what the store holds. Nothing of ours is on its
// way, as that would have kept the view.
Status CollectionState::wake(const Control& control) const {
  const std::uint64_t others = counter_.count_others();  // before the store is looked at
  Result<std::unique_ptr<View>> fresh = make_view(control);
  if (!fresh.ok()) return fresh.error();
  mended_in_image_.store(0, std::memory_order_relaxed);
  caught_up_.store(others, std::memory_order_release);
  used_.store(true, std::memory_order_relaxed);  // whoever asked for it is about to
  view_.store(fresh->release(), std::memory_order_release);
  database_->warm().enter(const_cast<CollectionState&>(*this));
  call_keeper(view());
  return Status();
}

// The same for a handle: `closed` when the collection was dropped while it was put away.
Status CollectionState::wake_or_close() const {
  const Status status = wake({});
  if (status.code() != Code::not_found) return status;
  closed_.store(true, std::memory_order_release);
  database_->forget(id_);
  return alive();
}

// Under view_mutex_, with no commit of ours under way. What the leader has reserved is reserved in
// the new engine before anybody sees it.
Status CollectionState::reload() const {
  retired_.reserve(retired_.size() + 1);
  Result<std::unique_ptr<View>> fresh = make_view({});
  if (!fresh.ok()) return fresh.error();
  const Status status = (*fresh)->engine->reserve(reserved_);
  if (!status.ok()) return status;
  mended_in_image_.store(0, std::memory_order_relaxed);
  std::unique_ptr<View> old(view_.exchange(fresh->release(), std::memory_order_acq_rel));
  retired_.push_back({std::move(old), epoch_tag()});
  return status;
}

// Under view_mutex_.
void CollectionState::release_retired() const noexcept {
  if (retired_.empty() || pins_.fetch_add(0, std::memory_order_acq_rel) != 0) return;
  std::erase_if(retired_, [](const OldView& old) { return epoch_passed(old.tag); });
}

}  // namespace skerry

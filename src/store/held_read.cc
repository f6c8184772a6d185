// held_read.cc - transactions that callers hold: begun, used, counted and ended.
#include "store/held_read.h"

#include <lmdb.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace skerry::store {

// Walked before it begins (first_touch.h): when a table is touched its root may be overwritten.
Result<std::unique_ptr<HeldRead>> Environment::hold() const {
  const Status walked = walk(Extent::tables);
  if (!walked.ok()) return walked;
  std::unique_ptr<HeldRead> held(new HeldRead(*this));
  for (;;) {
    std::shared_lock<std::shared_mutex> map;
    Status status = enter(map);
    if (!status.ok()) return status;
    int error = 0;
    {
      const std::lock_guard lock(held_mutex_);
      held_.reserve(held_.size() + 1);
      error = begin_read(&held->txn_);
      if (error == 0) {
        held->begun_ = std::chrono::steady_clock::now();
        held_.push_back(held.get());
        return held;
      }
    }
    if (error != MDB_MAP_RESIZED) return status_of_lmdb(error);
    // A read adopts a map that another process has outgrown.
    map.unlock();
    status = read([](const Transaction&) { return Status(); });
    if (!status.ok()) return status;
  }
}

// With the map held exclusively: nobody is inside a call.
void Environment::end_held() const noexcept {
  const std::lock_guard lock(held_mutex_);
  for (HeldRead* held : held_) {
    mdb_txn_abort(std::exchange(held->txn_, nullptr));
    held->ended_ = closed_ ? Status(Code::closed, "the database is closed")
                           : Status(Code::closed,
                                    "a failure closed the store, and the snapshot ended with it");
  }
  held_.clear();
}

bool Environment::has_held() const noexcept {
  const std::lock_guard lock(held_mutex_);
  return !held_.empty();
}

void Environment::count_held(EnvironmentStats& stats) const noexcept {
  const std::lock_guard lock(held_mutex_);
  stats.held = held_.size();
  for (const HeldRead* held : held_) stats.oldest_held = std::max(stats.oldest_held, held->age());
}

Status HeldRead::read(FunctionRef<Status(const Transaction&)> work) const {
  SKERRY_ASSERT(environment_.outer_reading() == nullptr);
  const std::lock_guard using_it(use_);
  const std::shared_lock map = environment_.hold_map();
  if (txn_ == nullptr) return ended_;
  Transaction transaction(txn_, environment_.tables_, environment_.format_.version);
  return environment_.run(transaction, work);
}

double HeldRead::age() const noexcept {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
}

// Not among those that rest: a handful of snapshots would leave as many slots of the table of
// readers taken, which other processes may need.
HeldRead::~HeldRead() {
  const std::shared_lock map = environment_.hold_map();
  const std::lock_guard lock(environment_.held_mutex_);
  if (txn_ == nullptr) return;
  mdb_txn_abort(txn_);
  std::erase(environment_.held_, this);
}

}  // namespace skerry::store

// held_read.h - a read transaction that outlives the call that began it, for a caller who holds it.
//
// Everything else reads for the length of a call. A HeldRead keeps one moment of the store for as
// long as it is there, and with it every page that was in use at that moment: the store grows by
// what is replaced or removed meanwhile. So they are counted, and the age of the oldest is told
// (EnvironmentStats).
//
// Must not the map stand still while a transaction is open? lmdb.h asks the caller of
// mdb_env_set_mapsize() to have none. The reason is addresses: whoever holds one into the old map
// is left with nothing behind it. What a read transaction itself keeps has none (0.9.24, mdb.c):
//
//   - its number, its slot in the table of readers (memory of the lock file, which does not move),
//     the roots of the tables (copied into it) and the number of its last page; all of them numbers
//   - mdb_page_get() adds the page's number to the map's address anew at every access
//   - a page below that number lies in every later map, as a map only becomes larger; and it is not
//     written to while the slot says that somebody reads
//   - what does keep addresses is a cursor, and what was handed out of a page: both end with the
//     call that asked for them
//
// So a call holds the map (shared) while it works on the transaction, and lets it go when it
// leaves; whoever moves the map waits for calls, never for handles. Durability::none has kept a
// transaction in this way since 0.2.0 (synced_root.h).
//
// When the environment is closed, by close() or because a failure has LMDB refuse everything, the
// transaction ends with it: afterwards every call is `closed` and says which of the two it was.
// compact() exchanges the file and is `busy` while there is one.
//
// Threads: any, one after the other: a transaction is used by one thread at a time.
// Locks: its own, then those that a read takes (environment.h). `work` must take neither: a
// caller's function is not called from inside it.
#pragma once

#include <chrono>
#include <mutex>

#include "skerry/status.h"
#include "store/environment.h"

namespace skerry::store {

class HeldRead {
 public:
  // Lets the pages go. Not in a forked child: there the transaction is the parent's.
  ~HeldRead();
  HeldRead(const HeldRead&) = delete;
  HeldRead& operator=(const HeldRead&) = delete;

  Status read(FunctionRef<Status(const Transaction&)> work) const;

  // Seconds since it began.
  double age() const noexcept;

 private:
  friend class Environment;
  explicit HeldRead(const Environment& environment) noexcept : environment_(environment) {}

  // Set when it begins.
  const Environment& environment_;  // which it must not outlive
  std::chrono::steady_clock::time_point begun_;

  mutable std::mutex use_;  // by whoever works on the transaction

  // Written by who begins it, and with the map held exclusively by who closes the environment.
  MDB_txn* txn_ = nullptr;  // null: it has ended
  Status ended_;            // why
};

}  // namespace skerry::store

// warm_list.h - which small collections keep their index in memory?
//
// A database may hold a hundred thousand collections of twenty vectors, most of which nobody asks
// for today. The index of a small one is made again from the store as quickly as an image of it
// would be read, so only so many are kept (DatabaseOptions::warm_collections). Here stand those
// that have one, in a ring with a hand: who comes in beyond the limit moves the hand on, past those
// that were used since it last came by, to one that was not, which puts its index away
// (CollectionState::put_away()). One that has grown leaves the ring and keeps its index.
//
// At most 64 steps are made at a time: while all are in use, some more than the limit are kept.
//
// Threads: any. Locks: its own, then a collection's view_mutex_, which is only tried; so it may be
// called with one held. It takes no memory: the ring is made of the collections.
#pragma once

#include <cstddef>
#include <mutex>

namespace skerry {

class CollectionState;

// A collection's place in the ring. Under the list's mutex.
struct WarmPlace {
  CollectionState* before = nullptr;
  CollectionState* after = nullptr;  // null: it is not in the ring
};

class WarmList {
 public:
  explicit WarmList(std::size_t limit) noexcept : limit_(limit) {}
  WarmList(const WarmList&) = delete;
  WarmList& operator=(const WarmList&) = delete;

  // It has made its index. Others may put theirs away.
  void enter(CollectionState& collection) noexcept;

  // Before it goes.
  void leave(CollectionState& collection) noexcept;

 private:
  void unlink(CollectionState& collection) noexcept;

  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t count_ = 0;
  CollectionState* hand_ = nullptr;  // the next to be looked at; null: there is none
};

}  // namespace skerry

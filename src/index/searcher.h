// searcher.h - the scratch of one search, and a pool of them so that none is made twice.
//
// A search borrows a Searcher and gives it back; after warm-up nothing is allocated. The pool is an
// array of atomic pointers: a taker starts at a place of its own thread's, so threads seldom meet.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "base/buffer.h"
#include "graph/beam_search.h"
#include "skerry/status.h"

namespace skerry {

struct Searcher {
  BeamScratch beam;
  CandidatePool answers;          // of a filtered search
  VisitedSet marks;               // slots of an allow-list or deny-list
  Buffer<std::byte> code;         // the query as the codes want it
  Buffer<std::byte> exact;        // the query as the exact rows want it
  Buffer<Slot> block;             // slots to be scored together
  Buffer<float> block_distances;  // theirs
};

class SearcherPool {
 public:
  SearcherPool() noexcept = default;
  ~SearcherPool() {
    for (std::atomic<Searcher*>& place : places_) delete place.load(std::memory_order_relaxed);
  }
  SearcherPool(const SearcherPool&) = delete;
  SearcherPool& operator=(const SearcherPool&) = delete;

  // Null when there is none and no memory for one.
  Searcher* take() noexcept {
    const std::size_t start = place_of_thread();
    for (std::size_t i = 0; i < kPlaces; ++i) {
      std::atomic<Searcher*>& place = places_[(start + i) % kPlaces];
      if (place.load(std::memory_order_relaxed) == nullptr) continue;
      if (Searcher* searcher = place.exchange(nullptr, std::memory_order_acquire)) return searcher;
    }
    return new (std::nothrow) Searcher;
  }

  void give_back(Searcher* searcher) noexcept {
    const std::size_t start = place_of_thread();
    for (std::size_t i = 0; i < kPlaces; ++i) {
      Searcher* empty = nullptr;
      if (places_[(start + i) % kPlaces].compare_exchange_strong(empty, searcher,
                                                                 std::memory_order_release)) {
        return;
      }
    }
    delete searcher;
  }

 private:
  static constexpr std::size_t kPlaces = 64;

  static std::size_t place_of_thread() noexcept {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
    return mine;
  }

  std::atomic<Searcher*> places_[kPlaces] = {};
};

// A Searcher for the length of a scope; null inside when there is no memory.
class SearcherLease {
 public:
  explicit SearcherLease(SearcherPool& pool) noexcept : pool_(pool), searcher_(pool.take()) {}
  ~SearcherLease() {
    if (searcher_ != nullptr) pool_.give_back(searcher_);
  }
  SearcherLease(const SearcherLease&) = delete;
  SearcherLease& operator=(const SearcherLease&) = delete;

  Searcher* get() const noexcept { return searcher_; }

 private:
  SearcherPool& pool_;
  Searcher* searcher_;
};

}  // namespace skerry

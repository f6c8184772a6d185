// run_queries.h - one measured stretch of searching, and the recall of the same searches.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "peer.h"
#include "truth.h"

namespace skerry::bench {

struct Speed {
  double qps = 0;      // by the wall clock, all threads together
  double qps_cpu = 0;  // by CPU time of the searching threads, times their number
  double p50_us = 0;
  double p99_us = 0;
};

// Asks the queries over and over, in turn, for at least `seconds`; every thread begins at another
// query. A short stretch of the same goes before, unmeasured, to warm caches and scratch memory. It
// ends before its time when `ended` turns true.
Speed run_queries(Peer& peer, std::size_t queries, std::size_t k, unsigned threads, double seconds,
                  const std::atomic<bool>* ended = nullptr);

// Mean recall over the queries; `row_of` says which row is found under a key, kNoRow for a key that
// ought not to be found.
inline constexpr std::uint32_t kNoRow = 0xFFFFFFFF;
double mean_recall(Peer& peer, const Judge& judge, std::size_t queries,
                   const std::function<std::uint32_t(Key)>& row_of);

}  // namespace skerry::bench

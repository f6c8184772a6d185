// run_queries.h - one measured stretch of searching, and the recall of the same searches.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "peer.h"
#include "truth.h"

namespace skerry::bench {

struct Speed {
  double qps = 0;      // by the wall clock, all threads together
  double qps_cpu = 0;  // by CPU time of the searching threads, times their number
  double p50_us = 0;
  double p99_us = 0;
};

// Queries by their numbers; all of them: the first so many.
using QueryList = std::vector<std::uint32_t>;
QueryList first_queries(std::size_t count);

// Asks the queries over and over, in turn, for at least `seconds`; every thread begins at another
// query. A short stretch of the same goes before, unmeasured, to warm caches and scratch memory. It
// ends before its time when `ended` turns true.
Speed run_queries(Peer& peer, const QueryList& queries, std::size_t k, unsigned threads,
                  double seconds, const std::atomic<bool>* ended = nullptr);
inline Speed run_queries(Peer& peer, std::size_t queries, std::size_t k, unsigned threads,
                         double seconds, const std::atomic<bool>* ended = nullptr) {
  return run_queries(peer, first_queries(queries), k, threads, seconds, ended);
}

// Mean recall over the queries, of which the judge knows the truth in the order of the list;
// `row_of` says which row is found under a key, kNoRow for a key that
// ought not to be found.
inline constexpr std::uint32_t kNoRow = 0xFFFFFFFF;
double mean_recall(Peer& peer, const Judge& judge, const QueryList& queries,
                   const std::function<std::uint32_t(Key)>& row_of);
inline double mean_recall(Peer& peer, const Judge& judge, std::size_t queries,
                          const std::function<std::uint32_t(Key)>& row_of) {
  return mean_recall(peer, judge, first_queries(queries), row_of);
}

}  // namespace skerry::bench

// run_queries.cc - see run_queries.h.
#include "run_queries.h"

#include <atomic>
#include <barrier>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "clock.h"
#include "curve.h"
#include "stop.h"

namespace skerry::bench {
namespace {

struct Share {  // of one thread
  std::vector<float> latencies_us;
  double cpu_s = 0;
};

// The clock is read once a query: the end of one is the beginning of the next.
void ask(Peer& peer, const QueryList& queries, std::size_t k, unsigned thread, std::size_t first,
         double until, const std::atomic<bool>* ended, Share& share) {
  std::vector<Key> keys(k);
  std::size_t next = first % queries.size();
  double before = wall_seconds();
  const double cpu = thread_seconds();
  do {
    peer.search(queries[next], thread, keys);
    const double after = wall_seconds();
    share.latencies_us.push_back(static_cast<float>((after - before) * 1e6));
    before = after;
    if (++next == queries.size()) next = 0;
  } while (before < until && !stop_asked() && !(ended && *ended));
  share.cpu_s = thread_seconds() - cpu;
}

}  // namespace

QueryList first_queries(std::size_t count) {
  QueryList queries(count);
  std::iota(queries.begin(), queries.end(), 0u);
  return queries;
}

Speed run_queries(Peer& peer, const QueryList& queries, std::size_t k, unsigned threads,
                  double seconds, const std::atomic<bool>* ended) {
  std::vector<Share> shares(threads);
  std::barrier warm(threads);
  std::atomic<double> began{0};
  std::exception_ptr failure;
  std::mutex failure_lock;
  const auto work = [&](unsigned thread) {
    try {
      const std::size_t first = queries.size() / threads * thread;
      Share& share = shares[thread];
      share.latencies_us.reserve(1 << 20);
      ask(peer, queries, k, thread, first, wall_seconds() + seconds / 10, ended, share);
      share.latencies_us.clear();
      warm.arrive_and_wait();
      const double now = wall_seconds();
      if (thread == 0) began = now;
      ask(peer, queries, k, thread, first, now + seconds, ended, share);
    } catch (...) {
      const std::lock_guard lock(failure_lock);
      failure = std::current_exception();
      warm.arrive_and_drop();
    }
  };
  std::vector<std::thread> others;
  for (unsigned thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& other : others) other.join();
  const double wall = wall_seconds() - began;
  if (failure) std::rethrow_exception(failure);
  check_stop();

  std::vector<float> all;
  double cpu = 0;
  for (const Share& share : shares) {
    all.insert(all.end(), share.latencies_us.begin(), share.latencies_us.end());
    cpu += share.cpu_s;
  }
  const auto count = static_cast<double>(all.size());
  return {count / wall, count / cpu * threads, percentile(all, 0.5), percentile(all, 0.99)};
}

double mean_recall(Peer& peer, const Judge& judge, const QueryList& queries,
                   const std::function<std::uint32_t(Key)>& row_of) {
  std::vector<Key> keys(judge.k());
  std::vector<std::uint32_t> rows;
  double sum = 0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    check_stop();
    const std::size_t count = peer.search(queries[i], 0, keys);
    rows.clear();
    for (std::size_t found = 0; found < count; ++found) {
      const std::uint32_t row = row_of(keys[found]);
      if (row != kNoRow) rows.push_back(row);
    }
    sum += judge.recall(i, rows);
  }
  return sum / static_cast<double>(queries.size());
}

}  // namespace skerry::bench

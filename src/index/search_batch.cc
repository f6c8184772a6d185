// search_batch.cc - many queries, by several threads.
#include <atomic>
#include <mutex>
#include <string_view>

#include "base/workers.h"
#include "index/batch_control.h"
#include "index/engine.h"

namespace skerry {

Result<SearchResult> Engine::search_batch(MatrixView queries, std::span<Hit> hits,
                                          std::span<std::uint32_t> counts,
                                          const SearchOptions& options) const {
  const std::size_t rows = queries.rows();
  if (counts.size() != rows) {
    return Status(Code::invalid_argument, "expected one count a query: {a} queries, {b} counts",
                  rows, counts.size());
  }
  if (rows == 0) return SearchResult{0, true, false, 0};
  if (hits.size() % rows != 0) {
    return Status(Code::invalid_argument,
                  "expected as many hits for each query: {a} queries, {b} hits", rows, hits.size());
  }
  const std::size_t k = hits.size() / rows;
  for (std::size_t i = 0; i < rows; ++i) {
    if (Status status = check_search(options_, queries.row(i), options); !status.ok()) {
      return status.text() == std::string_view("component {a} is not a finite number")
                 ? Status(status.code(), "row {b}: component {a} is not a finite number",
                          status.a(), i)
                 : status;
    }
  }
  std::atomic<std::size_t> next{0};
  SearchResult all;
  all.exact = true;
  Mutex merging;
  std::atomic<bool> failed{false};
  std::atomic<bool> unread{false};
  BatchControl control(options.control, rows);
  parallel(options.threads, [&] {
    SearcherLease lease(searchers_);
    SearchOptions each = options;
    each.control = control.of_this_thread();
    SearchResult mine;
    mine.exact = true;
    for (;;) {
      const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= rows) break;
      counts[i] = 0;
      if (lease.get() == nullptr) {
        failed.store(true, std::memory_order_relaxed);
        continue;
      }
      const auto result = search_with(*lease.get(), queries.row(i), hits.subspan(i * k, k), each);
      if (!result) {
        if (result.status().code() == Code::cancelled) continue;
        const bool rows = result.status().code() != Code::out_of_memory;
        (rows ? unread : failed).store(true, std::memory_order_relaxed);
        continue;
      }
      control.count();
      counts[i] = result->count;
      mine += *result;
    }
    const std::lock_guard lock(merging);
    all += mine;
  });
  if (unread.load(std::memory_order_relaxed)) return rows_failed();
  // The queries were checked before: memory is all that can have been missing.
  if (failed.load(std::memory_order_relaxed)) {
    return Status(Code::out_of_memory, "no memory for a search's scratch");
  }
  if (Status status = control.finish(); !status.ok()) return status;
  return all;
}

}  // namespace skerry

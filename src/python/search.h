// search.h - one search, from Python's arguments to Matches.
//
// Threads: with the GIL, which is let go while the library searches.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "python/filter.h"
#include "python/long_call.h"
#include "python/matches.h"
#include "python/numbers.h"
#include "python/options.h"
#include "python/rows.h"
#include "python/subject.h"
#include "skerry/collection.h"
#include "skerry/index.h"
#include "skerry/snapshot.h"

namespace skerry::python {

// The arguments that searches of all kinds have, as Python gives them.
struct SearchWords {
  py::handle k, ef, recall_target, filter, max_distance, exact, threads, budget, timeout, progress;
};

// What of a search must live until it has ended.
class SearchCall {
 public:
  SearchCall(const SearchWords& words, KeyKind kind, Raised* distance)
      : call_(words.progress, words.timeout, distance),
        filter_(words.filter, kind, call_.raised()),
        k_(whole<std::size_t>("k", words.k, 10)) {
    options_.ef = whole<std::uint32_t>("ef", words.ef);
    options_.recall_target = static_cast<float>(real("recall_target", words.recall_target, 0));
    options_.filter = filter_.get();
    options_.max_distance =
        static_cast<float>(real("max_distance", words.max_distance, options_.max_distance));
    options_.budget = whole<std::uint64_t>("budget", words.budget);
    options_.exact = truth(words.exact);
    options_.threads = whole<std::uint32_t>("threads", words.threads);
    options_.control = call_.control();
  }

  std::size_t k() const noexcept { return k_; }
  const SearchOptions& options() const noexcept { return options_; }
  LongCall& call() noexcept { return call_; }

 private:
  LongCall call_;
  PythonFilter filter_;
  std::size_t k_;
  SearchOptions options_;
};

// Hits of one query: on the stack when they are few.
template <class H>
class HitBuffer {
 public:
  std::span<H> make(std::size_t count) {
    if constexpr (sizeof(H) <= 16) {
      if (count <= few_.size()) return {few_.data(), count};
    }
    many_.resize(count);
    return many_;
  }

 private:
  std::array<H, sizeof(H) <= 16 ? 64 : 1> few_;
  std::vector<H> many_;
};

// k may be far more than there are keys, and then there is no buffer for k. A search that filled a
// smaller one while keys were added is made again.
template <class T, class Search>
std::size_t with_room(const T& subject, std::size_t k, Search&& search) {
  constexpr std::size_t kFew = 1024;
  std::size_t room = k;
  const auto size = [&] { return std::max<std::size_t>(kFew, subject.size()); };
  if (k > kFew) room = std::min(k, size());
  while (search(room) == room && room < k && subject.size() > room) room = std::min(k, size());
  return room;
}

// Snapshots answer one query at a time; the others have a batch.
template <class H, class T>
Result<SearchResult> search_rows(const T& subject, const MatrixView& queries, std::span<H> hits,
                                 std::span<std::uint32_t> counts, const SearchOptions& options) {
  if constexpr (std::is_same_v<T, Snapshot>) {
    const std::size_t room = queries.rows() == 0 ? 0 : hits.size() / queries.rows();
    SearchResult all;
    all.exact = true;
    for (std::size_t row = 0; row < queries.rows(); ++row) {
      auto found = subject.search(queries.row(row), hits.subspan(row * room, room), options);
      if (!found) return found.error();
      counts[row] = found->count;
      all += *found;
    }
    return all;
  } else {
    return subject.search_batch(queries, hits, counts, options);
  }
}

template <class H, class T>
Matches search_as(const Subject<T>& subject, const Rows& queries, SearchCall& search) {
  const std::shared_ptr<T> handle = subject.handle();
  const std::size_t k = search.k();
  Result<SearchResult> found = SearchResult();
  if (queries.is_one) {
    HitBuffer<H> buffer;
    std::span<H> hits;
    without_gil([&] {
      with_room(*handle, k, [&](std::size_t room) -> std::size_t {
        hits = buffer.make(room);
        found = handle->search(queries.view.row(0), hits, search.options());
        return found ? found->count : 0;
      });
    });
    const SearchResult cost = search.call().finish(std::move(found));
    return matches_of(std::span<const H>(hits.first(cost.count)), subject.keys(), cost);
  }
  const std::size_t rows = queries.view.rows();
  std::vector<std::uint32_t> counts(rows);
  std::vector<H> hits;
  std::size_t room = 0;
  without_gil([&] {
    room = with_room(*handle, k, [&](std::size_t wanted) -> std::size_t {
      hits.resize(rows * wanted);
      found = search_rows<H>(*handle, queries.view, std::span<H>(hits), counts, search.options());
      return found && rows != 0 ? *std::max_element(counts.begin(), counts.end()) : 0;
    });
  });
  const SearchResult cost = search.call().finish(std::move(found));
  return matches_of(std::span<const H>(hits), counts, room, k, subject.keys(), cost);
}

template <class T>
Matches search(const Subject<T>& subject, py::handle vectors, const SearchWords& words) {
  SearchCall call(words, subject.keys(), subject.raised());
  const Rows rows = rows_of("vectors", vectors, subject.scalar(), subject.dimension());
  if constexpr (!std::is_same_v<T, Index>) {
    if (subject.keys() != KeyKind::number) return search_as<NamedHit>(subject, rows, call);
  }
  return search_as<Hit>(subject, rows, call);
}

// A dict of the explanation, with the hits and the first `limit` hops of the walk.
template <class T>
py::dict explain(const Subject<T>& subject, py::handle vector, py::handle key, py::handle limit,
                 const SearchWords& words) {
  const auto look = [&]<class H, class P>(SearchCall& call, const auto& name) {
    const std::shared_ptr<T> handle = subject.handle();
    const Rows row = row_of("vector", vector, subject.scalar(), subject.dimension());
    std::vector<H> hits(
        std::min<std::size_t>(call.k(), without_gil([&] { return handle->size(); }) + 1));
    std::vector<P> hops(whole<std::uint32_t>("hops", limit));
    auto result = without_gil([&] {
      return handle->explain(row.view.row(0), name, std::span<H>(hits), std::span<P>(hops),
                             call.options());
    });
    const Explanation why = call.call().finish(std::move(result));
    py::dict words_out = out(why);
    const std::span<const H> found(hits.data(), why.result.count);
    words_out["matches"] = matches_of(found, subject.keys(), why.result);
    py::list steps;
    for (std::size_t i = 0; i < std::min<std::size_t>(hops.size(), why.result.hops); ++i) {
      const P& hop = hops[i];
      py::object met;
      if constexpr (std::is_same_v<P, Hop>) {
        met = key_out(hop.key);
      } else {
        met = name_out(hop.name.view(), subject.keys());
      }
      steps.append(py::make_tuple(met, hop.distance, hop.level, hop.is_live));
    }
    words_out["steps"] = steps;
    return words_out;
  };
  SearchCall call(words, subject.keys(), subject.raised());
  const Keys keys = key_of("key", key, subject.keys());
  if constexpr (!std::is_same_v<T, Index>) {
    if (subject.keys() != KeyKind::number) {
      return look.template operator()<NamedHit, NamedHop>(call, keys.names.front());
    }
  }
  return look.template operator()<Hit, Hop>(call, keys.numbers.front());
}

}  // namespace skerry::python

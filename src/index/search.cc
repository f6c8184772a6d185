// search.cc - one query, from the caller's span to the caller's span.
//
// Three ways to answer, chosen by what they are expected to cost:
//   scan      every visible slot (or every key of an allow-list) that passes, exactly
//   walk      the graph on codes; the best are scored again on the exact rows
//   gated     the walk with a gate: routing ignores the filter, admission obeys it
// Beside a walk, the slots of the backlog, which no walk may meet yet, are scored on their codes,
// and those that the walk may have missed as the graph changed under it: who died since it began
// (departures.h), and who lost a link (displaced.h).
// A walk that ends with fewer hits than there may be is followed by a scan, so a search returns
// fewer than k only when fewer than k live keys pass. A search that is over before its end, for its
// budget or its deadline, returns the best that it has met.
//
// Filter planning in the spirit of Gollapudi et al., "Filtered-DiskANN" (WWW 2023) and of ACORN
// (Patel et al. 2024, arXiv 2403.04871): with few keys passing, scanning them is cheaper than
// walking past all others.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "base/epoch.h"
#include "base/schedule.h"
#include "base/workers.h"
#include "index/batch_control.h"
#include "index/block_scorer.h"
#include "index/effort.h"
#include "index/engine.h"
#include "index/patience.h"
#include "index/top_hits.h"
#include "quant/convert.h"

namespace skerry {
namespace {

// Slots are asked to estimate what a predicate passes, until so many have passed: then the estimate
// is good to a quarter. At most one in kSamplePart, and kMostSampled.
constexpr std::uint32_t kSamplePasses = 16;
constexpr std::uint32_t kSamplePart = 32;
constexpr std::uint32_t kLeastSampled = 128;
constexpr std::uint32_t kMostSampled = 4096;
constexpr std::uint64_t kNoBudget = ~std::uint64_t{0};

// Rough nanoseconds, for choosing only; measured on one machine, the ratios matter.
double cost_of_distance(std::size_t stride) noexcept {
  return 12 + static_cast<double>(stride) / 40;
}
// A filter's answers may be near the query or far from it: a walk knows after so many nodes.
constexpr std::uint64_t kProbe = 256;
constexpr double kWorthProbing = 8;        // times the probe, a scan costs
constexpr std::size_t kFewMore = 4;        // scored again at a time, once there are k
constexpr std::size_t kMostStretched = 4;  // times the ef that would find as much on average
constexpr double kCostOfState = 1.5;       // looking at a slot's state in a scan
constexpr double kCostOfPredicate = 2;     // asking the caller
constexpr double kCostOfStep = 12;         // of a walk, a node: its link, mark, place in the pool

}  // namespace

Status check_search(const IndexOptions& index, VectorView query,
                    const SearchOptions& options) noexcept {
  if (Status status = check_query(query, index.scalar, index.dimension); !status.ok()) {
    return status;
  }
  if (options.ef > 1048576) {
    return Status(Code::invalid_argument, "ef: expected at most 1048576, given {b}", 0, options.ef);
  }
  if (!(options.recall_target >= 0 && options.recall_target < 1)) {
    return Status(Code::invalid_argument, "recall_target: expected 0 or more, and less than 1");
  }
  if (std::isnan(options.max_distance)) {
    return Status(Code::invalid_argument, "max_distance: expected a number, given NaN");
  }
  if (options.filter.kind() > Filter::Kind::except) {
    return Status(Code::invalid_argument,
                  "filter: expected keys as numbers, given a filter on names");
  }
  return {};
}

Result<SearchResult> Engine::search(VectorView query, std::span<Hit> hits,
                                    const SearchOptions& options) const {
  if (Status status = check_search(options_, query, options); !status.ok()) return status;
  SearcherLease lease(searchers_);
  if (lease.get() == nullptr)
    return Status(Code::out_of_memory, "no memory for a search's scratch");
  return search_with(*lease.get(), query, hits, options);
}

// A search that met damaged rows of a mapped image is made again when they are mended: it may have
// walked past them, or be looking at versions that were not worth mending.
Result<SearchResult> Engine::search_with(Searcher& searcher, VectorView query, std::span<Hit> hits,
                                         const SearchOptions& options) const {
  using Look = CheckedRows::Look;
  const Look outer = CheckedRows::trouble();  // of a search whose filter calls this one
  Patience patience(options.control);
  for (int attempt = 0;; ++attempt) {
    CheckedRows::set_trouble(Look::whole);
    const std::uint64_t mended = this->mended();
    const Result<SearchResult> result = search_once(searcher, query, hits, options, patience);
    const Look trouble = CheckedRows::trouble();
    CheckedRows::set_trouble(outer);
    if (trouble == Look::whole && mended == this->mended()) [[likely]]
      return result;
    if (trouble == Look::lost) return rows_failed();
    if (attempt == kMendingAttempts) return rows_busy();
    std::this_thread::yield();
  }
}

Result<SearchResult> Engine::search_once(Searcher& searcher, VectorView query, std::span<Hit> hits,
                                         const SearchOptions& options, Patience& patience) const {
  SearchResult result;
  if (hits.empty()) {
    result.exact = true;
    return result;
  }
  const auto nothing_yet = [&]() -> Result<SearchResult> {
    if (patience.is_cancelled()) return Watch::asked();
    return SearchResult{0, false, true, 0};
  };
  if (patience.spend(0)) return nothing_yet();
  EpochGuard guard;
  const View view = this->view();
  const Storage& storage = *view.storage;
  schedule_point("search: live");
  const std::uint64_t live = live_.load(std::memory_order_acquire);
  const std::uint32_t used = storage.used.load(std::memory_order_acquire);
  const std::uint64_t budget = options.budget == 0 ? kNoBudget : options.budget;

  Status status = searcher.beam.reserve(2 * options_.M);
  if (status.ok()) status = searcher.code.reserve(code_scratch());
  if (status.ok()) status = searcher.exact.reserve(exact_.scratch_bytes());
  if (status.ok()) status = searcher.block.reserve(kBlock);
  if (status.ok()) status = searcher.block_distances.reserve(kBlock);
  if (!status.ok()) return status;

  TopHits top(hits, order_);
  const Scorer exact = exact_scorer(storage, query, searcher.exact.data());
  const auto key_of = [&](Slot slot) {
    return storage.states[slot].key.load(std::memory_order_relaxed);
  };
  const Filter& filter = options.filter;
  const FilterScope scope;

  // -- what passes ----------------------------------------------------------------------------
  const bool listed = filter.kind() == Filter::Kind::only || filter.kind() == Filter::Kind::except;
  if (listed) {
    if (status = searcher.marks.begin(used); !status.ok()) return status;
  }
  std::uint64_t marked = 0;  // visible slots of listed keys
  bool stale = false;        // one of them was written twice, or the index grew, meanwhile
  const auto mark_listed = [&](auto each) {
    for (const Key key : filter.keys()) {
      if (patience.spend(1)) return;
      // An entry may be newer than this search's storage, which then knows nothing of its slot.
      const Storage* newest = &storage;
      const Slot slot = directory_.find(key, [&] {
        newest = storage_.load(std::memory_order_acquire);
        return newest->states.data();
      });
      schedule_point("search: listed");
      if (slot == kNoSlot) continue;
      if (newest != &storage || slot >= used) {
        stale = true;
        continue;
      }
      const Slot seen = version_at(storage, slot, key, view.sequence, stale);
      if (seen == kNoSlot) continue;
      if (!searcher.marks.meet(seen)) continue;
      ++marked;
      each(seen);
    }
  };
  const auto passes = [&](Slot slot) {
    switch (filter.kind()) {
      case Filter::Kind::predicate:
        return filter.passes(key_of(slot));
      case Filter::Kind::only:
        return searcher.marks.is_met(slot);
      case Filter::Kind::except:
        return !searcher.marks.is_met(slot);
      default:
        return true;
    }
  };

  // -- what each way would cost -----------------------------------------------------------------
  const std::size_t k = hits.size();
  // Codes too coarse to choose links by do not know who is the k-th either: half as many more are
  // kept to choose from.
  const bool coarse = codes_ && !codes_->choose_links();
  std::size_t ef = options.ef == 0 ? options_.ef : options.ef;
  float stretch = 0;  // 0: the walk ends by ef alone
  const std::size_t anchor = anchor_of(std::max(k, RecallModel::kKs.front()), codes_.has_value());
  if (options.recall_target > 0) {
    const Effort effort = recall_model_.effort(k, options.recall_target);
    ef = effort.ef;
    if (options_.metric != Metric::ip && options_.metric != Metric::custom) {
      stretch = effort.stretch;
    }
  }
  ef = std::max<std::size_t>(ef, coarse ? k + k / 2 : k);
  const double distance_cost = cost_of_distance(exact_.stride());
  const double code_cost = cost_of_distance(codes_ ? codes_->stride() : exact_.stride());
  const double n = static_cast<double>(std::max<std::uint64_t>(live, 1));
  schedule_point("search: entry");
  const std::uint64_t entry = storage.entry.load(std::memory_order_acquire);
  schedule_point("search: graph?");
  const bool may_walk = graph_.load(std::memory_order_acquire) && entry != Storage::kNoEntry &&
                        live > options_.flat_below && !options.exact;

  // Slots that the walk may not meet: the number of what is visible was read before (backlog.cc).
  schedule_point("search: backlog from");
  const Slot backlog_from = linked_until_.load(std::memory_order_acquire);
  schedule_point("search: backlog until");
  const Slot backlog_until = std::min<Slot>(backlog_until_.load(std::memory_order_acquire), used);
  const double backlog =
      backlog_from < backlog_until ? static_cast<double>(backlog_until - backlog_from) : 0;

  double share = 1;  // of live keys that pass
  if (filter.kind() == Filter::Kind::only) {
    // Few enough keys are looked up and scored one by one.
    const double m = static_cast<double>(filter.keys().size());
    const double walk = code_cost * options_.M * static_cast<double>(ef) * n / std::max(m, 1.0);
    if (!may_walk || m * distance_cost <= walk) {
      BlockScorer block(key_of, exact, options.max_distance, top, searcher, budget);
      mark_listed([&](Slot slot) {
        if (!block.exhausted()) block.add(slot);
      });
      block.flush();
      if (patience.is_cancelled()) return Watch::asked();
      if (stale) return search_once(searcher, query, hits, options, patience);
      top.finish();
      result.count = static_cast<std::uint32_t>(top.count());
      result.exhausted = block.exhausted() || patience.is_over();
      result.exact = !result.exhausted;
      result.visited = block.scored();
      result.bytes = result.visited * exact_.stride();
      return result;
    }
    mark_listed([](Slot) {});
    share = static_cast<double>(marked) / n;
  } else if (filter.kind() == Filter::Kind::except) {
    mark_listed([](Slot) {});
    share = std::max(0.0, 1 - static_cast<double>(marked) / n);
  } else if (filter.kind() == Filter::Kind::predicate && may_walk) {
    std::uint32_t asked = 0;
    std::uint32_t passed = 0;
    const std::uint32_t most = std::clamp(used / kSamplePart, kLeastSampled, kMostSampled);
    // Slots far apart, the same ones each time: a search repeats.
    std::uint64_t at = used / 2;
    for (std::uint32_t i = 0; i < 2 * most && asked < most && passed < kSamplePasses; ++i) {
      const auto slot = static_cast<Slot>(at % used);
      at += 0x9E3779B97F4A7C15ULL % used + 1;
      if (!storage.states[slot].visible(view.sequence)) continue;
      ++asked;
      passed += passes(slot) ? 1 : 0;
    }
    share = (passed + 0.5) / (asked + 1.0);
  }

  // Without all marks nobody can tell what passes.
  if (patience.is_over()) return nothing_yet();
  if (stale) return search_once(searcher, query, hits, options, patience);

  const bool gated = filter.kind() != Filter::Kind::none;
  share = std::max(share, 1e-6);
  // A gated walk must meet ef / share nodes before ef of them pass.
  const double met = std::min(n, static_cast<double>(ef) / share);
  const double new_each = options_.M * 1.2;  // nodes met for the first time at each step
  const double step_cost = code_cost + kCostOfStep + (gated ? kCostOfPredicate : 0);
  const double walk_cost =
      std::min(n, met * new_each) * step_cost + backlog * (kCostOfState + code_cost);
  const double scan_cost =
      used * kCostOfState + n * (gated ? kCostOfPredicate : 0) + n * share * distance_cost * 0.6;

  const auto scan = [&](std::uint64_t already) {
    top.clear();
    BlockScorer block(key_of, exact, options.max_distance, top, searcher,
                      budget > already ? budget - already : 0);
    for (Slot slot = 0; slot < used && !block.exhausted(); ++slot) {
      if (slot % kBlock == 0 && patience.spend(kBlock)) break;
      if (storage.states[slot].visible(view.sequence) && passes(slot)) block.add(slot);
    }
    block.flush();
    result.exhausted = block.exhausted() || patience.is_over();
    result.exact = !result.exhausted;
    result.visited += block.scored();
    result.bytes += block.scored() * exact_.stride();
  };

  // flat_below 0 asks for the graph always; but a walk that would meet everybody is a scan.
  const bool cheaper = options_.flat_below == 0 && !gated ? ef >= live : walk_cost >= scan_cost;
  const double affordable = scan_cost / step_cost;  // nodes that a gated walk may meet
  const bool probes = gated && affordable > kWorthProbing * static_cast<double>(kProbe);
  if (!may_walk || (cheaper && !probes)) {
    scan(0);
    if (patience.is_cancelled()) return Watch::asked();
    top.finish();
    result.count = static_cast<std::uint32_t>(top.count());
    return result;
  }

  // -- the walk -----------------------------------------------------------------------------------
  const Links links = storage.links();
  const Scorer scorer = codes_ ? code_scorer(storage, query, searcher.code.data()) : exact;
  const std::uint64_t settled = displaced_.begin();
  Place place{static_cast<Slot>(entry), 0};
  scorer(&place.slot, 1, &place.distance);
  std::uint64_t scored = 1;
  searcher.beam.hops = searcher.beam.link_bytes = 0;
  for (auto level = static_cast<std::uint32_t>(entry >> 32); level > 0; --level) {
    place = descend(links, scorer, level, place, used, budget, searcher.beam, scored);
  }

  // A gated walk that meets too few answers gives up: at the latest when it has cost as much as a
  // scan; where a scan is expected to be cheaper, as soon as the first nodes tell nothing else.
  bool gave_up = false;
  bool probed = false;
  std::uint64_t met_by_walk = 0;
  const auto is_over = [&](std::size_t steps) {
    met_by_walk += steps;
    if (gated && met_by_walk >= kProbe) {
      const auto so_far = static_cast<double>(met_by_walk);
      const double rate = std::max(static_cast<double>(searcher.answers.size()), 0.5) / so_far;
      const double expected = probed || !cheaper || searcher.answers.full()
                                  ? so_far
                                  : static_cast<double>(ef) / rate * new_each;
      probed = true;
      gave_up = gave_up || expected > affordable;
    }
    return patience.spend(steps) || gave_up;
  };
  const bool ranged = options.max_distance < std::numeric_limits<float>::infinity();
  for (;;) {
    // A walk that ends by its stretch goes as far as the query needs, within reason.
    const std::size_t most = stretch > 0 ? std::max(ef * kMostStretched, anchor) : ef;
    // The pool of a gated walk holds the way, so it is wider by what does not pass.
    const std::size_t breadth =
        gated ? static_cast<std::size_t>(
                    std::min({n, affordable, 1.5 * static_cast<double>(most) / share}) + 1)
              : most;
    status = searcher.beam.visited.begin(used);
    if (status.ok()) status = searcher.beam.pool.begin(std::max(breadth, most));
    if (status.ok() && gated) status = searcher.answers.begin(most);
    if (!status.ok()) return status;
    CandidatePool& pool = gated ? searcher.answers : searcher.beam.pool;
    if (stretch > 0) pool.limit_reach(anchor, stretch);
    const auto walk_from = [&](Place from) {
      const std::uint64_t left = budget > scored ? budget - scored : 0;
      std::uint64_t walked;
      if (gated) {
        walked = filtered_beam_search(
            links, scorer, 0, from, left,
            [&](Slot slot) { return storage.states[slot].visible(view.sequence) && passes(slot); },
            searcher.answers, searcher.beam, is_over);
      } else {
        walked = beam_search(links, scorer, 0, from, left, searcher.beam, is_over);
      }
      scored += walked;
      result.exhausted = walked >= left || patience.is_over();
    };
    walk_from(place);
    const auto walk_on_from = [&](Slot slot) {
      if (result.exhausted || gave_up || slot >= used || !searcher.beam.visited.meet(slot)) return;
      Place missed{slot, 0};
      scorer(&missed.slot, 1, &missed.distance);
      ++scored;
      walk_from(missed);
    };
    // Links have a direction: from where the levels above led, not everybody may be reached. From
    // the entry point everybody is (hold.cc).
    if (searcher.beam.pool.size() < std::min<std::size_t>(breadth, live) && !pool.has_reach()) {
      walk_on_from(static_cast<Slot>(entry));
    }
    // Who lost a link meanwhile may be the way to others.
    displaced_.each_since(settled, walk_on_from);
    if (gave_up) {
      scan(scored);
      break;
    }
    std::size_t block = 0;

    // The walk's marks tell whom it has met all the same, since he was linked.
    const auto offer_block = [&] {
      const auto count = std::min<std::uint64_t>(block, budget > scored ? budget - scored : 0);
      result.exhausted = result.exhausted || count < block;
      scorer(searcher.block.data(), count, searcher.block_distances.data());
      for (std::size_t i = 0; i < count; ++i) {
        pool.offer(searcher.block_distances[i], searcher.block[i]);
      }
      scored += count;
      block = 0;
    };
    for (Slot slot = backlog_from; slot < backlog_until && !result.exhausted; ++slot) {
      if (slot % kBlock == 0 && patience.spend(kBlock)) break;
      if (!storage.states[slot].visible(view.sequence) || (gated && !passes(slot)) ||
          !searcher.beam.visited.meet(slot)) {
        continue;
      }
      searcher.block[block++] = slot;
      if (block == kBlock) offer_block();
    }
    const bool knows_departed = departures_.each_since(view.sequence, [&](Slot slot) {
      if (slot >= used || !storage.states[slot].visible(view.sequence) ||
          (gated && !passes(slot)) || !searcher.beam.visited.meet(slot)) {
        return;
      }
      searcher.block[block++] = slot;
      if (block == kBlock) offer_block();
    });
    offer_block();
    result.exhausted = result.exhausted || patience.is_over();
    if (!knows_departed && !result.exhausted) {
      scan(scored);
      break;
    }

    // Codes only choose: what may be among the k is scored on the exact rows.
    top.clear();
    std::size_t found = 0;
    bool beyond = false;  // range search: something farther was seen, so all nearer were too
    const std::size_t rerank = codes_ ? std::min(most, anchor_of(k, true)) : most;
    float error = 0;  // the largest seen of a code's distance
    const auto flush = [&] {
      if (codes_) {
        float by_code[kBlock];
        std::copy_n(searcher.block_distances.data(), block, by_code);
        exact(searcher.block.data(), block, searcher.block_distances.data());
        for (std::size_t i = 0; i < block; ++i) {
          error = std::max(error, std::abs(by_code[i] - searcher.block_distances[i]));
        }
        scored += block;
        result.reranked += block;
      }
      for (std::size_t i = 0; i < block; ++i) {
        const float distance = searcher.block_distances[i];
        if (distance > options.max_distance) {
          beyond = true;
        } else if (top.wants(distance)) {
          top.offer(Hit{key_of(searcher.block[i]), distance});
        }
      }
      block = 0;
    };
    exact.ask(std::min(pool.size(), rerank), [&](std::size_t i) { return pool.slot(i); });
    for (std::size_t i = 0; i < std::min(pool.size(), rerank); ++i) {
      __builtin_prefetch(&storage.states[pool.slot(i)]);
    }
    std::size_t due = codes_ ? std::min(k + 2, kBlock) : kBlock;
    for (std::size_t i = 0; i < pool.size() && found < rerank; ++i) {
      // Exact rows come in order: behind the k best only their equals can matter.
      if (!codes_ && found >= k && pool.distance(i) > pool.distance(i - 1)) break;
      // Behind them it would take an error twice the largest that was seen.
      if (codes_ && block == 0 && top.full() && !top.wants(pool.distance(i) - 2 * error)) break;
      const Slot slot = pool.slot(i);
      if (!gated && !storage.states[slot].visible(view.sequence)) continue;
      ++found;
      searcher.block[block] = slot;
      searcher.block_distances[block++] = pool.distance(i);
      if (block == due) {
        flush();
        if (codes_) due = kFewMore;
      }
    }
    flush();

    if (result.exhausted) break;
    if (ranged && !top.full() && !beyond && found < live && ef < live) {
      ef = std::min<std::size_t>(ef * 2, live);  // everything met was within reach: look farther
      continue;
    }
    if (found < k && found < live && !(ranged && beyond)) scan(scored);
    break;
  }
  if (patience.is_cancelled()) return Watch::asked();
  result.visited += scored;
  result.hops = searcher.beam.hops;
  result.bytes += searcher.beam.link_bytes + result.reranked * exact_.stride() +
                  (scored - result.reranked) * scorer.rows.stride;
  top.finish();
  result.count = static_cast<std::uint32_t>(top.count());
  return result;
}

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
      mine.count += result->count;
      add_search(mine, *result);
    }
    const std::lock_guard lock(merging);
    all.count += mine.count;
    add_search(all, mine);
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

// explain.cc - a search with a witness, and what became of the key it was asked about.
//
// The search is over when the key is looked at, but sees the index as it did: the same number, the
// same storage, the same marks of whom its walk has met.
#include <algorithm>

#include "base/watch.h"
#include "index/search.h"

namespace skerry {

std::string_view name_of(SearchWay way) noexcept {
  switch (way) {
    case SearchWay::scan:
      return "scan";
    case SearchWay::look_up:
      return "look_up";
    case SearchWay::walk:
      return "walk";
    case SearchWay::gated_walk:
      return "gated_walk";
    case SearchWay::probe:
      return "probe";
  }
  return "unknown";
}

std::string_view name_of(Fallback fallback) noexcept {
  switch (fallback) {
    case Fallback::none:
      return "none";
    case Fallback::gave_up:
      return "gave_up";
    case Fallback::too_few:
      return "too_few";
    case Fallback::too_late:
      return "too_late";
  }
  return "unknown";
}

std::string_view name_of(Fate fate) noexcept {
  switch (fate) {
    case Fate::absent:
      return "absent";
    case Fate::filtered:
      return "filtered";
    case Fate::returned:
      return "returned";
    case Fate::beyond_max_distance:
      return "beyond_max_distance";
    case Fate::beyond_k:
      return "beyond_k";
    case Fate::lost_in_rerank:
      return "lost_in_rerank";
    case Fate::dropped_from_pool:
      return "dropped_from_pool";
    case Fate::budget:
      return "budget";
    case Fate::deadline:
      return "deadline";
    case Fate::never_met:
      return "never_met";
  }
  return "unknown";
}

Result<Explanation> Engine::explain(VectorView query, std::optional<Key> key, std::span<Hit> hits,
                                    std::span<Hop> hops, const SearchOptions& options) const {
  if (Status status = check_search(options_, query, options); !status.ok()) return status;
  if (hits.empty()) {
    return Status(Code::invalid_argument, "hits: expected room for at least one, given none");
  }
  SearcherLease lease(searchers_);
  if (lease.get() == nullptr)
    return Status(Code::out_of_memory, "no memory for a search's scratch");
  SearchWitness witness(key, hops);
  const Result<SearchResult> result = search_with(*lease.get(), query, hits, options, &witness);
  if (!result.ok()) return result.status();
  return witness.report;
}

Status Engine::Search::begin_witness() {
  const Slot target = witness_->key() ? find_listed(*witness_->key()) : kNoSlot;
  return witness_->begin(storage_.states.data(), view_.sequence, used_, target);
}

void Engine::Search::note_plan() noexcept {
  Explanation& report = witness_->report;
  report.way = plan_.way;
  report.share = plan_.share;
  report.walk_cost_ns = plan_.walk_cost;
  report.scan_cost_ns = plan_.scan_cost;
}

Status Engine::Search::explain(const SearchResult& result) {
  Explanation& report = witness_->report;
  const bool was_late = patience_.is_over();
  patience_.mind_deadline(false);  // it was the search's
  Status status = reserve();
  if (!status.ok()) return status;
  gate_.mark(
      patience_, [&](Key key) { return find_listed(key); }, [](Slot) {});
  const Slot target = witness_->target();
  report.result = result;
  report.ef = static_cast<std::uint32_t>(breadth_.ef);
  report.stretch = breadth_.stretch;
  report.is_live = target != kNoSlot;
  report.passes = report.is_live && gate_.passes(target);
  if (report.is_live) {
    exact_(&target, 1, &report.distance);
    report.distance = ranked_distance(report.distance);
    const auto end = hits_.begin() + result.count;
    const auto hit = std::find_if(hits_.begin(), end,
                                  [&](const Hit& other) { return other.key == *witness_->key(); });
    if (hit != end) report.place = static_cast<std::uint32_t>(hit - hits_.begin()) + 1;
    if (has_walked()) count_in_links(report);
  }
  status = rank(report);
  report.fate = fate(report, was_late);
  patience_.mind_deadline(true);
  return status;
}

// By the order of answers, among all that a scan would look at.
Status Engine::Search::rank(Explanation& report) {
  const KeyOf key_of{storage_.states.data()};
  const Hit own{witness_->key().value_or(0), report.distance};
  std::uint64_t nearer = 0;
  std::size_t count = 0;
  const auto flush = [&] {
    exact_(searcher_.block.data(), count, searcher_.block_distances.data());
    for (std::size_t i = 0; i < count; ++i) {
      const Hit other{key_of(searcher_.block[i]), ranked_distance(searcher_.block_distances[i])};
      nearer += is_before(other, own, engine_.order_) ? 1 : 0;
    }
    report.passing += count;
    count = 0;
  };
  for (Slot slot = 0; slot < used_; ++slot) {
    if (slot % kBlock == 0 && patience_.spend(kBlock)) return Watch::asked();
    if (!is_visible(slot) || !gate_.passes(slot)) continue;
    searcher_.block[count++] = slot;
    if (count == kBlock) flush();
  }
  flush();
  if (report.passes) report.rank = nearer + 1;
  return {};
}

void Engine::Search::count_in_links(Explanation& report) const noexcept {
  const Links links = storage_.links();
  Slot* const list = searcher_.beam.list.data();
  for (Slot slot = 0; slot < used_; ++slot) {
    // Who is in the backlog may have no list yet.
    const bool waits = slot >= backlog_from_ && slot < backlog_until_;
    if (waits || !is_visible(slot)) continue;
    const Slot* const end = list + links.read(slot, 0, list);
    if (std::find<const Slot*>(list, end, witness_->target()) == end) continue;
    ++report.in_links;
    report.in_links_met += searcher_.beam.visited.is_met(slot) ? 1 : 0;
    report.in_links_asked += witness_->was_asked(slot) ? 1 : 0;
  }
}

Fate Engine::Search::fate(const Explanation& report, bool was_late) const noexcept {
  if (!report.is_live) return Fate::absent;
  if (!report.passes) return Fate::filtered;
  if (report.place != 0) return Fate::returned;
  if (report.distance > options_.max_distance) return Fate::beyond_max_distance;
  if (report.rank > k_) return Fate::beyond_k;
  const Fate ended = was_late ? Fate::deadline : Fate::budget;
  // A scan that comes to its end returns everybody who is among the k.
  if (!has_walked() || report.fallback != Fallback::none) return ended;
  if (witness_->was_in_pool) return Fate::lost_in_rerank;
  if (report.was_met) return Fate::dropped_from_pool;
  return report.result.exhausted ? ended : Fate::never_met;
}

}  // namespace skerry

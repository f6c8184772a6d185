// search_walk.cc - a search's way through the graph.
//
// Down the upper levels to the nearest node there, then the beam on layer 0. Beside it, whom the
// walk may have missed is scored on his code: the slots of the backlog, which no walk may meet yet,
// those who died since it began (departures.h), and who lost a link (displaced.h). The best are
// ranked again on the exact rows.
//
// A walk that ends with fewer hits than there may be is followed by a scan, so a search returns
// fewer than k only when fewer than k live keys pass. A search that is over before its end, for its
// budget or its deadline, returns the best that it has met.
#include <algorithm>
#include <limits>

#include "index/rerank.h"
#include "index/search.h"
#include "index/search_witness.h"

namespace skerry {

struct Engine::Search::Walk {
  Search& search;
  Searcher& searcher = search.searcher_;
  const Engine& engine = search.engine_;
  SearchWitness* const witness = search.witness_;
  const Storage& storage = search.storage_;
  const bool gated = search.plan_.is_gated();
  const Links links = storage.links();
  const bool has_codes = storage.shape.codes.has_value();
  const Scorer scorer =
      has_codes ? engine.code_scorer(storage, search.query_, searcher.code.data()) : search.exact_;
  const std::uint64_t settled = engine.displaced_.begin();
  CandidatePool& way = searcher.beam.pool;
  CandidatePool& pool = gated ? searcher.answers : way;  // of those that may be answers
  WalkDoubt doubt{search.plan_};
  std::size_t block = 0;  // slots in searcher.block

  Slot entry() const noexcept { return static_cast<Slot>(search.entry_); }
  bool& exhausted() const noexcept { return search.result_.exhausted; }
  bool is_answer(Slot slot) const {
    return search.is_visible(slot) && (!gated || search.gate_.passes(slot));
  }
  Place place_of(Slot slot) noexcept {
    Place place{slot, 0};
    scorer(&place.slot, 1, &place.distance);
    ++search.scored_;
    return place;
  }

  // To where layer 0 is entered.
  Place descend_from_entry() noexcept {
    searcher.beam.hops = searcher.beam.link_bytes = 0;
    Place place = place_of(entry());
    for (auto level = static_cast<std::uint32_t>(search.entry_ >> 32); level > 0; --level) {
      place = descend(links, scorer, level, place, search.used_, search.budget_, searcher.beam,
                      search.scored_, [&](Place at) {
                        if (witness != nullptr) witness->ask(at.slot, at.distance, level);
                      });
    }
    return place;
  }

  Status begin(std::size_t breadth, std::size_t most) {
    Status status = searcher.beam.visited.begin(search.used_);
    if (status.ok()) status = way.begin(std::max(breadth, most));
    if (status.ok() && gated) status = searcher.answers.begin(most);
    if (status.ok() && witness != nullptr) status = witness->begin_walk();
    if (!status.ok()) return status;
    if (search.breadth_.stretch > 0) {
      pool.limit_reach(search.breadth_.anchor, search.breadth_.stretch);
    }
    return status;
  }

  void walk_from(Place from) {
    const std::uint64_t left = search.budget_left();
    const auto is_over = [&](const BeamStep& step) {
      if (witness != nullptr) [[unlikely]]
        witness->step(step, searcher.beam, pool.bar());
      if (gated) doubt.note(step.count, search.breadth_.ef, pool.size(), pool.full());
      return search.patience_.spend(step.count) || doubt.gives_up();
    };
    if (witness != nullptr) witness->meet({&from.slot, 1}, &from.distance, pool.bar());
    const std::uint64_t walked =
        gated ? filtered_beam_search(
                    links, scorer, 0, from, left, [&](Slot slot) { return is_answer(slot); }, pool,
                    searcher.beam, is_over)
              : beam_search(links, scorer, 0, from, left, searcher.beam, is_over);
    search.scored_ += walked;
    exhausted() = walked >= left || search.patience_.is_over();
  }

  // The same walk, from one whom it may not have met.
  void walk_on_from(Slot slot) {
    if (exhausted() || doubt.gives_up() || slot >= search.used_) return;
    if (searcher.beam.visited.meet(slot)) walk_from(place_of(slot));
  }

  // The walk's marks tell whom it has met all the same, since he was linked.
  void score_beside(Slot slot) {
    if (slot >= search.used_ || !is_answer(slot) || !searcher.beam.visited.meet(slot)) return;
    searcher.block[block++] = slot;
    if (block == kBlock) offer_block();
  }

  void offer_block() {
    const auto count = std::min<std::uint64_t>(block, search.budget_left());
    exhausted() = exhausted() || count < block;
    scorer(searcher.block.data(), count, searcher.block_distances.data());
    for (std::size_t i = 0; i < count; ++i) {
      pool.offer(searcher.block_distances[i], searcher.block[i]);
    }
    search.scored_ += count;
    if (witness != nullptr) {
      witness->meet({searcher.block.data(), count}, searcher.block_distances.data(), pool.bar());
    }
    block = 0;
  }

  // False: more may have been missed than is known.
  bool score_whom_no_link_leads_to() {
    for (Slot slot = search.backlog_from_; slot < search.backlog_until_ && !exhausted(); ++slot) {
      if (slot % kBlock == 0 && search.patience_.spend(kBlock)) break;
      score_beside(slot);
    }
    const bool knows_departed = engine.departures_.each_since(
        search.view_.sequence, [&](Slot slot) { score_beside(slot); });
    offer_block();
    exhausted() = exhausted() || search.patience_.is_over();
    return knows_departed || exhausted();
  }

  Rerank rerank(std::size_t most) {
    search.top_.clear();
    const std::size_t again = has_codes ? std::min(most, rerank_count(search.k_, true)) : most;
    Rerank rerank(pool, storage.states.data(), search.k_, again, search.options_.max_distance,
                  search.top_);
    // What the gate let in was visible.
    const auto is_answer = [&](Slot slot) { return gated || search.is_visible(slot); };
    if (has_codes) {
      rerank.on_codes(search.exact_, searcher, is_answer);
    } else {
      rerank.on_rows(is_answer);
    }
    search.scored_ += rerank.scored();
    search.result_.reranked += rerank.scored();
    if (witness != nullptr) witness->end_walk(pool, rerank.looked_at(), has_codes);
    return rerank;
  }

  // Why a scan is to find the hits; none: they are in `top_`.
  Result<Fallback> run() {
    const Place place = descend_from_entry();
    const bool ranged = search.options_.max_distance < std::numeric_limits<float>::infinity();
    std::size_t& ef = search.breadth_.ef;
    for (;;) {
      const std::size_t most = search.breadth_.most();
      const std::size_t breadth = search.plan_.breadth_of_way(most);
      if (Status status = begin(breadth, most); !status.ok()) return status;
      walk_from(place);
      // Links have a direction: from where the levels above led, not everybody may be reached. From
      // the entry point everybody is (hold.cc).
      if (way.size() < std::min<std::size_t>(breadth, search.live_) && !way.has_reach()) {
        walk_on_from(entry());
      }
      // Who lost a link meanwhile may be the way to others.
      engine.displaced_.each_since(settled, [&](Slot slot) { walk_on_from(slot); });
      if (doubt.gives_up()) return Fallback::gave_up;
      if (!score_whom_no_link_leads_to()) return Fallback::too_late;

      const Rerank ranked = rerank(most);
      if (exhausted()) return Fallback::none;
      // One beyond the distance that was asked for was met, so all nearer were too.
      if (ranked.is_beyond() || ranked.found() >= search.live_) return Fallback::none;
      if (ranged && !search.top_.full() && ef < search.live_) {
        ef = std::min<std::size_t>(ef * 2, search.live_);
        continue;
      }
      return ranked.found() >= search.k_ ? Fallback::none : Fallback::too_few;
    }
  }
};

Status Engine::Search::walk() {
  Walk walk{*this};
  const Result<Fallback> fallback = walk.run();
  if (!fallback.ok()) return fallback.status();
  if (*fallback != Fallback::none) scan();
  if (witness_ != nullptr) {
    witness_->report.fallback = *fallback;
    witness_->report.bar_at_end = walk.pool.bar();
  }
  result_.visited += scored_;
  result_.hops = searcher_.beam.hops;
  result_.bytes += searcher_.beam.link_bytes + result_.reranked * exact_.rows.stride +
                   (scored_ - result_.reranked) * walk.scorer.rows.stride;
  return {};
}

}  // namespace skerry

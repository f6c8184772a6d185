// search.cc - one query, from the caller's span to the caller's span.
//
// What passes the filter is found out first, as far as that is cheap; then the way is chosen by
// what each is expected to cost (search_plan.h), and gone: here, where every row that may be an
// answer is looked at, or through the graph (search_walk.cc).
#include "index/search.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/schedule.h"
#include "quant/convert.h"

namespace skerry {

namespace {

// Of a search that is over before it has looked at anybody.
Result<SearchResult> nothing_yet(const Patience& patience) {
  if (patience.is_cancelled()) return Watch::asked();
  return SearchResult{0, false, true};
}

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
                                         const SearchOptions& options,
                                         SearchWitness* witness) const {
  using Look = CheckedRows::Look;
  const Look outer = CheckedRows::trouble();  // of a search whose filter calls this one
  Patience patience(options.control);
  for (int attempt = 0;; ++attempt) {
    CheckedRows::set_trouble(Look::whole);
    const std::uint64_t mended = this->mended();
    const Result<SearchResult> result =
        search_once(searcher, query, hits, options, patience, witness);
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
                                         const SearchOptions& options, Patience& patience,
                                         SearchWitness* witness) const {
  if (hits.empty()) return SearchResult{0, true, false};
  for (;;) {
    Search search(*this, searcher, query, hits, options, patience, witness);
    const Result<SearchResult> result = search.run();
    Status status;
    if (witness != nullptr && result.ok() && !search.is_stale()) status = search.explain(*result);
    if (search.is_stale()) continue;
    if (!status.ok()) return status;
    return result;
  }
}

Engine::Search::Search(const Engine& engine, Searcher& searcher, VectorView query,
                       std::span<Hit> hits, const SearchOptions& options, Patience& patience,
                       SearchWitness* witness) noexcept
    : engine_(engine),
      searcher_(searcher),
      query_(query),
      options_(options),
      patience_(patience),
      witness_(witness),
      view_(engine.view()),
      storage_(*view_.storage),
      live_([&] {
        schedule_point("search: live");
        return engine.live_.load(std::memory_order_acquire);
      }()),
      used_(storage_.used.load(std::memory_order_acquire)),
      budget_(options.budget == 0 ? kNoBudget : options.budget),
      hits_(hits),
      k_(hits.size()),
      top_(hits, engine.order_),
      gate_(options.filter, storage_.states.data(), searcher.marks) {}

Result<SearchResult> Engine::Search::run() {
  if (witness_ != nullptr) {
    if (Status status = begin_witness(); !status.ok()) return status;
  }
  if (patience_.spend(0)) return nothing_yet(patience_);
  if (Status status = reserve(); !status.ok()) return status;
  choose_breadth();
  look_at_graph();

  SearchCase given = search_case();
  if (options_.filter.kind() == Filter::Kind::only) {
    const SearchPlan plan = plan_look_up(given, options_.filter.keys().size());
    if (plan.way == SearchWay::look_up) {
      plan_ = plan;
      if (witness_ != nullptr) note_plan();
      look_up();
      return finish();
    }
  }
  if (gate_.is_listed()) {
    gate_.mark(
        patience_, [&](Key key) { return find_listed(key); }, [](Slot) {});
  }
  if (gate_.is_listed() || may_walk_) given.share = gate_.share(live_, used_, view_.sequence);
  // Without all marks nobody can tell what passes.
  if (is_stale_ || patience_.is_over()) return nothing_yet(patience_);

  plan_ = plan_search(given);
  if (witness_ != nullptr) note_plan();
  if (plan_.way == SearchWay::scan) {
    scan();
  } else if (Status status = walk(); !status.ok()) {
    return status;
  }
  return finish();
}

Status Engine::Search::reserve() {
  Status status = searcher_.beam.reserve(2 * engine_.options_.M);
  if (status.ok()) status = searcher_.code.reserve(engine_.code_scratch(storage_));
  if (status.ok()) status = searcher_.exact.reserve(engine_.exact_.scratch_bytes());
  if (status.ok()) status = searcher_.block.reserve(kBlock);
  if (status.ok()) status = searcher_.block_distances.reserve(kBlock);
  if (status.ok()) status = gate_.begin(used_);
  if (status.ok()) exact_ = engine_.exact_scorer(storage_, query_, searcher_.exact.data());
  return status;
}

void Engine::Search::choose_breadth() noexcept {
  const IndexOptions& index = engine_.options_;
  breadth_.ef = options_.ef == 0 ? index.ef : options_.ef;
  breadth_.anchor =
      rerank_count(std::max(k_, RecallModel::kKs.front()), storage_.shape.codes.has_value());
  if (options_.recall_target > 0) {
    const Effort effort = engine_.recall_model_.effort(k_, options_.recall_target);
    breadth_.ef = effort.ef;
    if (index.metric != Metric::ip && index.metric != Metric::custom) {
      breadth_.stretch = effort.stretch;
    }
  }
  // Codes too coarse to choose links by do not know who is the k-th either: half as many more are
  // kept to choose from.
  const std::optional<ShortCodes>& codes = storage_.shape.codes;
  const bool coarse = codes && !codes->choose_links();
  breadth_.ef = std::max<std::size_t>(breadth_.ef, coarse ? k_ + k_ / 2 : k_);
}

// Slots of the backlog, which a walk may not meet, come last: the number of what is visible was
// read before (backlog.cc).
void Engine::Search::look_at_graph() noexcept {
  schedule_point("search: entry");
  entry_ = storage_.entry.load(std::memory_order_acquire);
  schedule_point("search: graph?");
  may_walk_ = engine_.graph_.load(std::memory_order_acquire) && entry_ != Storage::kNoEntry &&
              live_ > engine_.options_.flat_below && !options_.exact;
  schedule_point("search: backlog from");
  backlog_from_ = engine_.linked_until_.load(std::memory_order_acquire);
  schedule_point("search: backlog until");
  backlog_until_ = std::min<Slot>(engine_.backlog_until_.load(std::memory_order_acquire), used_);
}

SearchCase Engine::Search::search_case() const noexcept {
  SearchCase given;
  given.live = live_;
  given.used = used_;
  given.backlog = backlog_from_ < backlog_until_ ? backlog_until_ - backlog_from_ : 0;
  given.row_bytes = engine_.exact_.stride();
  given.code_bytes = storage_.shape.codes ? storage_.shape.code_stride : given.row_bytes;
  given.M = engine_.options_.M;
  given.ef = breadth_.ef;
  given.may_walk = may_walk_;
  given.always_walks = engine_.options_.flat_below == 0;
  given.gated = !gate_.is_none();
  return given;
}

// The version of a listed key that this search sees.
Slot Engine::Search::find_listed(Key key) noexcept {
  // An entry may be newer than this search's storage, which then knows nothing of its slot.
  const Storage* newest = &storage_;
  const Slot slot = engine_.directory_.find(key, [&] {
    newest = engine_.storage_.load(std::memory_order_acquire);
    return newest->states.data();
  });
  schedule_point("search: listed");
  if (slot == kNoSlot) return kNoSlot;
  if (newest != &storage_ || slot >= used_) {
    is_stale_ = true;
    return kNoSlot;
  }
  return version_at(storage_, slot, key, view_.sequence, is_stale_);
}

void Engine::Search::look_up() {
  BlockScorer block(KeyOf{storage_.states.data()}, exact_, options_.max_distance, top_, searcher_,
                    budget_);
  gate_.mark(
      patience_, [&](Key key) { return find_listed(key); },
      [&](Slot slot) {
        if (!block.exhausted()) block.add(slot);
      });
  take_over(block);
}

// Whatever a walk before it has found is found again.
void Engine::Search::scan() {
  top_.clear();
  BlockScorer block(KeyOf{storage_.states.data()}, exact_, options_.max_distance, top_, searcher_,
                    budget_left());
  for (Slot slot = 0; slot < used_ && !block.exhausted(); ++slot) {
    if (slot % kBlock == 0 && patience_.spend(kBlock)) break;
    if (is_visible(slot) && gate_.passes(slot)) block.add(slot);
  }
  take_over(block);
}

void Engine::Search::take_over(BlockScorer<KeyOf>& block) {
  block.flush();
  result_.exhausted = block.exhausted() || patience_.is_over();
  result_.exact = !result_.exhausted;
  result_.visited += block.scored();
  result_.bytes += block.scored() * exact_.rows.stride;
}

Result<SearchResult> Engine::Search::finish() noexcept {
  if (patience_.is_cancelled()) return Watch::asked();
  top_.finish();
  result_.count = static_cast<std::uint32_t>(top_.count());
  return result_;
}

}  // namespace skerry

// union_search.cc - which are the nearest of several collections together?
//
// Each collection is searched by itself, and its hits, which come sorted, are merged into those of
// the collections before it. Once there are k, the next search is asked for nothing farther than
// the k-th: what it leaves out could not have stayed. The merge keeps the earlier collection's hit
// where distance and key are equal, so ties end with the place in the list.
#include <algorithm>

#include "base/watch.h"
#include "db/database_state.h"
#include "db/kinds.h"

namespace skerry {
namespace {

Key key_of(const Hit& hit) noexcept {
  return hit.key;
}
std::string_view key_of(const NamedHit& hit) noexcept {
  return hit.name.view();
}
Key key_of(const UnionHit& hit) noexcept {
  return hit.key;
}
std::string_view key_of(const NamedUnionHit& hit) noexcept {
  return hit.name.view();
}

UnionHit of(std::uint32_t collection, const Hit& hit) noexcept {
  return {hit.key, hit.distance, collection};
}
NamedUnionHit of(std::uint32_t collection, const NamedHit& hit) noexcept {
  return {hit.name, hit.distance, collection};
}

// Byte strings compare as unsigned bytes, as std::string_view does.
template <class A, class B>
bool is_nearer(const A& a, const B& b) noexcept {
  if (a.distance != b.distance) return a.distance < b.distance;
  return key_of(a) < key_of(b);
}

}  // namespace

Status DatabaseState::check_union(std::span<const Collection> collections,
                                  bool by_name) const noexcept {
  for (std::size_t i = 0; i < collections.size(); ++i) {
    const CollectionState* const state = collections[i].state_.get();
    if (state == nullptr)
      return Status(Code::closed, "collection {b}: the handle was moved from", 0, i);
    if (&state->database() != this) {
      return Status(Code::invalid_argument, "collection {b} is of another database", 0, i);
    }
    const CollectionOptions& first = collections[0].state_->options();
    const CollectionOptions& options = state->options();
    const auto differs = [&](const char* text) { return Status(Code::incompatible, text, 0, i); };
    if (options.index.dimension != first.index.dimension) {
      return differs("collection {b} has another dimension than the first");
    }
    if (options.index.metric != first.index.metric) {
      return differs("collection {b} has another metric than the first");
    }
    if (options.index.scalar != first.index.scalar) {
      return differs("collection {b} has another scalar than the first");
    }
    if (options.byte_keys != first.byte_keys) {
      return differs("collection {b} has another kind of key than the first");
    }
  }
  return collections.empty() ? Status() : check_kind(collections[0].state_->options(), by_name);
}

template <class One, class Each>
Result<SearchResult> DatabaseState::merge_searches(std::span<const Collection> collections,
                                                   VectorView query, std::span<Each> hits,
                                                   const SearchOptions& options,
                                                   std::vector<One>& found,
                                                   std::vector<Each>& merged) const {
  const std::size_t k = hits.size();
  if (found.size() < k) found.resize(k);
  if (merged.size() < k) merged.resize(k);
  Watch watch(without_deadline(options.control), collections.size());
  SearchResult all;
  all.exact = true;
  std::size_t count = 0;
  for (std::size_t i = 0; i < collections.size(); ++i) {
    if (const Status wanted = watch.at(i); !wanted.ok()) return wanted;
    SearchOptions each = options;
    each.control = watch.inner();
    each.control.deadline = options.control.deadline;
    if (count == k && k != 0) {
      each.max_distance = std::min(options.max_distance, hits[k - 1].distance);
    }
    if (options.budget != 0) {
      if (all.visited >= options.budget) {
        all.exhausted = true;
        all.exact = false;
        break;
      }
      each.budget = options.budget - all.visited;
    }
    const Result<SearchResult> result =
        collections[i].state_->search(query, std::span<One>(found.data(), k), each);
    if (!result.ok()) return result.error();
    all += *result;

    std::size_t mine = 0;
    std::size_t its = 0;
    std::size_t both = 0;
    while (both < k && (mine < count || its < result->count)) {
      const bool takes_its =
          mine == count || (its < result->count && is_nearer(found[its], hits[mine]));
      merged[both++] = takes_its ? of(static_cast<std::uint32_t>(i), found[its++]) : hits[mine++];
    }
    std::copy_n(merged.begin(), both, hits.begin());
    count = both;
  }
  all.count = static_cast<std::uint32_t>(count);
  return all;
}

Result<SearchResult> DatabaseState::search_union(std::span<const Collection> collections,
                                                 VectorView query, std::span<UnionHit> hits,
                                                 const SearchOptions& options) const {
  const Status status = check_union(collections, false);
  if (!status.ok()) return status;
  const ScratchLease lease(union_scratch_);
  if (lease.get() == nullptr) return Status(Code::out_of_memory, "no memory for the call");
  return merge_searches(collections, query, hits, options, lease.get()->found, lease.get()->merged);
}

Result<SearchResult> DatabaseState::search_union(std::span<const Collection> collections,
                                                 VectorView query, std::span<NamedUnionHit> hits,
                                                 const SearchOptions& options) const {
  const Status status = check_union(collections, true);
  if (!status.ok()) return status;
  const ScratchLease lease(union_scratch_);
  if (lease.get() == nullptr) return Status(Code::out_of_memory, "no memory for the call");
  return merge_searches(collections, query, hits, options, lease.get()->named_found,
                        lease.get()->named_merged);
}

}  // namespace skerry

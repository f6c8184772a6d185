// explain.h - why did a search return a key, or why not?
//
//   skerry::Hit hits[10];
//   skerry::Hop hops[256];
//   auto why = index->explain(query, 4711, hits, hops, {.ef = 32});
//   if (why->fate == skerry::Fate::dropped_from_pool) ...      a larger ef would have kept it
//
// The search is made as search() makes it, with the same hits and the same cost, and what it did is
// noted. Then the key is looked at: is it there, does it pass, how near is it, how many are nearer,
// who links to it.
#pragma once

#include <cstdint>
#include <string_view>

#include "skerry/export.h"
#include "skerry/types.h"

namespace skerry {

// The way that a search chose, by what each was expected to cost.
enum class SearchWay : std::uint8_t {
  scan,        // every vector that passes, exactly
  look_up,     // every key of an allow-list, exactly
  walk,        // the graph, on codes where the collection has them
  gated_walk,  // the graph, with a filter: it decides who is an answer, and not where the walk goes
  probe,       // a gated walk where a scan was expected to be cheaper: its first nodes were to show
};

// Whether a walk was followed by a scan, whose hits are the answer then.
enum class Fallback : std::uint8_t {
  none,
  gave_up,   // too few of those that it met passed
  too_few,   // it ended with fewer hits than there may be
  too_late,  // more vectors were removed beside it than it can know of
};

// What became of the key. The first that is true.
enum class Fate : std::uint8_t {
  absent,               // there is no such key
  filtered,             // the filter does not let it pass
  returned,             // it is among the hits
  beyond_max_distance,  // it is farther than max_distance
  beyond_k,             // k others are nearer: no search returns it
  lost_in_rerank,       // the pool had it to the end, behind those that were ranked again
  dropped_from_pool,    // the walk met it, too far on its code to be kept
  budget,               // the search ended, for its budget, before it came by
  deadline,             // or for its deadline
  never_met,            // the walk asked nobody who links to it
};

SKERRY_API std::string_view name_of(SearchWay way) noexcept;
SKERRY_API std::string_view name_of(Fallback fallback) noexcept;
SKERRY_API std::string_view name_of(Fate fate) noexcept;

// A node whose neighbours a walk looked at. Levels fall from hop to hop until 0, where the walk
// asks the nearest it has met, two at a time.
struct Hop {
  Key key = 0;
  float distance = 0;  // to the query, on the codes
  std::uint32_t level = 0;
  bool is_live = false;  // false: a removed vector, or an older version, that is on its way out
};
struct NamedHop {
  Name name;  // empty when a removed name is forgotten
  float distance = 0;
  std::uint32_t level = 0;
  bool is_live = false;
};

struct Explanation {
  // What search() returns, and what it cost.
  SearchResult result;

  // -- the way it went
  SearchWay way = SearchWay::scan;
  Fallback fallback = Fallback::none;
  double share = 1;         // of the live keys that pass, as it was known, or estimated, before
  double walk_cost_ns = 0;  // expected; rough, of one machine: their ratio is what was looked at
  double scan_cost_ns = 0;  // (of the look-up, where that was the way)
  std::uint32_t ef = 0;     // of the walk; a range search may have widened it
  float stretch = 0;        // 0: it ended by ef alone
  float bar_at_end = 0;     // how far the pool reached then, on the codes; infinity: it had room

  // -- the key
  Fate fate = Fate::absent;
  bool is_live = false;
  bool passes = false;        // the filter
  float distance = 0;         // exact; of a live key
  std::uint64_t rank = 0;     // its true one among the live keys that pass, 1 the nearest; 0: none
  std::uint64_t passing = 0;  // live keys that pass
  std::uint32_t place = 0;    // among the hits, 1 the nearest; 0: it was not returned

  // -- the key and the walk; of a scan or a look-up all of this is 0
  bool was_met = false;
  bool was_reranked = false;
  std::uint64_t met_at_hop = 0;  // 1 .. result.hops: which one led to it; 0: none, it was scored
                                 // where the walk began or beside it
  float code_distance = 0;
  float bar_when_met = 0;            // how far the pool reached after that step
  std::uint32_t in_links = 0;        // live nodes that link to it on level 0
  std::uint32_t in_links_met = 0;    // of them, met
  std::uint32_t in_links_asked = 0;  // and of these, asked for their neighbours
};

}  // namespace skerry

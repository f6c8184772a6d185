// effort.h - what have several searches cost, and found, together?
#pragma once

#include "skerry/types.h"

namespace skerry {

// All but the count, which is the caller's to make.
inline void add_search(SearchResult& all, const SearchResult& one) noexcept {
  all.exact = all.exact && one.exact;
  all.exhausted = all.exhausted || one.exhausted;
  all.visited += one.visited;
  all.hops += one.hops;
  all.reranked += one.reranked;
  all.bytes += one.bytes;
}

}  // namespace skerry

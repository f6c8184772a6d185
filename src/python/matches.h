// matches.h - what a search found, as numpy arrays.
//
// Threads: with the GIL.
#pragma once

#include <span>

#include "python/keys.h"
#include "python/python.h"
#include "skerry/types.h"

namespace skerry::python {

struct Matches {
  py::object keys;         // (count,) or (rows, k)
  py::object distances;    // the same
  py::object counts;       // int or (rows,)
  py::object collections;  // of a union: places in the list; else None
  SearchResult cost;
};

// Of one query: as long as there are hits.
Matches matches_of(std::span<const Hit> hits, KeyKind kind, const SearchResult& cost);
Matches matches_of(std::span<const NamedHit> hits, KeyKind kind, const SearchResult& cost);
Matches matches_of(std::span<const UnionHit> hits, KeyKind kind, const SearchResult& cost);
Matches matches_of(std::span<const NamedUnionHit> hits, KeyKind kind, const SearchResult& cost);

// Of counts.size() queries: row i has counts[i] hits from hits[i * room] on. The arrays are k wide;
// what a row lacks is the key 2^64 - 1 (None for names) at an infinite distance.
Matches matches_of(std::span<const Hit> hits, std::span<const std::uint32_t> counts,
                   std::size_t room, std::size_t k, KeyKind kind, const SearchResult& cost);
Matches matches_of(std::span<const NamedHit> hits, std::span<const std::uint32_t> counts,
                   std::size_t room, std::size_t k, KeyKind kind, const SearchResult& cost);

void bind_matches(py::module_& module);

}  // namespace skerry::python

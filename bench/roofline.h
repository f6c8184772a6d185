// roofline.h - how long must a search take on this machine, at the very least?
//
// A search does a few things over and over: it reads lists of links, it scores rows of its codes,
// it scores again rows of the vectors. Each is a *stage*: so many a query, so many bytes each.
// However well it is written, a stage's bytes come from memory no faster than the machine fetches
// prefetched records of that size, drawn at random from a table as large; and its rows are scored
// no faster than when they are at hand. At best the two overlap wholly:
//
//     T >= max( sum of count * compute_ns,  sum of count * memory_ns )
//
// What is left out (marks, the pool, the query's own code) makes a search slower than that; a
// search that meets the same rows more often than chance would, and so in the cache, makes it
// faster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "machine.h"
#include "skerry/options.h"
#include "skerry/types.h"

namespace skerry::bench {

// What one row of a table, or one list, costs at best.
struct Cost {
  std::size_t bytes = 0;
  double compute_ns = 0;  // at hand
  double memory_ns = 0;   // fetched from anywhere in its table
};

struct Stage {
  double count = 0;  // a query
  Cost cost;
};

struct Bound {
  double compute_us = 0;
  double memory_us = 0;

  double us() const { return compute_us > memory_us ? compute_us : memory_us; }
  const char* by() const { return compute_us > memory_us ? "compute" : "memory"; }
};
Bound bound_of(std::span<const Stage> stages);

// What searches cost together, in the library's counters.
struct SearchCounts {
  std::uint64_t searches = 0;
  std::uint64_t scans = 0;        // of them: looked at every vector, at some time
  std::uint64_t hops = 0;         // lists of links that were read
  std::uint64_t evaluations = 0;  // rows that were scored to find the way
  std::uint64_t reranks = 0;      // rows that were scored again, exactly
  std::uint64_t bytes = 0;

  void add(const SearchResult& result);
  double mean(std::uint64_t count) const {
    return static_cast<double>(count) / static_cast<double>(searches);
  }
};

// What the tables of an index cost.
struct TableCosts {
  Cost links;  // a list of the lowest layer; those above are shorter, and few
  Cost codes;  // the vectors' own, when those are walked
  Cost vectors;
};

// Of the mean search. A scan reads rows in order, which is another matter: there are none.
std::vector<Stage> stages_of(const SearchCounts& counts, const TableCosts& costs);

// Measures what the tables of indexes of `rows` vectors cost, each size of record once, for a
// fraction of a second each.
class Roofline {
 public:
  explicit Roofline(std::size_t rows) noexcept : rows_(rows) {}

  // Throws std::runtime_error without memory, Stopped after Ctrl-C.
  TableCosts costs_of(const IndexOptions& options);

 private:
  Cost cost_of(const RowCost& row);

  std::size_t rows_;
  std::map<std::size_t, double> memory_ns_;  // by size of record
};

}  // namespace skerry::bench

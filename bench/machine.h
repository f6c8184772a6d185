// machine.h - how fast is this machine at what a search is made of: fetching records that lie
// anywhere in a large table, and scoring rows that are at hand?
//
// Everything is measured on one thread, by its CPU time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "skerry/options.h"

namespace skerry::bench {

// Of one figure: so many runs, each of at least `seconds`. What is drawn, is drawn from `seed`.
struct Effort {
  std::uint32_t runs = 3;
  double seconds = 0.01;
  std::uint64_t seed = 1;
};

// Nanoseconds, over the runs. Whoever shares the machine makes the median larger; the least says
// what is possible.
struct Timing {
  double median = 0;
  double least = 0;
};

// How records are read, each of them wholly.
enum class Way : std::uint8_t {
  dependent,    // where the next one is, stands in this one: what is waited for one fetch
  independent,  // one after the other, as far as the CPU looks ahead by itself
  prefetched    // with prefetches ahead, as many as the batch kernels make
};
std::string_view name_of(Way way) noexcept;

// Memory to draw records from, in pages like those of an index. Throws std::runtime_error when
// there is not so much.
class Arena {
 public:
  explicit Arena(std::size_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // What it takes to read one of `record` bytes (a multiple of 4), drawn at random from the first
  // `table` bytes, which are at least one record and at most the arena; std::runtime_error when
  // they are not. Throws Stopped after Ctrl-C.
  Timing record_ns(std::size_t record, std::size_t table, Way way, const Effort& effort) const;

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

// A row of one of an index's tables, and what it takes to score it when it is in the cache.
struct RowCost {
  std::size_t bytes = 0;  // to the next one: padding included
  Timing ns;
};

// Of the vectors themselves, and of the codes that a search walks instead of them; nothing when it
// walks the vectors. The query is of the vectors' own type. Throws Stopped after Ctrl-C.
RowCost vector_row(const IndexOptions& options, const Effort& effort);
std::optional<RowCost> code_row(const IndexOptions& options, const Effort& effort);

}  // namespace skerry::bench

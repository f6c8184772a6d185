// quantizer.h - what must a code be able to do?
//
// A code turns a vector into a row of fixed size, and a query into something a batch kernel scores
// against rows. Everything above this room sees only `Scorer`: one function pointer and plain
// arguments, settled once a query. A new code is a class with these functions; the graph does not
// change.
//
// Codes are data-oblivious: they depend on the vector alone, so they never go stale under updates.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/checked_rows.h"
#include "base/read_ahead.h"
#include "simd/kernels.h"
#include "skerry/types.h"

namespace skerry {

// A query that is ready, and the kernel that understands it.
struct QueryCode {
  simd::Query query;
  simd::BatchKernel kernel = nullptr;
};

// Distances from one query to rows of one table.
struct Scorer {
  QueryCode code;
  simd::Rows rows;
  CheckedRows* unchecked = nullptr;  // asked before the rows are read; null: they were looked at
  ReadAhead* ahead = nullptr;        // of rows on a disk; null: they are in memory

  // Rows that may not be read are infinitely far away; whoever asks knows by CheckedRows::trouble.
  void operator()(const std::uint32_t* slots, std::size_t count, float* out) const {
    if (ahead != nullptr) [[unlikely]] {
      ahead->around(slots, count, [&] { score(slots, count, out); });
    } else {
      score(slots, count, out);
    }
  }

  // Rows that will be scored, some at a time.
  template <class SlotOf>
  void ask(std::size_t count, SlotOf slot_of) const noexcept {
    if (ahead != nullptr) [[unlikely]]
      ahead->ask(count, slot_of);
  }

 private:
  void score(const std::uint32_t* slots, std::size_t count, float* out) const {
    if (unchecked != nullptr && !unchecked->admit(slots, count)) [[unlikely]] {
      std::fill_n(out, count, std::numeric_limits<float>::infinity());
      return;
    }
    code.kernel(code.query, rows, slots, count, out);
  }
};

template <class Q>
concept Quantizer = requires(const Q& q, VectorView vector, std::byte* row, const std::byte* other,
                             std::byte* scratch) {
  // Bytes from one row to the next.
  { q.stride() } -> std::same_as<std::size_t>;
  // Bytes of scratch that a query or an encoding needs. It starts where a float may.
  { q.scratch_bytes() } -> std::same_as<std::size_t>;
  // Writes the row of a checked vector.
  { q.encode(vector, row, scratch) }
  noexcept;
  // Prepares a checked query; what it returns points into the scratch or the vector.
  { q.prepare(vector, scratch) }
  noexcept->std::same_as<QueryCode>;
  // Prepares a row as the query, for distances between nodes; may point into the row.
  { q.prepare_row(other, scratch) }
  noexcept->std::same_as<QueryCode>;
  // The table that starts at `other`.
  { q.rows(other) }
  noexcept->std::same_as<simd::Rows>;
};

// Rows longer than a line start on a line; shorter ones never straddle one.
constexpr std::size_t row_stride(std::size_t bytes) noexcept {
  if (bytes > 64) return (bytes + 63) / 64 * 64;
  std::size_t stride = 4;
  while (stride < bytes) stride *= 2;
  return stride;
}

// A table of such rows, with how far ahead the kernels prefetch in it: some hundred lines on their
// way. ns a row, chosen at random from 512 MB (Zen 5, AVX-512, huge pages), without prefetching, 4
// rows ahead, as here: u8 128-d 33, 25, 13; u8 784-d 110, 56, 50; f32 128-d 43, 33, 27. Beyond some
// twenty lines a row the CPU's own prefetcher keeps memory busy and nothing matters much.
inline simd::Rows describe_rows(const std::byte* base, std::size_t stride, std::size_t dimension,
                                std::size_t tail) noexcept {
  simd::Rows rows;
  rows.base = base;
  rows.stride = stride;
  rows.dimension = static_cast<std::uint32_t>(dimension);
  rows.tail = static_cast<std::uint32_t>(tail);
  rows.lines = static_cast<std::uint32_t>(std::clamp<std::size_t>(stride / 64, 1, 16));
  rows.lookahead = stride <= 256 ? 32 : stride <= 1024 ? 12 : 4;
  return rows;
}

}  // namespace skerry

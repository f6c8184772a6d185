// truth.h - the exact answers to a set of queries, to measure recall against.
//
// .ibin:  uint32 queries, uint32 k, then queries * k int32 rows, nearest first, then as many
//         float32 distances; places without an answer hold row -1 and an infinite distance.
// .ivecs: per query int32 k and k int32 rows; no distances.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/outcome.h"

namespace skerry::formats {

struct Truth {
  std::uint32_t queries = 0;
  std::uint32_t k = 0;
  std::vector<std::int32_t> rows;
  std::vector<float> distances;  // empty when the file has none

  std::span<const std::int32_t> rows_of(std::size_t query) const noexcept {
    return std::span(rows).subspan(query * k, k);
  }
};

Outcome read_truth(const std::string& path, Truth& truth);
Outcome write_truth(const std::string& path, const Truth& truth);  // .ibin

}  // namespace skerry::formats

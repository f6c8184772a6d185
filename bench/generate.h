// generate.h - vectors from nothing: the "lid24-384" set, which behaves like text embeddings.
//
// Real embeddings lie near a surface of far fewer dimensions than they have components, in clumps
// of very different sizes. So: 1,024 clusters, the i-th with weight 1 / (i + 1), their centres
// normal in 24 dimensions with spread 1.0; a point is its cluster's centre plus normal noise of
// 0.4; a fixed random matrix takes it to 384 components, and it is normalised. Uniform random
// vectors would be far harder than anything real and tell little.
//
// Each row depends on the seed and its own number alone, so a smaller set is the beginning of a
// larger one, and threads do not matter. Queries are rows of another stream of the same
// distribution: no query is in the base.
#pragma once

#include <cstddef>
#include <cstdint>

#include "matrix.h"

namespace skerry::bench {

struct ClusterSet {
  std::size_t dimension = 384;
  std::size_t latent = 24;
  std::size_t clusters = 1024;
  double spread = 1.0;
  double noise = 0.4;
  std::uint64_t seed = 0x1D24;
};

enum class Stream : std::uint64_t { base = 1, queries = 2 };

// O(rows * latent * dimension), on `threads` threads.
Matrix generate(const ClusterSet& set, Stream stream, std::size_t rows, unsigned threads);

}  // namespace skerry::bench

// small_set.h - a small generated data set for the bench's own tests.
#pragma once

#include <cstddef>

#include "dataset.h"
#include "generate.h"

namespace skerry::bench {

inline Dataset small_set(const ClusterSet& clusters, std::size_t rows, std::size_t queries) {
  Dataset set;
  set.metric = Metric::l2;
  set.base = generate(clusters, Stream::base, rows, 1);
  set.queries = generate(clusters, Stream::queries, queries, 1);
  return set;
}

}  // namespace skerry::bench

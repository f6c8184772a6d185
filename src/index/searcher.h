// searcher.h - the scratch of one search.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "base/scratch_pool.h"
#include "graph/beam_search.h"

namespace skerry {

struct Searcher {
  BeamScratch beam;
  CandidatePool answers;          // of a filtered search
  VisitedSet marks;               // slots of an allow-list or deny-list
  Buffer<std::byte> code;         // the query as the codes want it
  Buffer<std::byte> exact;        // the query as the exact rows want it
  Buffer<Slot> block;             // slots to be scored together
  Buffer<float> block_distances;  // theirs
};

using SearcherPool = ScratchPool<Searcher>;
using SearcherLease = ScratchLease<Searcher>;

}  // namespace skerry

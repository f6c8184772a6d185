// scenarios.h - small worlds in which a few threads meet, one interleaving a round.
//
// A round is an index of some tens of vectors, with few links each, so that lists are full, slots
// are used again and storages grown within a few calls. Threads call it under a Scheduler;
// afterwards an order must explain all answers (support/history.h), every hit must have had the
// distance of its key's vector, and check() must find nothing broken and nobody out of reach.
#pragma once

#include <cstdint>
#include <string>

namespace skerry::testing {

struct RoundReport {
  const char* scenario = "";
  std::uint64_t steps = 0;
  std::string trouble;  // empty: none
};

// Everything follows from the seed.
RoundReport play_round(std::uint64_t seed);

}  // namespace skerry::testing

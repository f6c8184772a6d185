// settings.h - what the command line asked for, in one place; every measurement takes what it
// needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataset.h"
#include "peer.h"
#include "skerry/options.h"

namespace skerry::bench {

struct Settings {
  DataOptions data;
  PeerChoice choice;
  GraphOptions graph;
  std::uint32_t k = 10;
  std::vector<std::uint32_t> ef = {10, 16, 24, 32, 40, 56, 80, 120, 180, 280, 400};
  std::vector<double> recall_targets;  // search: of those that can be asked for a recall
  std::vector<double> shares = {0.5, 0.1, 0.01, 0.001};  // filter: of the rows that pass
  std::vector<unsigned> threads = {1};
  unsigned build_threads = 1;
  std::uint32_t runs = 3;
  double seconds = 0.3;  // a measured stretch lasts at least so long
  std::vector<std::size_t> sizes = {100, 1000, 10'000, 50'000, 100'000};  // build, crossover
  std::size_t batch = 100;
  std::uint32_t rounds = 5;                               // update
  double fraction = 0.2;                                  // of the keys, a round
  std::vector<std::size_t> batches = {1, 16, 256, 4096};  // durable, crossover, disk
  std::vector<unsigned> writers = {1};
  bool updates = false;  // durable: of keys that are present
  std::vector<Durability> durability = {Durability::commit};
  std::size_t prefill = 10'000;  // vectors that are there before the clock runs
  // disk, probe
  std::vector<std::uint32_t> dimensions = {100, 128, 384, 512, 768, 1024, 1536, 4096};
  std::size_t rows = 100'000;
  std::uint32_t turnovers = 5;
  std::vector<Durability> collections;  // that take part beside Skerry's index: churn, mixed
  std::string runbook;                  // churn
  std::size_t tenants = 100'000;        // tenants: collections
  std::size_t each = 20;                // vectors in each of them
  std::size_t beside = 20'000;          // vectors of the large one
  std::size_t arena_mb = 1024;          // probe: memory that records are drawn from
  std::uint64_t seed = 1;               // probe: of the draws
  std::string folder;  // where databases are made; "": the system's for temporary files
};

}  // namespace skerry::bench

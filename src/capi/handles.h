// handles.h - what is behind the opaque pointers of c.h?
//
// A handle of C is an object of C++ with a name of its own. An index also notes in which process it
// was made, because some of its calls have no way to say `closed`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/fork.h"
#include "skerry/c.h"
#include "skerry/database.h"

struct skerry_index {
  skerry::Index index;
  std::uint64_t generation = skerry::fork_generation();
};

struct skerry_database {
  skerry::Database database;
};

struct skerry_collection {
  skerry::Collection collection;
};

struct skerry_snapshot {
  skerry::Snapshot snapshot;
};

struct skerry_repair_report {
  skerry::RepairReport report;

  // Names of the report as C wants them, one a collection. They are made when somebody first asks:
  // a repair that is done must not fail for want of memory.
  struct Names {
    std::vector<skerry_name> keys_lost;
    std::vector<skerry_name> payload_keys_lost;
  };
  mutable std::mutex making;
  mutable std::vector<Names> names;  // under `making`; constant once made
};

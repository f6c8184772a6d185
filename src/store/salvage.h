// salvage.h - a new store out of what can be read of a damaged one.
//
// What is current in the damaged file is for remains.h to say; here its records become collections
// again, each from whatever tells it:
//
//   a vector            its row in the heap, which has its key; or the row of an image (Witness),
//   if
//                       nothing has changed the key since
//   its place           the row
//   a byte-string key   either of its two directions
//   counters            counted anew; the sequence number is one that nobody has seen
//   a collection        its record; or its image, which has the options. A name that the record's
//                       own checksum does not prove is not used
//   a payload           itself
//   the log             nothing: a new one begins. Images that it leads to are good while no row of
//                       the collection is lost, and too old otherwise
//
// A row counts when it lies before the collection's last: what is behind it on the last page was
// moved or removed. Without counters the last row is what the places say, or the pages prove.
//
// Memory: that of remains.h; 16 MB of rows on their way; 8 bytes a lost key, and a key in the log
// of a collection that lost rows.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "skerry/options.h"
#include "skerry/repair.h"
#include "skerry/status.h"
#include "store/remains.h"
#include "store/schema.h"

namespace skerry::store {

// Who else knows what a collection was: it is asked only for what the store has lost.
class Witness {
 public:
  virtual ~Witness() = default;

  // What it knows was true of the collection of that number after change `sequence`.
  struct Testimony {
    Identity identity = {};  // of the store
    IndexOptions options;
    std::uint64_t sequence = 0;
  };
  virtual std::optional<Testimony> about(std::uint32_t collection) = 0;

  // Every row, as of that change, that it can show whole.
  virtual Status rows(std::uint32_t collection, FunctionRef<Status(Key, Bytes)> visit) = 0;

  // No collection that it has heard of has a higher number.
  virtual std::uint32_t last_collection() = 0;
};

struct SalvageOptions {
  // The new store takes the old one's place, and its identity: images of the old fit it.
  bool keeps_identity = true;
};

// Reads the store in `damaged`, which nobody has open and which is not written to, and makes a
// store in the empty folder `fresh`, synced and checked. When report.is_whole, the old one needs no
// repair. Errors: corruption (nothing can be told from what was removed; no collection can be
// read), incompatible (not a store of ours, or of another format), storage_full, io_error, and what
// `step` fails with. Then what is in `fresh` is of no use.
Status salvage(const std::filesystem::path& damaged, const std::filesystem::path& fresh,
               Witness& witness, const SalvageOptions& options, Remains::Step step,
               RepairReport& report);

}  // namespace skerry::store

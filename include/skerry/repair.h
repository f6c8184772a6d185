// repair.h - what did a repair keep, make again, and lose?
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "skerry/control.h"
#include "skerry/types.h"

namespace skerry {

struct RepairOptions {
  // Where the repaired database goes: a folder that is new or empty. Empty: into its own place.
  std::filesystem::path destination = {};
  Control control = {};  // done: pages read, about; stopped, nothing has changed
};

// Keys from first to last, both included.
struct KeyRange {
  Key first = 0;
  Key last = 0;
};

struct CollectionRepair {
  std::string name;
  std::uint32_t number = 0;  // its number in the store

  // False: nothing tells its options any more, or whether it had been dropped, and it is gone with
  // all of its rows; a collection of that kind may have no name here.
  bool is_kept = true;
  // Its record was damaged. The options are those of its image; the name is its own if the record's
  // checksum proves it, and else "recovered-NUMBER".
  bool has_options_of_image = false;
  // Its counters were damaged, and are counted anew.
  bool is_recounted = false;

  std::uint64_t rows = 0;         // it has now
  std::uint64_t rows_mended = 0;  // of them: one bit had turned over, and was turned back
  std::uint64_t rows_from_image =
      0;  // of them: the row of the store was lost, that of the image not
  std::uint64_t places_rebuilt = 0;  // of them: only where the row lies was lost

  // Rows that are gone. When a collection is recounted the number may be too low.
  std::uint64_t rows_lost = 0;
  bool is_rows_lost_exact = true;
  // Which they are, as far as it is known: by number, or by byte-string key. The others lie in the
  // ranges (of byte-string keys: nothing more is known).
  std::vector<Key> keys_lost;
  std::vector<std::string> names_lost;
  std::vector<KeyRange> ranges_lost;

  // The same of payloads whose rows are kept. A row that has lost its payload has none now.
  std::uint64_t payloads = 0;
  std::uint64_t payloads_lost = 0;
  bool is_payloads_lost_exact = true;
  std::vector<Key> payload_keys_lost;
  std::vector<std::string> payload_names_lost;
  std::vector<KeyRange> payload_ranges_lost;

  // The saved index holds what is lost, and is made again when the collection is opened.
  bool is_image_discarded = false;
};

struct RepairReport {
  // Nothing is damaged. Nothing was changed, and there is no copy.
  bool is_whole = false;
  // Something could not be kept: rows, payloads, a collection, or perhaps the last commit.
  bool has_losses = false;

  // The root of the last commit is damaged, or cannot be told from the one before: what is kept is
  // one consistent moment, and may be that before the last commit.
  bool may_lack_last_commit = false;
  // store/synced.root was damaged: if the power had gone while writes were not synced, rows of
  // different moments may be mixed.
  bool may_mix_moments = false;
  // The list of collections lost records, and not all of them are accounted for below.
  bool may_lack_collections = false;
  // The store's own record was lost: it has a new identity, so that no image of before fits it.
  bool has_new_identity = false;

  std::uint64_t pages = 0;          // of the damaged file
  std::uint64_t pages_damaged = 0;  // of its tables, damaged or missing
  std::uint64_t pages_found = 0;    // whole, though nothing led to them any more

  // Where the damaged store is now, when the repaired one has taken its place.
  std::filesystem::path set_aside;

  std::vector<CollectionRepair> collections;
};

}  // namespace skerry

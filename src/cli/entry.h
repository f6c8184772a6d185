// entry.h - one stored entry, whatever the kind of its key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/keys.h"
#include "skerry/collection.h"

namespace skerry::cli {

struct Entry {
  std::vector<float> vector;
  std::string payload;
};

// False when there is no such key. Uses the entry's memory again.
bool read_entry(const Collection& collection, const KeyList& keys, std::size_t i,
                std::uint32_t dimension, bool payloads, Entry& entry);

// Every live key, ascending.
KeyList all_keys(const Collection& collection, bool names);

}  // namespace skerry::cli

// upgrade.h - a store of an older version becomes one of ours.
//
// All of it is written anew beside the old file, in transactions of bounded size, synced, and
// renamed over it: whoever is killed in between finds the old store or the new one, whole, and the
// disk must hold both for a while. The identity stays, so images of the store still fit it.
#pragma once

#include <filesystem>

#include "skerry/status.h"

namespace skerry::store {

// The store in `folder`, which has an older version and which nobody has open.
// Errors: storage_full, io_error, corruption; the old store is as it was.
Status upgrade(const std::filesystem::path& folder);

// What an upgrade that was killed has left beside the store. What stays costs room and nothing
// else.
void remove_upgrade_leftovers(const std::filesystem::path& folder);

}  // namespace skerry::store

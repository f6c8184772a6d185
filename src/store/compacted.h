// compacted.h - how is a smaller copy of a store written, so that somebody can watch and stop it?
//
// LMDB writes such a copy in one call, to a descriptor. It is given the end of a pipe, on a thread
// of its own; the caller's thread takes the bytes out at the other end, puts them into the file and
// counts them. When it is asked to stop it closes its end, and LMDB's next write fails.
//
// The pages go through the pipe once more than they must: one copy in memory, beside a file that is
// written and synced. Without a Control LMDB writes into the file itself.
#pragma once

#include <lmdb.h>

#include "base/watch.h"

namespace skerry::store {

// Writes a compacted copy of the newest snapshot into `fd`, an empty file. Returns LMDB's or the
// system's error number, 0 for success; when `watch` has stopped it, some error.
int copy_compacted(MDB_env* env, int fd, Watch& watch);

}  // namespace skerry::store

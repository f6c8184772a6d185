// synced_root.h - what does the store go back to when the power goes while nothing is synced?
//
// With Durability::none LMDB writes pages and roots without a sync, and the device may keep them in
// any order: after power loss both roots can point to pages that were never written, and nothing in
// LMDB's format would tell. So before the first write after a sync the root of that sync is kept in
// a file of its own, `store/synced.root`, and its transaction is held open for reading, so that
// LMDB uses none of its pages again. When everything is synced anew the file goes.
//
// An open that finds the file asks whether the machine has been started since. If not, a program
// ended and the system still has every write: nothing is lost. If it has, the kept root is written
// over the two of LMDB: the store is what it was at the sync, whatever became of later writes.
//
//   before the file is there    everything in the store is synced
//   while it is there           the pages of its root are on the device and are not written
//   after it has gone           everything is synced again
//
// Cost: a small file, synced, for each sync() that is followed by a write.
//
// The file, 256 bytes, little-endian but for LMDB's own numbers, which are the machine's:
//
//     0  12  "skerry root\0"
//    12  u32 version, 1
//    16  40  the boot: /proc/sys/kernel/random/boot_id, zeroes behind
//    56  u64 bytes of a page
//    64 152  the beginning of the root's page, as LMDB wrote it
//   216  36  zero
//   252  u32 CRC-32C of what stands before
//
// Threads: plain functions; the caller is the only writer of the store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "skerry/status.h"

namespace skerry::store {

// What is left when a root was being kept by a process that was killed: of no use.
inline constexpr const char* kKeptRootBeside = "synced.root.new";

// Keeps the root that transaction `number` wrote to the store in `fd`, everything of which is
// synced. `page_bytes`: of the store. Errors: storage_full, io_error; corruption: `fd` has no such
// root.
Status keep_synced_root(const std::filesystem::path& folder, int fd, std::uint64_t number,
                        std::uint64_t page_bytes);

// Everything is synced: no root needs to be kept. Lasts when it returns.
Status forget_synced_root(const std::filesystem::path& folder);

// Before LMDB opens the store in `folder`: goes back to the kept root if the power has gone since.
// Whether there is one, which is then to be forgotten after a sync. Errors: corruption (the kept
// root is damaged; or it is needed and `read_only`), io_error.
Result<bool> recover_synced_root(const std::filesystem::path& folder, bool read_only);

// The beginning of the root's page: its header, and LMDB's record (lmdb_layout.h).
using SyncedRoot = std::array<std::byte, 152>;

// For who reads the store without LMDB: whether the kept root counts instead of LMDB's two, and
// then what it is. Changes nothing. Errors: corruption (what is kept is damaged), incompatible,
// io_error.
Result<bool> read_synced_root(const std::filesystem::path& folder, SyncedRoot& root);

}  // namespace skerry::store

// system_calls.h - what do the library and LMDB ask of the operating system?
//
// An executable that links system_calls.cc has its calls on files, maps and threads pass by an
// observer, who may write them down (power) or let them fail (fault). Without an observer they go
// straight to the kernel. What the C library calls inside itself is not seen, nor are calls that
// only look (stat, readdir). Linux with glibc only.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace skerry::torture {

struct SystemCall {
  enum class Kind {
    open,
    read,
    write,
    sync,      // fsync, fdatasync, msync, sync_file_range
    truncate,  // `offset` is the new size
    rename,
    remove,
    mkdir,
    map,     // `flags` are the protection, `sharing` MAP_SHARED and the like
    lock,    // flock, and fcntl of record locks
    thread,  // pthread_create
    random,
    snapshot,  // of LMDB, when lmdb_calls.cc is linked too: a reader's transaction begins
    change,    // a row is written or removed
    commit,
  };
  Kind kind;
  const char* name;  // of the function
  int fd = -1;       // the file; of open, rename, remove and mkdir the folder that `path` is in
  const char* path = nullptr;  // of open an observer may exchange it
  int target_fd = -1;          // of rename
  const char* target = nullptr;
  const iovec* parts = nullptr;  // of write
  int part_count = 0;
  std::size_t bytes = 0;     // of read, write and map; an observer may lower it: a short write
  std::int64_t offset = -1;  // of read, write and truncate
  int flags = 0;             // of open and map
  int sharing = 0;           // of map
};

class SystemCallObserver {
 public:
  // The error number to fail with, or 0: the call is made. Must not allocate when the allocations
  // are watched too.
  virtual int before(SystemCall& call) noexcept = 0;

  // `result` as the call returned it; negative: it failed.
  virtual void after(const SystemCall& call, std::int64_t result) noexcept = 0;

 protected:
  ~SystemCallObserver() = default;
};

extern std::atomic<SystemCallObserver*> system_call_observer;

// What the observer says before the call: the error to fail with, or 0, also when there is none.
int refusal_of(SystemCall& call) noexcept;

}  // namespace skerry::torture

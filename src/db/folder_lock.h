// folder_lock.h - is anybody else in this folder?
//
// An flock() on `<folder>/lock`: exclusive for a writer, shared for read-only opens. It belongs to
// the open file, so a second open in the same process is refused as well, and it goes with the
// process however that ends.
#pragma once

#include <filesystem>

#include "skerry/status.h"

namespace skerry {

class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // busy when somebody else holds it.
  Status take(const std::filesystem::path& folder, bool shared) noexcept;
  void release() noexcept;

  // In a forked child: closes the child's copy, which leaves the lock with the parent.
  void forget() noexcept;

 private:
  int fd_ = -1;
};

}  // namespace skerry

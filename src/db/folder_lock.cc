// folder_lock.cc - flock() on a file of the folder.
#include "db/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace skerry {

FolderLock::~FolderLock() {
  release();
}

Status FolderLock::take(const std::filesystem::path& folder, bool shared) noexcept {
  const std::filesystem::path file = folder / "lock";
  int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  // A folder on a device that cannot be written may still be read.
  if (fd < 0 && shared) fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return status_of_errno(errno, "cannot open the folder's lock: {e}");
  if (::flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK) return Status(Code::busy, "the database is open elsewhere");
    return status_of_errno(error, "cannot lock the folder: {e}");
  }
  fd_ = fd;
  return Status();
}

void FolderLock::release() noexcept {
  if (fd_ < 0) return;
  // Said aloud, as a forked child may hold a copy of the descriptor.
  ::flock(fd_, LOCK_UN);
  forget();
}

void FolderLock::forget() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace skerry

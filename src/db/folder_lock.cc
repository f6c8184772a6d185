// folder_lock.cc - OFD locks on bytes of a file of the folder.
#include "db/folder_lock.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace skerry {
namespace {

constexpr off_t kOpen = 0;
constexpr off_t kProcesses = off_t{1} << 40;
constexpr off_t kWriters = off_t{1} << 41;
constexpr off_t kImages = off_t{1} << 42;
constexpr off_t kPids = off_t{1} << 32;  // more than there are

// How long an open waits for a process that is alone. There is no lock with a deadline, so it looks
// again now and then.
constexpr int kLooks = 1000;
constexpr timespec kBetweenTries = {0, 5'000'000};

// Zero, or the error; EAGAIN when somebody else is in the way.
int lock_bytes(int fd, short kind, off_t first, off_t count, bool wait = false) noexcept {
  struct flock range = {};
  range.l_type = kind;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count;
  while (::fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range) != 0) {
    if (errno == EINTR) continue;
    return errno == EACCES ? EAGAIN : errno;
  }
  return 0;
}

Status cannot_lock(int error) noexcept {
  return status_of_errno(error, "cannot lock the folder: {e}");
}

}  // namespace

FolderLock::~FolderLock() {
  release();
}

Status FolderLock::take(const std::filesystem::path& folder, As as) {
  const std::filesystem::path file = folder / "lock";
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  blind_ = fd_ < 0 && as == As::reader;
  if (blind_) fd_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return status_of_errno(errno, "cannot open the folder's lock: {e}");
  const Status status = enter(as);
  if (!status.ok()) release();
  return status;
}

Status FolderLock::enter(As as) noexcept {
  const off_t process = ::getpid();
  if (!blind_) {
    const int error = lock_bytes(fd_, F_WRLCK, kProcesses + process, 1);
    if (error == EAGAIN) {
      return Status(Code::busy, "the database is open already in process {a}",
                    static_cast<std::uint64_t>(process));
    }
    if (error != 0) return cannot_lock(error);
  }
  int error = 0;
  if (blind_) {
    error = lock_bytes(fd_, F_RDLCK, kWriters, kPids);
  } else if (as == As::writer) {
    error = lock_bytes(fd_, F_WRLCK, kWriters + process, 1);
  } else if (as == As::only_writer) {
    error = lock_bytes(fd_, F_WRLCK, kWriters, kPids);
  }
  if (error == EAGAIN) {
    return blind_ ? Status(Code::busy,
                           "the database is open for writing, and who cannot write the folder "
                           "cannot be known to writers")
                  : Status(Code::busy,
                           "another process writes, or a reader that cannot write the folder "
                           "has it open; with durability none there is one writer");
  }
  if (error != 0) return cannot_lock(error);
  for (int looks = 0;; ++looks) {
    error = blind_ ? EAGAIN : lock_bytes(fd_, F_WRLCK, kOpen, 1);
    alone_ = error == 0;
    if (error == EAGAIN) error = lock_bytes(fd_, F_RDLCK, kOpen, 1);
    if (error == 0) return Status();
    if (error != EAGAIN) return cannot_lock(error);
    if (looks == kLooks) return Status(Code::busy, "another process is alone in the database");
    ::nanosleep(&kBetweenTries, nullptr);
  }
}

Status FolderLock::let_others_in() noexcept {
  if (!alone_) return Status();
  const int error = lock_bytes(fd_, F_RDLCK, kOpen, 1);
  if (error != 0) return cannot_lock(error);
  alone_ = false;
  return Status();
}

Status FolderLock::become_alone() noexcept {
  const int error = lock_bytes(fd_, F_WRLCK, kOpen, 1);
  if (error == EAGAIN) return Status(Code::busy, "another process has the database open");
  if (error != 0) return cannot_lock(error);
  alone_ = true;
  return Status();
}

bool FolderLock::is_here(pid_t process) const noexcept {
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = kProcesses + process;
  range.l_len = 1;
  if (process == ::getpid() || ::fcntl(fd_, F_OFD_GETLK, &range) != 0) return true;
  return range.l_type != F_UNLCK;
}

void FolderLock::release() noexcept {
  if (fd_ < 0) return;
  // Said aloud, as a forked child may hold a copy of the descriptor.
  static_cast<void>(lock_bytes(fd_, F_UNLCK, 0, 0));
  forget();
}

void FolderLock::forget() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  alone_ = false;
}

ImageLock::~ImageLock() {
  release();
}

void ImageLock::release() noexcept {
  if (fd_ < 0) return;
  // Said aloud, as a child that was forked meanwhile holds a copy of the descriptor.
  static_cast<void>(lock_bytes(fd_, F_UNLCK, 0, 0));
  ::close(fd_);
  fd_ = -1;
}

Status ImageLock::take(const std::filesystem::path& folder, std::uint32_t collection, For what,
                       bool wait) {
  const bool shared = what == For::loading;
  const std::filesystem::path file = folder / "lock";
  fd_ = ::open(file.c_str(), (shared ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (fd_ < 0) return status_of_errno(errno, "cannot open the folder's lock: {e}");
  const off_t byte = kImages + 2 * off_t{collection} + (what == For::making ? 1 : 0);
  const int error = lock_bytes(fd_, shared ? F_RDLCK : F_WRLCK, byte, 1, wait);
  if (error == EAGAIN) return Status(Code::busy, "somebody is making the image");
  if (error != 0) return cannot_lock(error);
  return Status();
}

}  // namespace skerry

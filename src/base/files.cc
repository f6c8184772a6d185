// files.cc - syncs, and errors as Status.
#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace skerry {

Status status_of_errno(int error, const char* text) noexcept {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return Status(Code::storage_full, "no space left on the device");
    case EFBIG:
      return Status(Code::storage_full, "the file would exceed the largest size allowed");
    case EAGAIN:
      return Status(Code::out_of_memory, "the operating system has no thread left");
    case ENOMEM:
      return Status(Code::out_of_memory, "the operating system has no memory left");
    default:
      return Status(Code::io_error, text, static_cast<std::uint64_t>(error));
  }
}

Status sync_path(const std::filesystem::path& path) noexcept {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return status_of_errno(errno, "cannot open for syncing: {e}");
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return status_of_errno(error, "cannot sync: {e}");
  return Status();
}

}  // namespace skerry

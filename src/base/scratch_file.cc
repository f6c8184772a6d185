#include "base/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>

#include "base/files.h"

namespace skerry {
namespace {

// Where the file system, or the kernel, knows no files without names.
int open_and_unlink(const std::filesystem::path& folder) {
  std::string path = (folder / "scratch-XXXXXX").string();
  const int fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0) ::unlink(path.c_str());
  return fd;
}

}  // namespace

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<ScratchFile> ScratchFile::create(const std::filesystem::path& folder) try {
  int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) fd = open_and_unlink(folder);
  if (fd < 0) return status_of_errno(errno, "cannot make a file for vectors on disk: {e}");
  return ScratchFile(fd);
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory for the index");
}

Status ScratchFile::take(std::uint64_t offset, std::uint64_t bytes) noexcept {
  for (;;) {
    const int error = ::posix_fallocate(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    if (error == 0) return {};
    if (error != EINTR) return status_of_errno(error, "no room for vectors on disk: {e}");
  }
}

Status ScratchFile::write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
  return write_at(fd_, offset, bytes, "cannot write vectors on disk: {e}");
}

}  // namespace skerry

// shared_counter.cc - one page of a file, mapped by every process.
#include "db/shared_counter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/files.h"

namespace skerry {
namespace {

constexpr std::size_t kFileBytes = 4096;

// A page that is there in full: the device must not find out that it is full when we write to it.
Status make_page(int fd) noexcept {
  struct stat file = {};
  if (::fstat(fd, &file) != 0) return status_of_errno(errno, "cannot look at shared: {e}");
  if (file.st_size == static_cast<off_t>(kFileBytes) && file.st_blocks != 0) return Status();
  static constexpr std::array<char, kFileBytes> kZeroes = {};
  const ssize_t written = ::pwrite(fd, kZeroes.data(), kFileBytes, 0);
  if (written < 0) return status_of_errno(errno, "cannot write shared: {e}");
  if (written != static_cast<ssize_t>(kFileBytes)) return status_of_errno(ENOSPC, "");
  return Status();
}

}  // namespace

SharedCounter::~SharedCounter() {
  if (commits_ != &none_) ::munmap(commits_, kFileBytes);
}

Status SharedCounter::open(const std::filesystem::path& folder, bool alone, bool read_only) {
  const std::filesystem::path path = folder / "shared";
  const int access = alone ? O_RDWR | O_CREAT : read_only ? O_RDONLY : O_RDWR;
  const int fd = ::open(path.c_str(), access | O_CLOEXEC, 0644);
  if (fd < 0) return status_of_errno(errno, "cannot open shared: {e}");
  Status status = alone ? make_page(fd) : Status();
  struct stat file = {};
  if (status.ok() && ::fstat(fd, &file) != 0) {
    status = status_of_errno(errno, "cannot look at shared: {e}");
  }
  if (status.ok() && file.st_size < static_cast<off_t>(kFileBytes)) {
    status = Status(Code::corruption, "shared is cut short while others use it");
  }
  if (status.ok()) {
    void* page =
        ::mmap(nullptr, kFileBytes, PROT_READ | (read_only ? 0 : PROT_WRITE), MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
      status = status_of_errno(errno, "cannot map shared: {e}");
    } else {
      commits_ = static_cast<std::atomic<std::uint64_t>*>(page);
    }
  }
  ::close(fd);
  return status;
}

std::uint64_t SharedCounter::count_others() const noexcept {
  const std::lock_guard lock(raising_);
  return others();
}

void SharedCounter::raise() noexcept {
  const std::lock_guard lock(raising_);
  commits_->fetch_add(1, std::memory_order_acq_rel);
  ours_.fetch_add(1, std::memory_order_release);
}

}  // namespace skerry

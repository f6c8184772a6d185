// scratch_file.h - room on a disk that ends with the process.
//
// The file has no name, so nobody else opens it, and after a crash there is nothing to clean up.
// What is mapped of it may be written out and dropped by the kernel when memory is wanted, which
// ordinary memory may not.
//
// Space is taken before it is used: a full disk is an error of take(), never a SIGBUS of whoever
// writes through a mapping. (Not on a file system that copies what it overwrites, as ZFS does:
// there the promise is as good as its own.)
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include "skerry/status.h"

namespace skerry {

class ScratchFile {
 public:
  ScratchFile() noexcept = default;
  ScratchFile(ScratchFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ScratchFile& operator=(ScratchFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~ScratchFile();

  // Makes one in the file system of `folder`. io_error, storage_full, out_of_memory.
  static Result<ScratchFile> create(const std::filesystem::path& folder);

  bool is_open() const noexcept { return fd_ >= 0; }
  int descriptor() const noexcept { return fd_; }

  // Takes the space of these bytes; those that were not written are zero. storage_full, io_error.
  Status take(std::uint64_t offset, std::uint64_t bytes) noexcept;

  // io_error, storage_full.
  Status write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept;

 private:
  explicit ScratchFile(int fd) noexcept : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace skerry

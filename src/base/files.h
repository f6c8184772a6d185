// files.h - the few things we ask of files beyond the standard library: writes at a place, syncs,
// errors as Status, and folders that are read and removed when there is no memory left.
//
// Threads: plain functions.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "skerry/status.h"

namespace skerry {

// What error number `error` of the operating system means to a caller: storage_full for a full
// device, quota or file-size limit, out_of_memory, or io_error with `text`, in which {e} stands for
// the system's own words.
Status status_of_errno(int error, const char* text) noexcept;

// Closes a descriptor at the end of a block; one that is negative is none.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// Writes all of `bytes`, in as many pieces as the system takes; `text` as above.
Status write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
                const char* text) noexcept;

// Makes the contents of a file, or the names in a folder, survive power loss.
Status sync_path(const std::filesystem::path& path) noexcept;

// The names in a folder, none when there is no such folder. Not the standard library's iterator,
// nor what is built on it: GNU's ends the program when it finds no memory for a name.
class FolderNames {
 public:
  explicit FolderNames(const std::filesystem::path& folder) noexcept;
  ~FolderNames();
  FolderNames(const FolderNames&) = delete;
  FolderNames& operator=(const FolderNames&) = delete;

  // Null after the last, or when the folder cannot be read. Good until the next call.
  const char* next() noexcept;

  // What stopped it: success at the end of the folder.
  Status status() const noexcept;

  // The descriptor of the folder, for calls on a name in it.
  int descriptor() const noexcept { return ::dirfd(folder_); }

 private:
  DIR* folder_ = nullptr;
  int error_ = 0;
};

// Removes a folder with the files in it, if it is there. Of several errors it tells the first.
Status remove_folder(const std::filesystem::path& folder) noexcept;

}  // namespace skerry

// files.cc - writes at a place, syncs, errors as Status, and folders.
#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

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

Status write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
                const char* text) noexcept {
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), std::size_t{64} << 20);
    const ssize_t written = ::pwrite(fd, bytes.data(), part, static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return status_of_errno(errno, text);
    }
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status sync_path(const std::filesystem::path& path) noexcept {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return status_of_errno(errno, "cannot open for syncing: {e}");
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return status_of_errno(error, "cannot sync: {e}");
  return Status();
}

FolderNames::FolderNames(const std::filesystem::path& folder) noexcept {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) folder_ = ::fdopendir(fd);
  if (folder_ != nullptr) return;
  error_ = errno;
  if (fd >= 0) ::close(fd);
}

FolderNames::~FolderNames() {
  if (folder_ != nullptr) ::closedir(folder_);
}

const char* FolderNames::next() noexcept {
  if (folder_ == nullptr) return nullptr;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder_);
    if (entry == nullptr) {
      error_ = errno;
      return nullptr;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry->d_name;
  }
}

Status FolderNames::status() const noexcept {
  if (error_ == 0 || error_ == ENOENT) return Status();
  return status_of_errno(error_, "cannot read the folder: {e}");
}

Status remove_folder(const std::filesystem::path& folder) noexcept {
  FolderNames names(folder);
  int error = 0;
  while (const char* name = names.next()) {
    if (::unlinkat(names.descriptor(), name, 0) != 0 && error == 0) error = errno;
  }
  if (!names.status().ok()) return names.status();
  if (::rmdir(folder.c_str()) != 0 && errno != ENOENT && error == 0) error = errno;
  return error == 0 ? Status() : status_of_errno(error, "cannot remove the folder: {e}");
}

}  // namespace skerry

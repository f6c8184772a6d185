// synced_root.cc - keeping a root, and going back to it.
#include "store/synced_root.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/files.h"

namespace skerry::store {
namespace {

constexpr char kRootMagic[12] = "skerry root";
constexpr std::uint32_t kRootVersion = 1;
constexpr std::size_t kFileBytes = 256;
constexpr std::size_t kVersionAt = 12;
constexpr std::size_t kBootAt = 16;
constexpr std::size_t kBootBytes = 40;
constexpr std::size_t kPageBytesAt = 56;
constexpr std::size_t kRootAt = 64;
constexpr std::size_t kKeptBytes = sizeof(SyncedRoot);
constexpr std::size_t kNumberAt = 144;  // the transaction, in it
constexpr std::size_t kChecksumAt = kFileBytes - 4;
static_assert(kRootAt + kKeptBytes <= kChecksumAt && kNumberAt + 8 == kKeptBytes);

using File = std::array<std::byte, kFileBytes>;
using Boot = std::array<std::byte, kBootBytes>;

Status write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) noexcept {
  const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (written < 0) return status_of_errno(errno, "cannot write the store's root: {e}");
  return static_cast<std::size_t>(written) == bytes.size() ? Status() : status_of_errno(ENOSPC, "");
}

// The number that the system drew when it was started.
Status read_boot(Boot& boot) {
  boot = {};
  const Descriptor fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  const ssize_t got = fd.get() < 0 ? -1 : ::read(fd.get(), boot.data(), kBootBytes - 1);
  if (got > 0) return Status();
  return status_of_errno(got < 0 ? errno : EIO,
                         "cannot tell when the machine was started, as durability none needs: {e}");
}

Status no_memory() noexcept {
  return Status(Code::out_of_memory, "no memory for a path");
}

std::uint32_t checksum(const File& file) noexcept {
  return crc32c(std::span(file).first(kChecksumAt));
}

// The kept root, and whether the machine has been started since: then it is the one that counts.
enum class Kept { none, not_needed, needed };
Result<Kept> read_kept(const std::filesystem::path& folder, File& file) {
  {
    const Descriptor in(::open((folder / "synced.root").c_str(), O_RDONLY | O_CLOEXEC));
    if (in.get() < 0) {
      if (errno == ENOENT) return Kept::none;
      return status_of_errno(errno, "cannot open store/synced.root: {e}");
    }
    const ssize_t got = ::pread(in.get(), file.data(), file.size(), 0);
    if (got < 0) return status_of_errno(errno, "cannot read store/synced.root: {e}");
    const auto page_bytes = get_le<std::uint64_t>(&file[kPageBytesAt]);
    if (static_cast<std::size_t>(got) != file.size() ||
        std::memcmp(file.data(), kRootMagic, sizeof kRootMagic) != 0 ||
        get_le<std::uint32_t>(&file[kChecksumAt]) != checksum(file) || page_bytes < 512 ||
        page_bytes > 65536) {
      return Status(Code::corruption, "store/synced.root is damaged");
    }
    if (get_le<std::uint32_t>(&file[kVersionAt]) != kRootVersion) {
      return Status(Code::incompatible, "store/synced.root was made by a newer version of Skerry");
    }
  }
  Boot boot;
  const Status status = read_boot(boot);
  if (!status.ok()) return status;
  const bool is_same = std::memcmp(boot.data(), &file[kBootAt], boot.size()) == 0;
  return is_same ? Kept::not_needed : Kept::needed;
}

}  // namespace

Status keep_synced_root(const std::filesystem::path& folder, int fd, std::uint64_t number,
                        std::uint64_t page_bytes) try {
  File file = {};
  std::memcpy(file.data(), kRootMagic, sizeof kRootMagic);
  put_le(&file[kVersionAt], kRootVersion);
  Boot boot;
  Status status = read_boot(boot);
  if (!status.ok()) return status;
  std::memcpy(&file[kBootAt], boot.data(), boot.size());
  put_le(&file[kPageBytesAt], page_bytes);
  const std::uint64_t offset = (number & 1) * page_bytes;
  const ssize_t got = ::pread(fd, &file[kRootAt], kKeptBytes, static_cast<off_t>(offset));
  if (got < 0) return status_of_errno(errno, "cannot read the store's root: {e}");
  std::uint64_t written = 0;
  std::memcpy(&written, &file[kRootAt + kNumberAt], sizeof written);
  if (static_cast<std::size_t>(got) != kKeptBytes || written != number) {
    return Status(Code::corruption, "the store's root is not the last transaction's");
  }
  put_le(&file[kChecksumAt], checksum(file));

  const std::filesystem::path place = folder / "synced.root";
  const std::filesystem::path beside = folder / kKeptRootBeside;
  {
    const Descriptor out(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (out.get() < 0) return status_of_errno(errno, "cannot keep the store's root: {e}");
    status = write_at(out.get(), file, 0);
    if (status.ok() && ::fsync(out.get()) != 0) {
      status = status_of_errno(errno, "cannot sync the store's kept root: {e}");
    }
  }
  if (status.ok() && ::rename(beside.c_str(), place.c_str()) != 0) {
    status = status_of_errno(errno, "cannot keep the store's root: {e}");
  }
  if (!status.ok()) {
    ::unlink(beside.c_str());
    return status;
  }
  return sync_path(folder);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Status forget_synced_root(const std::filesystem::path& folder) try {
  if (::unlink((folder / "synced.root").c_str()) != 0) {
    if (errno == ENOENT) return Status();
    return status_of_errno(errno, "cannot remove the store's kept root: {e}");
  }
  return sync_path(folder);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<bool> recover_synced_root(const std::filesystem::path& folder, bool read_only) {
  File file;
  const Result<Kept> kept = read_kept(folder, file);
  if (!kept.ok()) return kept.error();
  if (*kept != Kept::needed) return *kept == Kept::not_needed;
  if (read_only) {
    return Status(Code::corruption,
                  "the power went while the store was not synced; open it once for writing");
  }

  // The root in its place, and the same as the transaction before it in the other. A power loss in
  // between finds the file again.
  const Descriptor store(::open((folder / "data.mdb").c_str(), O_RDWR | O_CLOEXEC));
  if (store.get() < 0) return status_of_errno(errno, "cannot open store/data.mdb: {e}");
  const auto page_bytes = get_le<std::uint64_t>(&file[kPageBytesAt]);
  std::uint64_t number = 0;
  std::memcpy(&number, &file[kRootAt + kNumberAt], sizeof number);
  Status status;
  for (int i = 0; i < 2 && status.ok(); ++i, --number) {
    const std::uint64_t page = number & 1;
    std::memcpy(&file[kRootAt], &page, sizeof page);
    std::memcpy(&file[kRootAt + kNumberAt], &number, sizeof number);
    status = write_at(store.get(), std::span(file).subspan(kRootAt, kKeptBytes), page * page_bytes);
  }
  if (status.ok() && ::fsync(store.get()) != 0) {
    status = status_of_errno(errno, "cannot sync the store's root: {e}");
  }
  if (!status.ok()) return status;
  return true;
}

Result<bool> read_synced_root(const std::filesystem::path& folder, SyncedRoot& root) {
  File file = {};
  const Result<Kept> kept = read_kept(folder, file);
  if (!kept.ok()) return kept.error();
  std::memcpy(root.data(), &file[kRootAt], root.size());
  return *kept == Kept::needed;
}

}  // namespace skerry::store

// image_file.h - what saving and loading an image have in common: the file, its header, and where
// each section is.
//
// Threads: a File may be read and written from many threads at once, each at its own place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "index/image_format.h"
#include "index/storage.h"
#include "skerry/options.h"
#include "skerry/status.h"

namespace skerry::image {

constexpr std::uint64_t page_up(std::uint64_t bytes) noexcept {
  return (bytes + kPage - 1) / kPage * kPage;
}

// A file that is closed at the end of its scope.
class File {
 public:
  File(const std::filesystem::path& path, int flags) noexcept;
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }
  int error() const noexcept { return error_; }

  // io_error, storage_full; of read(), corruption when the file ends too early.
  Status write(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept;
  Status read(std::uint64_t offset, std::span<std::byte> bytes) const noexcept;

 private:
  int descriptor_;
  int error_;
};

// The header's own checksum, its field taken as zero.
std::uint32_t crc_of(const Header& header) noexcept;

// Magic, version, checksum: whether the rest of the header may be read. incompatible, corruption.
Status check(const Header& header) noexcept;

// As the header has them, in range or not.
IndexOptions options_of(const Header& header) noexcept;

// Bytes of each section. `upper_words`: of the slots below `used`; `entries`: of the directory.
std::array<std::uint64_t, kSections> sizes_of(const StorageShape& shape, std::uint64_t used,
                                              std::uint64_t upper_words,
                                              std::uint64_t entries) noexcept;

// The number of the section's first checksum. For kSums: how many there are.
std::uint64_t first_sum(const Header& header, std::uint32_t section) noexcept;

// The array that a section by slot is saved from and loaded to.
StableMemory& memory_of(Storage& storage, std::uint32_t section) noexcept;

// What is said of a section whose bytes are not as they were written.
const char* fails_checksum(std::uint32_t section) noexcept;

// Compares bytes, from the beginning of a block on, with the checksums of their blocks.
bool is_as_written(std::span<const std::byte> bytes, const std::uint32_t* sums) noexcept;

}  // namespace skerry::image

#include "index/image_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/crc32c.h"
#include "base/files.h"

namespace skerry::image {

static_assert(CheckedRows::kBlock == kPage, "rows are looked at by the blocks of the checksums");

File::File(const std::filesystem::path& path, int flags) noexcept
    : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0666)), error_(errno) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status File::write(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept {
  return write_at(descriptor_, offset, bytes, "cannot write the image: {e}");
}

Status File::read(std::uint64_t offset, std::span<std::byte> bytes) const noexcept {
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), std::size_t{64} << 20);
    const ssize_t got = ::pread(descriptor_, bytes.data(), part, static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      return status_of_errno(errno, "cannot read the image: {e}");
    }
    if (got == 0) return Status(Code::corruption, "the image ends too early");
    offset += static_cast<std::uint64_t>(got);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

std::uint32_t crc_of(const Header& header) noexcept {
  std::byte page[kPage] = {};
  std::memcpy(page, &header, sizeof(header));
  std::memset(page + offsetof(Header, crc), 0, sizeof(header.crc));
  return crc32c(page);
}

Status check(const Header& header) noexcept {
  if (std::memcmp(header.magic, kMagic, sizeof(header.magic)) != 0) {
    return Status(Code::incompatible, "not a Skerry image");
  }
  if (header.version > kVersion) {
    return Status(Code::incompatible, "the image was made by a newer version: format {b}", 0,
                  header.version);
  }
  if (header.version != kVersion) {
    return Status(Code::corruption, "the image has no known version");
  }
  if (header.crc != crc_of(header)) {
    return Status(Code::corruption, "the image's header fails its checksum");
  }
  if (header.byte_order != kByteOrder) {
    return Status(Code::incompatible, "the image is of another byte order");
  }
  if (header.sections != kSections) {
    return Status(Code::incompatible, "the image has {b} sections, of another layout", 0,
                  header.sections);
  }
  return {};
}

IndexOptions options_of(const Header& header) noexcept {
  IndexOptions options;
  options.dimension = header.dimension;
  options.metric = static_cast<Metric>(header.metric);
  options.scalar = static_cast<Scalar>(header.scalar);
  options.codes = static_cast<Codes>(header.codes);
  options.vectors = static_cast<Vectors>(header.vectors);
  options.M = header.M;
  options.ef_construction = header.ef_construction;
  options.ef = header.ef;
  options.flat_below = header.flat_below;
  options.seed = header.seed;
  return options;
}

std::array<std::uint64_t, kSections> sizes_of(const StorageShape& shape, std::uint64_t used,
                                              std::uint64_t upper_words,
                                              std::uint64_t entries) noexcept {
  std::array<std::uint64_t, kSections> bytes = {};
  bytes[kStates] = used * sizeof(SlotState);
  bytes[kVectors] = used * shape.vector_stride;
  bytes[kCodes] = used * shape.code_stride;
  bytes[kFlags] = used;
  bytes[kLayer0] = used * 2 * shape.M * sizeof(Slot);
  bytes[kUpper] = upper_words * sizeof(Slot);
  bytes[kDirectory] = entries * sizeof(Slot);
  for (std::uint32_t i = 0; i < kSums; ++i) {
    bytes[kSums] += CheckedRows::blocks_of(bytes[i]) * sizeof(std::uint32_t);
  }
  return bytes;
}

std::uint64_t first_sum(const Header& header, std::uint32_t section) noexcept {
  std::uint64_t first = 0;
  for (std::uint32_t i = 0; i < section; ++i) {
    first += CheckedRows::blocks_of(header.section[i].bytes);
  }
  return first;
}

StableMemory& memory_of(Storage& storage, std::uint32_t section) noexcept {
  switch (section) {
    case kStates:
      return storage.states.memory();
    case kVectors:
      return storage.vectors;
    case kCodes:
      return storage.codes;
    case kFlags:
      return storage.flags.memory();
    case kLayer0:
      return storage.layer0.memory();
    default:
      return storage.upper.memory();
  }
}

const char* fails_checksum(std::uint32_t section) noexcept {
  static constexpr const char* kTexts[] = {
      "the image's slot states fail their checksum",  "the image's vectors fail their checksum",
      "the image's codes fail their checksum",        "the image's slot flags fail their checksum",
      "the image's links fail their checksum",        "the image's upper links fail their checksum",
      "the image's key directory fails its checksum", "the image's checksums fail their checksum",
  };
  static_assert(std::size(kTexts) == kSections);
  return kTexts[section];
}

bool is_as_written(std::span<const std::byte> bytes, const std::uint32_t* sums) noexcept {
  for (; !bytes.empty(); ++sums) {
    const std::size_t size = std::min(kPage, bytes.size());
    if (crc32c(bytes.first(size)) != *sums) return false;
    bytes = bytes.subspan(size);
  }
  return true;
}

}  // namespace skerry::image

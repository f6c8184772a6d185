// image_rows.cc - a block of states, and the rows of its slots.
#include "index/image_rows.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <vector>

#include "base/crc32c.h"
#include "base/files.h"
#include "index/slots.h"

namespace skerry {
namespace {

constexpr std::uint64_t kSlotsAtOnce = image::kPage / sizeof(SlotState);

Status damaged_image(const char* what) noexcept {
  return Status(Code::corruption, what);
}

// A part of a section that begins with a block, and which of its blocks are as they were written.
struct Part {
  std::vector<std::byte> bytes;
  std::vector<bool> is_good;

  bool is_whole(std::size_t first, std::size_t limit) const {
    for (std::size_t block = first / image::kPage; block * image::kPage < limit; ++block) {
      if (!is_good[block]) return false;
    }
    return true;
  }
};

}  // namespace

ImageRows::ImageRows(const std::filesystem::path& path) : file_(path, O_RDONLY) {}

Result<std::unique_ptr<ImageRows>> ImageRows::open(const std::filesystem::path& path) {
  std::unique_ptr<ImageRows> rows(new ImageRows(path));
  if (!rows->file_.is_open()) {
    return rows->file_.error() == ENOENT
               ? Status(Code::not_found, "there is no image")
               : status_of_errno(rows->file_.error(), "cannot open the image: {e}");
  }
  Status status = rows->file_.read(0, std::as_writable_bytes(std::span(&rows->header_, 1)));
  if (status.ok()) status = image::check(rows->header_);
  if (!status.ok()) return status;
  return rows;
}

Status ImageRows::each(FunctionRef<Status(Key, std::span<const std::byte>)> visit) const {
  const std::uint64_t used = header_.used;
  const image::SectionEntry& states = header_.section[image::kStates];
  const image::SectionEntry& vectors = header_.section[image::kVectors];
  const image::SectionEntry& checksums = header_.section[image::kSums];
  if (used == 0) return {};
  const IndexOptions options = this->options();
  const std::size_t row = vector_bytes(options.scalar, options.dimension);
  const std::uint64_t stride = vectors.bytes / used;
  // The header has a checksum of its own: this is not damage, but what is believed all the same.
  if (states.bytes != used * sizeof(SlotState) || vectors.bytes != used * stride || stride < row ||
      stride > 4 * (row + 64) || checksums.bytes % sizeof(std::uint32_t) != 0) {
    return damaged_image("the image's sections have wrong sizes");
  }
  const std::uint64_t sums_before_vectors = image::first_sum(header_, image::kVectors);
  const std::uint64_t count = checksums.bytes / sizeof(std::uint32_t);
  if (sums_before_vectors + CheckedRows::blocks_of(vectors.bytes) > count ||
      count != image::first_sum(header_, image::kSums)) {
    return damaged_image("the image's sections have wrong sizes");
  }
  std::vector<std::uint32_t> sums(count);
  Status status = file_.read(checksums.offset, std::as_writable_bytes(std::span(sums)));
  if (!status.ok()) return status;
  if (crc32c(std::as_bytes(std::span(sums))) != header_.sums_crc) {
    return damaged_image(image::fails_checksum(image::kSums));
  }

  // What the file has no more is not as it was written.
  const auto read = [&](std::uint32_t section, std::uint64_t begin, std::uint64_t limit,
                        Part& part) -> Status {
    const image::SectionEntry& entry = header_.section[section];
    const std::uint32_t* sum = &sums[image::first_sum(header_, section) + begin / image::kPage];
    limit = std::min(image::page_up(limit), entry.bytes);
    part.bytes.resize(limit - begin);
    part.is_good.assign(CheckedRows::blocks_of(limit - begin), false);
    for (std::size_t at = 0, block = 0; at < part.bytes.size(); at += image::kPage, ++block) {
      const auto bytes =
          std::span(part.bytes).subspan(at, std::min(image::kPage, part.bytes.size() - at));
      const Status got = file_.read(entry.offset + begin + at, bytes);
      if (!got.ok() && got.code() != Code::corruption) return got;
      part.is_good[block] = got.ok() && image::is_as_written(bytes, sum + block);
    }
    return {};
  };
  Part of_states;
  Part of_rows;
  for (std::uint64_t first = 0; first < used; first += kSlotsAtOnce) {
    const std::uint64_t limit = std::min(first + kSlotsAtOnce, used);
    status = read(image::kStates, first * sizeof(SlotState), limit * sizeof(SlotState), of_states);
    if (!status.ok()) return status;
    if (!of_states.is_good[0]) continue;
    const std::uint64_t begin = first * stride / image::kPage * image::kPage;
    status = read(image::kVectors, begin, limit * stride, of_rows);
    if (!status.ok()) return status;
    for (std::uint64_t slot = first; slot < limit; ++slot) {
      std::uint64_t words[3];  // key, born, died
      std::memcpy(words, &of_states.bytes[(slot - first) * sizeof(SlotState)], sizeof words);
      const std::size_t at = slot * stride - begin;
      const bool is_live = words[1] != 0 && words[1] <= header_.sequence && words[2] == 0;
      if (!is_live || !of_rows.is_whole(at, at + row)) continue;
      status = visit(words[0], std::span(of_rows.bytes).subspan(at, row));
      if (!status.ok()) return status;
    }
  }
  return {};
}

}  // namespace skerry

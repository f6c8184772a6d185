// test_image.h - images that somebody spoilt on purpose, for tests and fuzzers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "base/crc32c.h"
#include "index/image_format.h"

namespace skerry::image {

// Makes every checksum right whose bytes are there.
inline void mend_checksums(std::span<std::byte> file) {
  if (file.size() < kPage) return;
  Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  const auto is_there = [&](const SectionEntry& section) {
    return section.offset <= file.size() && section.bytes <= file.size() - section.offset;
  };
  const SectionEntry& sums = header.section[kSums];
  if (is_there(sums)) {
    std::size_t at = sums.offset;
    for (std::uint32_t i = 0; i < kSums && is_there(header.section[i]); ++i) {
      const SectionEntry& section = header.section[i];
      for (std::size_t done = 0; done < section.bytes; done += kPage, at += sizeof(std::uint32_t)) {
        if (at + sizeof(std::uint32_t) > sums.offset + sums.bytes) break;
        const std::uint32_t crc =
            crc32c(file.subspan(section.offset + done, std::min(kPage, section.bytes - done)));
        std::memcpy(&file[at], &crc, sizeof(crc));
      }
    }
    header.sums_crc = crc32c(file.subspan(sums.offset, sums.bytes));
  }
  header.crc = 0;
  std::memcpy(file.data(), &header, sizeof(header));
  header.crc = crc32c(file.first(kPage));
  std::memcpy(file.data(), &header, sizeof(header));
}

}  // namespace skerry::image

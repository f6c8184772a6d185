// image_fuzz.cc - can any file make Index::load or Index::view crash, or lie?
//
// Each input is tried as it is and once more with its checksums mended, so that what stands behind
// them is tried too. An image that is accepted must hold together: check() finds nothing that a
// search could fall over, and a search answers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "base/crc32c.h"
#include "index/image_format.h"
#include "memory_file.h"
#include "skerry/index.h"

namespace {

void use(const skerry::Result<skerry::Index>& index) {
  if (!index.ok()) {
    if (index.status().message().empty()) std::abort();
    return;
  }
  static_cast<void>(index->check());
  const std::uint32_t dimension = index->options().dimension;
  const skerry::Scalar scalar = index->options().scalar;
  const std::vector<std::byte> query(skerry::vector_bytes(scalar, dimension), std::byte{1});
  std::vector<skerry::Hit> hits(10);
  const skerry::VectorView view(query.data(), scalar, dimension);
  for (const bool exact : {false, true}) {
    if (!index->search(view, hits, {.exact = exact}).ok()) std::abort();
  }
}

void load(const std::uint8_t* data, std::size_t size) {
  const skerry::testing::MemoryFile file(data, size);
  use(skerry::Index::load(file.path()));
  use(skerry::Index::view(file.path()));
}

// Makes every checksum right whose bytes are there.
void mend(std::vector<std::uint8_t>& file) {
  namespace image = skerry::image;
  if (file.size() < image::kPage) return;
  image::Header header;
  std::memcpy(&header, file.data(), sizeof header);
  const auto bytes = std::as_bytes(std::span(file));
  for (image::SectionEntry& section : header.section) {
    if (section.offset > file.size() || section.bytes > file.size() - section.offset) continue;
    section.crc = skerry::crc32c(bytes.subspan(section.offset, section.bytes));
  }
  header.crc = 0;
  std::memcpy(file.data(), &header, sizeof header);
  header.crc = skerry::crc32c(bytes.first(image::kPage));
  std::memcpy(file.data(), &header, sizeof header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  load(data, size);
  std::vector<std::uint8_t> mended(data, data + size);
  mend(mended);
  load(mended.data(), mended.size());
  return 0;
}

// image_fuzz.cc - can any file make Index::load or Index::view crash, or lie?
//
// Each input is tried as it is and once more with its checksums mended, so that what stands behind
// them is tried too. An image that is accepted must hold together: check() finds nothing that a
// search could fall over, and a search answers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "index/test_image.h"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  load(data, size);
  std::vector<std::uint8_t> mended(data, data + size);
  skerry::image::mend_checksums(std::as_writable_bytes(std::span(mended)));
  load(mended.data(), mended.size());
  return 0;
}

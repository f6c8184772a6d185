// image_fuzz.cc - can any file make Index::load or Index::view crash, or lie?
//
// An image that is accepted must hold together: check() finds it clean and a search answers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "memory_file.h"
#include "skerry/index.h"

namespace {

void use(const skerry::Result<skerry::Index>& index) {
  if (!index.ok()) {
    if (index.status().message().empty()) std::abort();
    return;
  }
  if (!index->check().ok()) std::abort();
  if (index->options().scalar != skerry::Scalar::f32) return;
  const std::vector<float> query(index->options().dimension, 0.5F);
  std::vector<skerry::Hit> hits(10);
  if (!index->search(query, hits).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const skerry::testing::MemoryFile file(data, size);
  use(skerry::Index::load(file.path()));
  use(skerry::Index::view(file.path()));
  return 0;
}

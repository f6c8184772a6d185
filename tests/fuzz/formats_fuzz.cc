// formats_fuzz.cc - can any vector file make a reader crash, or hand out what is not there?
//
// The first byte chooses the format, or the library whose index it is; the rest is the file.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "formats/foreign.h"
#include "formats/reader.h"
#include "memory_file.h"

using skerry::formats::Foreign;
using skerry::formats::Format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const skerry::testing::MemoryFile file(data + 1, size - 1);
  skerry::formats::InputOptions options;
  options.path = file.path();
  constexpr int kFormats = static_cast<int>(Format::csv) + 1;
  constexpr int kForeign = static_cast<int>(Foreign::usearch) + 1;
  const int kind = data[0] % (kFormats + kForeign);
  std::unique_ptr<skerry::formats::VectorReader> reader;
  skerry::formats::ForeignIndex index;
  if (kind < kFormats) {
    options.format = static_cast<Format>(kind);
    if (!skerry::formats::open_reader(options, reader).ok()) return 0;
  } else if (!skerry::formats::open_foreign(static_cast<Foreign>(kind - kFormats), options,
                                            skerry::Scalar::f32, reader, index)
                  .ok()) {
    return 0;
  }
  skerry::formats::Batch batch;
  while (reader->next(100, batch).ok() && batch.rows > 0) {
    // What a batch says it holds is there.
    if (batch.vectors.size() < batch.rows * skerry::vector_bytes(batch.scalar, batch.dimension)) {
      std::abort();
    }
    if (!batch.keys.empty() && batch.keys.size() != batch.rows) std::abort();
    if (!batch.payloads.empty() && batch.payloads.size() != batch.rows) std::abort();
    if (batch.scalar != skerry::Scalar::f32) continue;
    for (std::size_t i = 0; i < batch.rows * batch.dimension; ++i) {
      float value;
      std::memcpy(&value, batch.vectors.data() + i * sizeof value, sizeof value);
      if (!std::isfinite(value)) std::abort();
    }
  }
  return 0;
}

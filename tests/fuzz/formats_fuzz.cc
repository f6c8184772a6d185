// formats_fuzz.cc - can any vector file make a reader crash, or hand out what is not there?
//
// The first byte chooses the format, the rest is the file.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "formats/reader.h"
#include "memory_file.h"

using skerry::formats::Format;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const skerry::testing::MemoryFile file(data + 1, size - 1);
  skerry::formats::InputOptions options;
  options.path = file.path();
  options.format = static_cast<Format>(data[0] % (static_cast<int>(Format::csv) + 1));
  std::unique_ptr<skerry::formats::VectorReader> reader;
  if (!skerry::formats::open_reader(options, reader).ok()) return 0;
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

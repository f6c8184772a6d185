// bin.cc - fbin, u8bin, i8bin, f16bin: uint32 rows, uint32 dimension, then the rows.
#include <fmt/core.h>

#include <cstring>

#include "formats/fixed.h"

namespace skerry::formats {
namespace {

Scalar scalar_of(Format format) noexcept {
  if (format == Format::u8bin) return Scalar::u8;
  if (format == Format::i8bin) return Scalar::i8;
  if (format == Format::f16bin) return Scalar::f16;
  return Scalar::f32;
}

}  // namespace

Outcome open_bin(std::unique_ptr<Source> source, Format format,
                 std::unique_ptr<VectorReader>& out) {
  char header[8];
  std::size_t got = 0;
  if (Outcome read = source->read(header, sizeof(header), got); !read.ok()) return read;
  if (got == 0) return Outcome::data(fmt::format("{}: empty, expected a header", source->name()));
  if (got < sizeof(header)) {
    return Outcome::data(
        fmt::format("{}: truncated: a header of 8 bytes promised, {} found", source->name(), got));
  }
  std::uint32_t rows = 0;
  std::uint32_t dimension = 0;
  std::memcpy(&rows, header, 4);
  std::memcpy(&dimension, header + 4, 4);
  if (Outcome lawful = check_dimension(*source, dimension); !lawful.ok()) return lawful;
  const Shape shape{dimension, scalar_of(format), rows, false};
  auto reader = std::make_unique<FixedReader>(std::move(source), shape, false);
  if (Outcome whole = reader->check_size(); !whole.ok()) return whole;
  out = std::move(reader);
  return {};
}

}  // namespace skerry::formats

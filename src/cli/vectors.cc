// vectors.cc - vectors of a file as a collection wants them.
#include "cli/vectors.h"

#include <fmt/core.h>

#include "cli/exit_code.h"
#include "cli/failure.h"

namespace skerry::cli {
namespace {

bool packed_bits(Scalar scalar, std::uint32_t dimension, const IndexOptions& index) noexcept {
  return index.scalar == Scalar::b1 && scalar == Scalar::u8 && dimension != index.dimension &&
         dimension == vector_bytes(Scalar::b1, index.dimension);
}

}  // namespace

void check_dimension(const std::string& file, const formats::Shape& shape,
                     const IndexOptions& index) {
  if (shape.dimension == index.dimension) return;
  if (packed_bits(shape.scalar, shape.dimension, index)) return;
  fail(kData, fmt::format("{}: dimension {}, expected {}", file, shape.dimension, index.dimension));
}

formats::Outcome VectorConverter::convert(const std::string& file, const formats::Batch& batch,
                                          MatrixView& out) {
  if (packed_bits(batch.scalar, batch.dimension, index_)) {
    out = MatrixView(batch.vectors.data(), Scalar::b1, batch.rows, index_.dimension);
    return {};
  }
  if (index_.scalar != Scalar::b1 &&
      (batch.scalar == index_.scalar || batch.scalar == Scalar::f32)) {
    out = batch.matrix();
    return {};
  }
  floats_ = formats::to_floats(batch.matrix());
  if (index_.scalar != Scalar::b1) {
    out = MatrixView(floats_, index_.dimension);
    return {};
  }
  const std::size_t stride = vector_bytes(Scalar::b1, index_.dimension);
  bits_.assign(batch.rows * stride, std::byte{0});
  for (std::size_t row = 0; row < batch.rows; ++row) {
    for (std::size_t i = 0; i < index_.dimension; ++i) {
      const float value = floats_[row * index_.dimension + i];
      if (value != 0 && value != 1) {
        return formats::Outcome::data(
            fmt::format("{}: row {}: component {} is {}, expected a bit, 0 or 1", file,
                        batch.first_row + row, i, value));
      }
      if (value == 1) bits_[row * stride + i / 8] |= std::byte(1U << (i % 8));
    }
  }
  out = MatrixView(bits_.data(), Scalar::b1, batch.rows, index_.dimension);
  return {};
}

}  // namespace skerry::cli

// vecs.cc - fvecs, bvecs, ivecs: each row is its int32 dimension, then its components.
//
// There is no header: the first row's dimension is everybody's, and a row that says another is
// wrong. The number of rows is known only when the file's length is a multiple of a row's.
#include <fmt/core.h>

#include <cstring>

#include "formats/fixed.h"

namespace skerry::formats {
namespace {

class VecsReader final : public VectorReader {
 public:
  VecsReader(std::unique_ptr<Source> source, Format format)
      : VectorReader(std::move(source)), whole_numbers_(format == Format::ivecs) {
    shape_.scalar = format == Format::bvecs ? Scalar::u8 : Scalar::f32;
  }

  // Reads the first row's dimension, which stays in hand until its row is read.
  Outcome begin() {
    bool found = false;
    if (Outcome read = read_dimension(0, found); !read.ok()) return read;
    if (!found) return bad_file("empty, so its dimension is not known");
    row_bytes_ = vector_bytes(shape_.scalar, shape_.dimension);
    in_hand_ = true;
    const std::uint64_t stride = row_bytes_ + 4;
    if (source_->size().has_value() && *source_->size() % stride == 0) {
      shape_.rows = *source_->size() / stride;
    }
    return {};
  }

 private:
  Outcome read_dimension(std::uint64_t row, bool& found) {
    std::int32_t dimension = 0;
    std::size_t got = 0;
    if (Outcome read = source_->read(&dimension, 4, got); !read.ok()) return read;
    found = got != 0;
    if (got == 0) return {};
    if (got < 4) return bad_row(row, "truncated in its dimension");
    if (row == 0 && shape_.dimension == 0) {
      if (dimension < 1 || dimension > static_cast<std::int32_t>(kMaxDimension)) {
        return bad_row(0, fmt::format("dimension {}, expected 1 to {}", dimension, kMaxDimension));
      }
      shape_.dimension = static_cast<std::uint32_t>(dimension);
    } else if (dimension != static_cast<std::int32_t>(shape_.dimension)) {
      return bad_row(row, fmt::format("dimension {}, expected {}", dimension, shape_.dimension));
    }
    return {};
  }

  Outcome truncated(std::uint64_t row, std::uint64_t got) const {
    return bad_row(row, fmt::format("truncated: {} bytes promised, {} found", row_bytes_, got));
  }

  Outcome read_rows(std::size_t limit, Batch& batch) override {
    for (; batch.rows < limit; ++batch.rows) {
      const std::uint64_t row = batch.first_row + batch.rows;
      if (!in_hand_) {
        bool found = false;
        if (Outcome read = read_dimension(row, found); !read.ok()) return read;
        if (!found) return {};
      }
      batch.vectors.resize((batch.rows + 1) * row_bytes_);
      std::byte* out = batch.vectors.data() + batch.rows * row_bytes_;
      std::size_t got = 0;
      if (Outcome read = source_->read(out, row_bytes_, got); !read.ok()) return read;
      if (got < row_bytes_) return truncated(row, got);
      in_hand_ = false;
      if (!whole_numbers_) continue;
      for (std::uint32_t i = 0; i < shape_.dimension; ++i) {
        std::int32_t whole = 0;
        std::memcpy(&whole, out + i * 4, 4);
        const auto value = static_cast<float>(whole);
        if (static_cast<std::int64_t>(value) != whole) {
          return bad_row(row, fmt::format("component {} is {}, which a float32 cannot hold exactly",
                                          i, whole));
        }
        std::memcpy(out + i * 4, &value, 4);
      }
    }
    return {};
  }

  Outcome skip_rows(std::uint64_t rows, std::uint64_t& skipped) override {
    for (; skipped < rows; ++skipped) {
      if (!in_hand_) {
        bool found = false;
        if (Outcome read = read_dimension(row() + skipped, found); !read.ok()) return read;
        if (!found) return {};
      }
      std::uint64_t bytes = 0;
      if (Outcome passed = source_->skip(row_bytes_, bytes); !passed.ok()) return passed;
      if (bytes < row_bytes_) return truncated(row() + skipped, bytes);
      in_hand_ = false;
    }
    return {};
  }

  bool whole_numbers_;    // int32 components, handed out as floats
  bool in_hand_ = false;  // the next row's dimension was taken already
  std::uint64_t row_bytes_ = 0;
};

}  // namespace

Outcome open_vecs(std::unique_ptr<Source> source, Format format,
                  std::unique_ptr<VectorReader>& out) {
  auto reader = std::make_unique<VecsReader>(std::move(source), format);
  if (Outcome begun = reader->begin(); !begun.ok()) return begun;
  out = std::move(reader);
  return {};
}

}  // namespace skerry::formats

// fixed.cc - a header that promises rows, then the rows, all of one length (fbin and npy).
#include "formats/fixed.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace skerry::formats {

FixedReader::FixedReader(std::unique_ptr<Source> source, const Shape& shape, bool doubles)
    : VectorReader(std::move(source)), doubles_(doubles) {
  shape_ = shape;
  begin_ = source_->position();
  row_bytes_ =
      doubles ? std::uint64_t{shape.dimension} * 8 : vector_bytes(shape.scalar, shape.dimension);
}

Outcome FixedReader::truncated(std::uint64_t bytes) const {
  const std::uint64_t whole = bytes / row_bytes_;
  const char* part = bytes % row_bytes_ != 0 ? " and a part of the next" : "";
  return bad_file(
      fmt::format("truncated: {} rows promised, {}{} found", *shape_.rows, whole, part));
}

Outcome FixedReader::too_long() const {
  return bad_file(fmt::format("too long: {} rows of {} bytes promised, more bytes follow them",
                              *shape_.rows, row_bytes_));
}

Outcome FixedReader::check_size() const {
  if (!source_->size().has_value()) return {};
  const std::uint64_t size = *source_->size();
  const std::uint64_t found = size - std::min(size, begin_);
  if (found / row_bytes_ < *shape_.rows) return truncated(found);
  if (found != *shape_.rows * row_bytes_) return too_long();
  return {};
}

Outcome FixedReader::read_rows(std::size_t limit, Batch& batch) {
  const std::uint64_t done = (source_->position() - begin_) / row_bytes_;
  const std::uint64_t left = *shape_.rows - done;
  if (left == 0 && limit > 0) {
    char more = 0;
    std::size_t got = 0;
    if (Outcome read = source_->read(&more, 1, got); !read.ok()) return read;
    return got == 0 ? Outcome{} : too_long();
  }
  const std::size_t rows = static_cast<std::size_t>(std::min<std::uint64_t>(limit, left));
  batch.vectors.resize(rows * row_bytes_);
  std::size_t got = 0;
  Outcome read = source_->read(batch.vectors.data(), batch.vectors.size(), got);
  batch.rows = got / row_bytes_;
  if (read.ok() && got < batch.vectors.size()) read = truncated(done * row_bytes_ + got);
  if (doubles_) {
    // In place: the float of component i ends before the double of component i begins, or with it.
    std::byte* data = batch.vectors.data();
    for (std::size_t i = 0; i < batch.rows * shape_.dimension; ++i) {
      double wide = 0;
      std::memcpy(&wide, data + i * sizeof(double), sizeof(double));
      const auto narrow = static_cast<float>(wide);  // beyond float's range: infinite, and refused
      std::memcpy(data + i * sizeof(float), &narrow, sizeof(float));
    }
  }
  return read;
}

Outcome FixedReader::skip_rows(std::uint64_t rows, std::uint64_t& skipped) {
  const std::uint64_t done = (source_->position() - begin_) / row_bytes_;
  const std::uint64_t wanted = std::min(rows, *shape_.rows - done);
  std::uint64_t bytes = 0;
  Outcome passed = source_->skip(wanted * row_bytes_, bytes);
  skipped = bytes / row_bytes_;
  if (passed.ok() && skipped < wanted) return truncated(done * row_bytes_ + bytes);
  return passed;
}

Outcome check_dimension(const Source& source, std::uint64_t dimension) {
  if (dimension >= 1 && dimension <= kMaxDimension) return {};
  return Outcome::data(
      fmt::format("{}: dimension {}, expected 1 to {}", source.name(), dimension, kMaxDimension));
}

}  // namespace skerry::formats

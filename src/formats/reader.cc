// reader.cc - vectors of a file, a batch at a time, whatever its format.
#include "formats/reader.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace skerry::formats {
namespace {

template <class T>
T load(const void* data, std::size_t i) noexcept {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + i * sizeof(T), sizeof(T));
  return value;
}

template <class T, class Test>
std::optional<std::size_t> first_where(VectorView vector, Test test) noexcept {
  for (std::size_t i = 0; i < vector.dimension(); ++i) {
    if (test(load<T>(vector.data(), i))) return i;
  }
  return std::nullopt;
}

float component(VectorView vector, std::size_t i) noexcept {
  switch (vector.scalar()) {
    case Scalar::f32:
      return load<float>(vector.data(), i);
    case Scalar::f16:
      return to_float(load<f16>(vector.data(), i));
    case Scalar::bf16:
      return to_float(load<bf16>(vector.data(), i));
    case Scalar::i8:
      return load<std::int8_t>(vector.data(), i);
    case Scalar::u8:
      return load<std::uint8_t>(vector.data(), i);
    case Scalar::b1:
      return static_cast<float>(load<std::uint8_t>(vector.data(), i / 8) >> (i % 8) & 1);
  }
  return 0;
}

}  // namespace

std::optional<std::size_t> first_not_finite(VectorView vector) noexcept {
  switch (vector.scalar()) {
    case Scalar::f32:
      return first_where<float>(vector, [](float x) { return !std::isfinite(x); });
    case Scalar::f16:  // NaN or infinite: the exponent's bits are all ones
      return first_where<std::uint16_t>(vector,
                                        [](std::uint16_t x) { return (x & 0x7C00) == 0x7C00; });
    case Scalar::bf16:
      return first_where<std::uint16_t>(vector,
                                        [](std::uint16_t x) { return (x & 0x7F80) == 0x7F80; });
    case Scalar::i8:
    case Scalar::u8:
    case Scalar::b1:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<float> to_floats(const MatrixView& matrix) {
  std::vector<float> floats(matrix.rows() * matrix.dimension());
  float* out = floats.data();
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    const VectorView vector = matrix.row(row);
    if (vector.scalar() == Scalar::f32) {
      std::memcpy(out, vector.data(), vector.dimension() * sizeof(float));
      out += vector.dimension();
      continue;
    }
    for (std::size_t i = 0; i < vector.dimension(); ++i) *out++ = component(vector, i);
  }
  return floats;
}

Outcome VectorReader::bad_row(std::uint64_t row, const std::string& what) const {
  return Outcome::data(fmt::format("{}: row {}: {}", source_->name(), row, what));
}

Outcome VectorReader::bad_file(const std::string& what) const {
  return Outcome::data(fmt::format("{}: {}", source_->name(), what));
}

Outcome VectorReader::next(std::size_t limit, Batch& batch) {
  batch.scalar = shape_.scalar;
  batch.dimension = shape_.dimension;
  batch.first_row = row_;
  batch.rows = 0;
  batch.vectors.clear();
  batch.keys.clear();
  batch.payloads.clear();
  Outcome read = read_rows(limit, batch);
  const MatrixView rows = batch.matrix();
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto bad = first_not_finite(rows.row(i));
    if (!bad.has_value()) continue;
    // Said before the trouble of a later row, if there was one.
    const float value = component(rows.row(i), *bad);
    const char* what = std::isnan(value) ? "NaN" : "infinite";
    read = bad_row(row_ + i, fmt::format("component {} is {}", *bad, what));
    batch.rows = i;
    break;
  }
  row_ += batch.rows;
  return read;
}

Outcome VectorReader::skip(std::uint64_t rows) {
  std::uint64_t skipped = 0;
  Outcome passed = skip_rows(rows, skipped);
  row_ += skipped;
  if (passed.ok() && skipped < rows) {
    return bad_file(fmt::format("asked to start at row {}, but there are only {} rows",
                                row_ - skipped + rows, row_));
  }
  return passed;
}

Outcome open_reader(const InputOptions& options, std::unique_ptr<VectorReader>& out) {
  const std::optional<Format> format =
      options.format.has_value() ? options.format : format_of_path(options.path);
  if (!format.has_value()) {
    return Outcome::usage(fmt::format("{}: cannot tell the format; say --format, one of {}",
                                      options.path == "-" ? "standard input" : options.path,
                                      kFormatNames));
  }
  std::unique_ptr<Source> source;
  if (Outcome opened = Source::open(options.path, options.stop_fd, source); !opened.ok()) {
    return opened;
  }
  switch (*format) {
    case Format::fvecs:
    case Format::bvecs:
    case Format::ivecs:
      return open_vecs(std::move(source), *format, out);
    case Format::fbin:
    case Format::u8bin:
    case Format::i8bin:
    case Format::f16bin:
      return open_bin(std::move(source), *format, out);
    case Format::npy:
      return open_npy(std::move(source), out);
    case Format::jsonl:
      return open_jsonl(std::move(source), out);
    case Format::csv:
      return open_csv(std::move(source), options, out);
  }
  return Outcome::usage("unknown format");
}

Outcome read_all(const InputOptions& options, Batch& all) {
  std::unique_ptr<VectorReader> reader;
  if (Outcome opened = open_reader(options, reader); !opened.ok()) return opened;
  all = Batch{};
  all.scalar = reader->shape().scalar;
  all.dimension = reader->shape().dimension;
  for (Batch batch;;) {
    if (Outcome read = reader->next(4096, batch); !read.ok()) return read;
    if (batch.rows == 0) return {};
    const std::size_t bytes = batch.rows * vector_bytes(batch.scalar, batch.dimension);
    all.vectors.insert(all.vectors.end(), batch.vectors.begin(), batch.vectors.begin() + bytes);
    all.keys.insert(all.keys.end(), batch.keys.begin(), batch.keys.end());
    all.payloads.insert(all.payloads.end(), batch.payloads.begin(), batch.payloads.end());
    all.rows += batch.rows;
  }
}

}  // namespace skerry::formats

// binary_writer.cc - writes fvecs, bvecs, ivecs, fbin, u8bin, i8bin, f16bin and npy.
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "formats/writer.h"

namespace skerry::formats {
namespace {

// Components in the file: the stored types, and the int32 of ivecs.
enum class Cell { f32, f16, i8, u8, i32 };

Cell cell_of(const OutputOptions& options) noexcept {
  switch (options.format) {
    case Format::bvecs:
    case Format::u8bin:
      return Cell::u8;
    case Format::ivecs:
      return Cell::i32;
    case Format::i8bin:
      return Cell::i8;
    case Format::f16bin:
      return Cell::f16;
    case Format::npy:
      if (options.scalar == Scalar::f16) return Cell::f16;
      if (options.scalar == Scalar::i8) return Cell::i8;
      if (options.scalar == Scalar::u8) return Cell::u8;
      return Cell::f32;
    default:
      return Cell::f32;
  }
}

template <class T>
void append(std::vector<char>& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof(T));
  std::memcpy(out.data() + at, &value, sizeof(T));
}

// Only a whole number in T's range fits.
template <class T>
bool append_whole(std::vector<char>& out, float value) {
  const auto wide = static_cast<double>(value);
  if (std::trunc(wide) != wide || wide < std::numeric_limits<T>::min() ||
      wide > std::numeric_limits<T>::max()) {
    return false;
  }
  append(out, static_cast<T>(wide));
  return true;
}

bool append_cell(std::vector<char>& out, Cell cell, float value) {
  switch (cell) {
    case Cell::f32:
      append(out, value);
      return true;
    case Cell::f16: {
      const f16 half = to_f16(value);
      append(out, half.bits);
      return (half.bits & 0x7C00) != 0x7C00;  // beyond 65,504 it would be infinite
    }
    case Cell::i8:
      return append_whole<std::int8_t>(out, value);
    case Cell::u8:
      return append_whole<std::uint8_t>(out, value);
    case Cell::i32:
      return append_whole<std::int32_t>(out, value);
  }
  return false;
}

std::string_view range_of(Cell cell) noexcept {
  switch (cell) {
    case Cell::f16:
      return "a number within 65504 of zero";
    case Cell::i8:
      return "a whole number from -128 to 127";
    case Cell::u8:
      return "a whole number from 0 to 255";
    case Cell::i32:
      return "a whole number of 32 bits";
    case Cell::f32:
      break;
  }
  return "a number";
}

std::string npy_header(Cell cell, std::uint64_t rows, std::uint32_t dimension) {
  const char* type = "<f4";
  if (cell == Cell::f16) type = "<f2";
  if (cell == Cell::i8) type = "|i1";
  if (cell == Cell::u8) type = "|u1";
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 type, rows, dimension);
  text.append(63 - (10 + text.size()) % 64, ' ');  // the rows begin at a multiple of 64
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

class BinaryWriter final : public VectorWriter {
 public:
  BinaryWriter(std::unique_ptr<Sink> sink, const OutputOptions& options)
      : VectorWriter(std::move(sink), options), cell_(cell_of(options)) {
    dimension_first_ = options.format == Format::fvecs || options.format == Format::bvecs ||
                       options.format == Format::ivecs;
  }

  Outcome begin() {
    if (dimension_first_) return {};
    if (options_.format == Format::npy) {
      return sink_->write(npy_header(cell_, options_.rows, options_.dimension));
    }
    if (options_.rows > UINT32_MAX) {
      return Outcome::data(fmt::format("{}: {} rows, {} holds at most {}", sink_->name(),
                                       options_.rows, name_of(options_.format), UINT32_MAX));
    }
    row_bytes_.clear();
    append(row_bytes_, static_cast<std::uint32_t>(options_.rows));
    append(row_bytes_, options_.dimension);
    return sink_->write(row_bytes_.data(), row_bytes_.size());
  }

 private:
  Outcome put_row(std::string_view, std::span<const float> vector, std::string_view) override {
    row_bytes_.clear();
    if (dimension_first_) append(row_bytes_, static_cast<std::int32_t>(vector.size()));
    for (std::size_t i = 0; i < vector.size(); ++i) {
      if (append_cell(row_bytes_, cell_, vector[i])) continue;
      return Outcome::data(fmt::format("{}: row {}: component {} is {}, expected {}", sink_->name(),
                                       row(), i, vector[i], range_of(cell_)));
    }
    return sink_->write(row_bytes_.data(), row_bytes_.size());
  }

  Cell cell_;
  bool dimension_first_;
  std::vector<char> row_bytes_;  // used again for every row
};

}  // namespace

Outcome open_binary_writer(std::unique_ptr<Sink> sink, const OutputOptions& options,
                           std::unique_ptr<VectorWriter>& out) {
  auto writer = std::make_unique<BinaryWriter>(std::move(sink), options);
  if (Outcome begun = writer->begin(); !begun.ok()) return begun;
  out = std::move(writer);
  return {};
}

}  // namespace skerry::formats

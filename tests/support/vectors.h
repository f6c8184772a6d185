// vectors.h - where do the vectors of a test come from?
//
// A Table owns rows of one scalar type, packed as the library keeps them; its rows are lent out as
// VectorViews. Everything comes from a seed, so a failure repeats.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "skerry/types.h"

namespace skerry::testing {

using Random = std::mt19937_64;

inline std::uint64_t below(Random& random, std::uint64_t limit) {
  return random() % limit;
}

inline double uniform(Random& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1.0p-53;
}

class Table {
 public:
  Table() = default;
  Table(Scalar scalar, std::size_t rows, std::size_t dimension)
      : scalar_(scalar),
        rows_(rows),
        dimension_(dimension),
        row_bytes_(vector_bytes(scalar, dimension)),
        bytes_(rows * row_bytes_) {}

  Scalar scalar() const { return scalar_; }
  std::size_t rows() const { return rows_; }
  std::size_t dimension() const { return dimension_; }
  std::size_t row_bytes() const { return row_bytes_; }

  std::byte* data(std::size_t row) { return bytes_.data() + row * row_bytes_; }
  const std::byte* data(std::size_t row) const { return bytes_.data() + row * row_bytes_; }
  std::span<const std::byte> bytes(std::size_t row) const { return {data(row), row_bytes_}; }

  VectorView row(std::size_t i) const { return {data(i), scalar_, dimension_}; }
  MatrixView matrix() const { return matrix(0, rows_); }
  MatrixView matrix(std::size_t first, std::size_t count) const {
    return {data(first), scalar_, count, dimension_};
  }

  // Writes one component, rounded to the table's type.
  void set(std::size_t row, std::size_t i, double value) {
    std::byte* at = data(row);
    switch (scalar_) {
      case Scalar::f32:
        put(at, i, static_cast<float>(value));
        break;
      case Scalar::f16:
        put(at, i, to_f16(static_cast<float>(value)));
        break;
      case Scalar::bf16:
        put(at, i, to_bf16(static_cast<float>(value)));
        break;
      case Scalar::i8:
        put(at, i, static_cast<std::int8_t>(std::lround(value)));
        break;
      case Scalar::u8:
        put(at, i, static_cast<std::uint8_t>(std::lround(value)));
        break;
      case Scalar::b1: {
        const auto bit = static_cast<std::byte>(1U << (i % 8));
        at[i / 8] = value != 0 ? at[i / 8] | bit : at[i / 8] & ~bit;
        break;
      }
    }
  }

 private:
  template <class T>
  static void put(std::byte* at, std::size_t i, T value) {
    std::memcpy(at + i * sizeof(T), &value, sizeof(T));
  }

  Scalar scalar_ = Scalar::f32;
  std::size_t rows_ = 0;
  std::size_t dimension_ = 0;
  std::size_t row_bytes_ = 0;
  std::vector<std::byte> bytes_;
};

// A half-precision number, read without the library's help.
inline double decode_f16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa != 0 ? std::nan("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

// Component `i` as the number that it is.
inline double component(VectorView v, std::size_t i) {
  const auto* at = static_cast<const std::byte*>(v.data());
  const auto read = [&]<class T>(T) {
    T value;
    std::memcpy(&value, at + i * sizeof(T), sizeof(T));
    return value;
  };
  switch (v.scalar()) {
    case Scalar::f32:
      return read(float{});
    case Scalar::f16:
      return decode_f16(read(std::uint16_t{}));
    case Scalar::bf16:
      return std::bit_cast<float>(std::uint32_t{read(std::uint16_t{})} << 16);
    case Scalar::i8:
      return read(std::int8_t{});
    case Scalar::u8:
      return read(std::uint8_t{});
    case Scalar::b1:
      return std::to_integer<int>(at[i / 8]) >> (i % 8) & 1;
  }
  return 0;
}

// Rows without structure: [-1, 1) for the float types, the type's whole range for bytes, coin
// tosses for bits; for haversine places on the globe.
inline Table random_table(Random& random, Scalar scalar, std::size_t rows, std::size_t dimension) {
  Table table(scalar, rows, dimension);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < dimension; ++i) {
      switch (scalar) {
        case Scalar::i8:
          table.set(r, i, static_cast<double>(below(random, 256)) - 128);
          break;
        case Scalar::u8:
          table.set(r, i, static_cast<double>(below(random, 256)));
          break;
        case Scalar::b1:
          table.set(r, i, static_cast<double>(below(random, 2)));
          break;
        default:
          table.set(r, i, uniform(random, -1, 1));
      }
    }
  }
  return table;
}

inline Table random_places(Random& random, std::size_t rows) {
  Table table(Scalar::f32, rows, 2);
  for (std::size_t r = 0; r < rows; ++r) {
    table.set(r, 0, uniform(random, -90, 90));
    table.set(r, 1, uniform(random, -180, 180));
  }
  return table;
}

// Rows in clumps, as embeddings lie: graphs are harder to keep in one piece on these.
inline Table clustered_table(Random& random, std::size_t rows, std::size_t dimension,
                             std::size_t clusters, double spread = 0.3) {
  const Table centres = random_table(random, Scalar::f32, clusters, dimension);
  Table table(Scalar::f32, rows, dimension);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t c = below(random, clusters);
    for (std::size_t i = 0; i < dimension; ++i) {
      table.set(r, i, component(centres.row(c), i) + spread * uniform(random, -1, 1));
    }
  }
  return table;
}

}  // namespace skerry::testing

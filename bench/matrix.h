// matrix.h - rows of floats: the form in which every implementation is offered the same data.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace skerry::bench {

struct Matrix {
  std::size_t rows = 0;
  std::size_t dimension = 0;
  std::vector<float> values;  // rows * dimension, row after row

  Matrix() = default;
  Matrix(std::size_t rows, std::size_t dimension)
      : rows(rows), dimension(dimension), values(rows * dimension) {}

  const float* row(std::size_t i) const noexcept { return values.data() + i * dimension; }
  float* row(std::size_t i) noexcept { return values.data() + i * dimension; }
  std::span<const float> span(std::size_t i) const noexcept { return {row(i), dimension}; }
};

// Drops the rows from `rows` on.
inline void cut(Matrix& matrix, std::size_t rows) {
  if (rows >= matrix.rows) return;
  matrix.rows = rows;
  matrix.values.resize(rows * matrix.dimension);
}

}  // namespace skerry::bench

// fixed.h - a header that promises rows, then the rows, all of one length (fbin and npy).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "formats/reader.h"

namespace skerry::formats {

class FixedReader final : public VectorReader {
 public:
  // `source` stands behind the header. With `doubles` the rows are float64, handed out as float32.
  FixedReader(std::unique_ptr<Source> source, const Shape& shape, bool doubles);

  // Holds the promise against the file's size, when that is known. To be called first.
  Outcome check_size() const;

 private:
  Outcome read_rows(std::size_t limit, Batch& batch) override;
  Outcome skip_rows(std::uint64_t rows, std::uint64_t& skipped) override;
  Outcome truncated(std::uint64_t bytes) const;  // `bytes` of rows were found
  Outcome too_long() const;

  std::uint64_t begin_;      // of the rows, in the file
  std::uint64_t row_bytes_;  // in the file
  bool doubles_;
};

// Dimension 1 .. 65,535, or what is wrong with it.
Outcome check_dimension(const Source& source, std::uint64_t dimension);

}  // namespace skerry::formats

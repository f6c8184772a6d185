// vectors.h - vectors of a file as a collection wants them.
//
// Vectors of the collection's own type go through untouched; others as floats, and the library
// decides (it refuses to round into i8 and u8). Bits come as 0 and 1, or, when the file has one
// byte for eight bits (u8bin, bvecs), packed.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/reader.h"
#include "skerry/options.h"

namespace skerry::cli {

// Fails (kData) when the file's dimension is not the collection's.
void check_dimension(const std::string& file, const formats::Shape& shape,
                     const IndexOptions& index);

// Borrows from the batch or from its own memory: until the next call.
class VectorConverter {
 public:
  explicit VectorConverter(const IndexOptions& index) : index_(index) {}

  // Trouble::data on a bit that is neither 0 nor 1; `file` begins the sentence.
  formats::Outcome convert(const std::string& file, const formats::Batch& batch, MatrixView& out);

 private:
  IndexOptions index_;
  std::vector<float> floats_;
  std::vector<std::byte> bits_;
};

}  // namespace skerry::cli

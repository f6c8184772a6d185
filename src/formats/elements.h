// elements.h - vectors that lie at equal steps in an index file, and the keys they have.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "formats/foreign.h"
#include "formats/reader.h"
#include "formats/source.h"

namespace skerry::formats {

// Where a survey found them.
struct Elements {
  enum class Stored : std::uint8_t {
    as_is,
    doubles,  // float64, handed out as float32
    bits,     // the first component in the highest bit of its byte; handed out in the lowest
  };
  std::uint64_t begin = 0;   // of the first vector, in the file
  std::uint64_t stride = 0;  // bytes from one vector to the next
  Stored stored = Stored::as_is;
  Scalar scalar = Scalar::f32;  // as handed out
  std::uint32_t dimension = 0;
  std::vector<Key> keys;      // of every element
  std::vector<bool> removed;  // is the element marked so?
};

// A survey reads a whole file from its beginning and fills in what it finds.
Outcome survey_hnswlib(Source& source, Scalar components, Elements& elements, ForeignIndex& index);
Outcome survey_usearch(const InputOptions& options, Elements& elements, ForeignIndex& index);

// Takes exactly so many bytes, or says that the file ends within `where`.
Outcome take_bytes(Source& source, void* out, std::size_t bytes, std::string_view where);
Outcome pass_bytes(Source& source, std::uint64_t bytes, std::string_view where);
Outcome expect_end(Source& source);

// A list of neighbours as both libraries write it: a count, and places for slots of which the first
// `count` name elements.
struct NeighbourList {
  std::uint64_t slots_max = 0;   // there is room for
  std::uint64_t slot_bytes = 4;  // of each
  std::uint64_t elements = 0;    // that there are

  std::uint64_t bytes() const noexcept { return slots_max * slot_bytes; }
  // What is wrong with the list of element i; empty: nothing.
  std::string problem(std::uint64_t i, std::uint64_t count, const std::byte* slots) const;
};

}  // namespace skerry::formats

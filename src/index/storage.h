// storage.h - every array of one index, by slot.
//
// Address space is reserved for `capacity` slots, memory is committed as they are used. When the
// capacity is used up, a larger Storage is made, the content copied and the pointer to it switched
// by the engine; readers that hold the old one finish on it. That happens four times in the life
// of the largest index (kStages), and keeps 100,000 small ones from reserving the world: an index
// of a few vectors is a few pieces of the heap.
//
// Threads: see each member. "Writer" is whoever holds the engine's writer lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/checked_rows.h"
#include "base/read_ahead.h"
#include "base/stable_memory.h"
#include "graph/links.h"
#include "index/slots.h"
#include "quant/short_codes.h"
#include "skerry/status.h"

namespace skerry {

// Bytes by slot, and what the codes among them are: whoever reads a storage reads them as it has
// them, whatever the index has chosen since.
struct StorageShape {
  std::size_t vector_stride = 0;
  std::size_t code_stride = 0;  // 0: the vectors are the codes
  std::uint32_t M = 0;
  std::uint64_t seed = 0;
  std::optional<ShortCodes> codes = std::nullopt;  // none: the exact rows are the codes
};

class Storage {
 public:
  // The stage that holds `slots`: 32; 1,024; 65,536; 67,108,864; 2^31 - 1.
  static std::uint32_t capacity_for(std::uint64_t slots) noexcept;

  // `folder`: for the vectors, which are in a file of it when there is room for more than
  // kVectorsInMemory. Empty: in memory.
  static Result<std::unique_ptr<Storage>> create(const StorageShape& shape, std::uint32_t capacity,
                                                 const std::filesystem::path& folder = {});

  // Of a small index a file would cost more than it gives.
  static constexpr std::size_t kVectorsInMemory = std::size_t{4} << 20;

  // Makes slots below `slots` usable, with an upper block for each that has levels. Writer.
  // Either all of it or, on an error, nothing that shows. out_of_memory; of vectors in a file
  // storage_full, io_error.
  Status grow(std::uint32_t slots);

  // Before a row of vectors is written: one of a mapped image would become memory, so its
  // surroundings move to the file for vectors. Where that fails, it does. Writer.
  void leave_image(Slot slot) noexcept;

  // The first half of grow(): where the upper blocks of slots below `slots` are, and the words that
  // they take together. Writer.
  Result<std::size_t> lay_out(std::uint32_t slots);

  // Copies all that `other` holds; one without codes leaves those here to be written. Nobody else
  // sees this one yet. Writer. corruption when rows of a mapped image cannot be read.
  Status copy_from(const Storage& other);

  // Rows of a mapped image that were not looked at yet; null when there are none.
  CheckedRows* unchecked_vectors() const noexcept {
    return checked_vectors.is_done() ? nullptr : &checked_vectors;
  }
  CheckedRows* unchecked_codes() const noexcept {
    if (shape.code_stride == 0) return unchecked_vectors();
    return checked_codes.is_done() ? nullptr : &checked_codes;
  }

  // Bytes of vectors that are in a file.
  std::size_t vector_disk_bytes() const noexcept {
    return ahead.has_begun() ? vectors.committed() - vectors_left : 0;
  }

  // Of vectors in a file; null when they are in memory.
  ReadAhead* read_ahead() const noexcept { return ahead.has_begun() ? &ahead : nullptr; }

  // Words of upper blocks of slots below `slots`, which are usable.
  std::size_t upper_words_until(std::uint32_t slots) const noexcept {
    return slots < usable ? upper_offsets[slots] : upper_words;
  }

  std::byte* vector(Slot slot) const noexcept {
    return vectors.base() + std::size_t{slot} * shape.vector_stride;
  }
  std::byte* code(Slot slot) const noexcept {
    return shape.code_stride == 0 ? vector(slot)
                                  : codes.base() + std::size_t{slot} * shape.code_stride;
  }
  const std::byte* code_base() const noexcept {
    return shape.code_stride == 0 ? vectors.base() : codes.base();
  }
  Links links() const noexcept {
    return Links(layer0.data(), upper_offsets.data(), upper.data(), shape.M);
  }

  // Where a walk begins: slot in the low half, its level in the high one. kNoEntry: nowhere.
  static constexpr std::uint64_t kNoEntry = ~std::uint64_t{0};
  std::atomic<std::uint64_t> entry{kNoEntry};

  // Slots that were ever used are below this. Rises only.
  std::atomic<std::uint32_t> used{0};

  // Set at construction.
  StorageShape shape;
  std::uint32_t capacity = 0;

  // Grown by the writer.
  std::uint32_t usable = 0;     // slots with memory
  std::size_t upper_words = 0;  // of `upper`, given to slots below `usable`

  StableArray<SlotState> states;
  StableMemory vectors;             // written before the slot is linked or born
  mutable ReadAhead ahead;          // of them, when they are in a file
  std::size_t vectors_left = 0;     // bytes of them that are in memory all the same, at most
  StableMemory codes;               // the same
  StableArray<std::uint8_t> flags;  // SlotFlags; link lock
  StableArray<Slot> layer0;         // Links
  StableArray<std::uint32_t> upper_offsets;  // constant once the slot is usable
  StableArray<Slot> upper;                   // Links

  // Of a mapped image: what its rows are compared with. They guard themselves, so that a search,
  // which changes nothing else, may ask them.
  StableMemory sums;
  mutable CheckedRows checked_vectors;
  mutable CheckedRows checked_codes;
};

}  // namespace skerry

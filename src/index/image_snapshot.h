// image_snapshot.h - what an image that is being written still has to see as it was.
//
// An image shows one moment, S, and takes seconds to write, while writers go on. Two things make
// that possible:
//
//   rows      a slot that is freed after S is not used again until the image is written, so the
//             rows of the slots of S do not change. They are copied with no lock.
//   the rest  states, flags and links of a slot do change. The saver copies them block by block of
//             64 slots, under the writer lock and the link lock, for some 64 KB at a time; a writer
//             that is about to change a slot of a block that was not copied yet writes the block
//             to its place in the file first. Each block is written once, by whoever comes first.
//
//     slots    0 ........ saver ............................. used at S | new slots
//     written  1 1 1 1 1 1 1 1 0 0 1 0 0 0 1 1 0 0 ... 0                | not in the image
//                                  ^ a writer was here
//
// The slots are written before the rows, so writers have to look at this for a tenth of the time or
// less, and before the disk is busy with the rows. A write that fails spoils the image and not the
// writer's change.
//
// Threads: keep() under the link lock; the rest belongs to the saver.
// Memory: a byte for 64 slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include "index/image_file.h"
#include "index/storage.h"
#include "skerry/status.h"

namespace skerry {

class ImageSnapshot {
 public:
  static constexpr std::uint32_t kBlock = 64;  // slots

  explicit ImageSnapshot(const image::File& file) noexcept : file_(file) {}

  // The header says what the moment is; its sections have their places. out_of_memory.
  Status begin(const image::Header& header) {
    header_ = header;
    written_.reset(new (std::nothrow) bool[header.used / kBlock + 1]());
    return written_ != nullptr ? Status() : Status(Code::out_of_memory, "no memory for the image");
  }

  // Writes the slot's block as it is, if nobody did and the image has the slot.
  void keep(const Storage& storage, Slot slot) noexcept;

  // The saver's: moves `first`, the beginning of a block, to the next that was not written and
  // marks up to `blocks` from there on. Returns where they end; `first` itself when all is written.
  Slot claim(Slot& first, std::uint32_t blocks) noexcept;

  // Calls write(section, offset in it, bytes) for each piece of these slots.
  template <class Write>
  static Status each_piece(const Storage& storage, Slot first, Slot limit, Write write) {
    const auto piece = [&](image::Section section, const void* base, std::uint64_t begin,
                           std::uint64_t end) {
      return write(section, begin,
                   std::span(static_cast<const std::byte*>(base) + begin, end - begin));
    };
    const std::uint64_t a = first;
    const std::uint64_t b = limit;
    const std::uint64_t list = std::uint64_t{2} * storage.shape.M * sizeof(Slot);
    Status status =
        piece(image::kStates, storage.states.data(), a * sizeof(SlotState), b * sizeof(SlotState));
    if (status.ok()) status = piece(image::kFlags, storage.flags.data(), a, b);
    if (status.ok()) status = piece(image::kLayer0, storage.layer0.data(), a * list, b * list);
    if (status.ok()) {
      status = piece(image::kUpper, storage.upper.data(),
                     storage.upper_words_until(first) * sizeof(Slot),
                     storage.upper_words_until(limit) * sizeof(Slot));
    }
    return status;
  }

  const image::File& file() const noexcept { return file_; }
  image::Header& header() noexcept { return header_; }

  // The first write of a writer that failed. Under the writer lock.
  const Status& status() const noexcept { return status_; }

 private:
  const image::File& file_;
  image::Header header_ = {};
  std::unique_ptr<bool[]> written_;  // a block: by a writer, or claimed by the saver
  Status status_;
};

}  // namespace skerry

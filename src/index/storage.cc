#include "index/storage.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace skerry {
namespace {

constexpr std::uint32_t kStages[] = {1U << 5, 1U << 10, 1U << 16, 1U << 26, kMaxSlots};

// Words for the upper blocks: of the smallest stage they are counted; on average a slot needs
// little more than one.
std::size_t upper_reserve(std::uint32_t capacity, const StorageShape& shape) noexcept {
  if (capacity > kStages[0]) {
    return std::size_t{capacity} * 4 + std::size_t{64} * shape.M * kMaxLevel;
  }
  std::size_t words = 0;
  for (Slot slot = 0; slot < capacity; ++slot) {
    words += Links::upper_words(level_of(shape.seed, slot, shape.M), shape.M);
  }
  return words;
}

// From a file they come as fast as it can be read, in pieces asked for beforehand.
void copy_vectors(const StableMemory& to, const StableMemory& from, std::size_t bytes) noexcept {
  constexpr std::size_t kPiece = std::size_t{4} << 20;
  for (std::size_t at = 0; at < bytes; at += kPiece) {
    const std::size_t size = std::min(kPiece, bytes - at);
    if (from.has_scratch()) will_read(from.base() + at, size);
    std::memcpy(to.base() + at, from.base() + at, size);
  }
}

}  // namespace

std::uint32_t Storage::capacity_for(std::uint64_t slots) noexcept {
  for (const std::uint32_t stage : kStages) {
    if (slots <= stage) return stage;
  }
  return kMaxSlots;
}

Result<std::unique_ptr<Storage>> Storage::create(const StorageShape& shape, std::uint32_t capacity,
                                                 const std::filesystem::path& folder) {
  std::unique_ptr<Storage> storage(new (std::nothrow) Storage);
  if (storage == nullptr) return Status(Code::out_of_memory, "no memory for the index");
  storage->shape = shape;
  storage->capacity = capacity;
  const std::size_t n = capacity;
  Status status = storage->states.reserve(n);
  const std::size_t vector_bytes = n * shape.vector_stride;
  if (status.ok() && !folder.empty() && vector_bytes > kVectorsInMemory) {
    Result<ScratchFile> file = ScratchFile::create(folder);
    status = file.ok() ? storage->vectors.reserve(vector_bytes, std::move(*file)) : file.status();
    storage->ahead.begin(storage->vectors.base(), shape.vector_stride);
  } else if (status.ok()) {
    status = storage->vectors.reserve(vector_bytes);
  }
  if (status.ok() && shape.code_stride != 0) status = storage->codes.reserve(n * shape.code_stride);
  if (status.ok()) status = storage->flags.reserve(n);
  if (status.ok()) status = storage->layer0.reserve(n * 2 * shape.M);
  if (status.ok()) status = storage->upper_offsets.reserve(n);
  if (status.ok()) status = storage->upper.reserve(upper_reserve(capacity, shape));
  if (!status.ok()) return status;
  return storage;
}

// Offsets of slots that are not usable yet show to nobody, so they may stay when the rest fails.
Result<std::size_t> Storage::lay_out(std::uint32_t slots) {
  if (Status status = upper_offsets.grow(slots); !status.ok()) return status;
  std::size_t words = upper_words;
  for (Slot slot = usable; slot < slots; ++slot) {
    upper_offsets[slot] = static_cast<std::uint32_t>(words);
    words += Links::upper_words(level_of(shape.seed, slot, shape.M), shape.M);
  }
  return words;
}

Status Storage::grow(std::uint32_t slots) {
  if (slots <= usable) return {};
  const std::size_t n = slots;
  const Result<std::size_t> words = lay_out(slots);
  Status status = words.status();
  if (status.ok()) status = states.grow(n);
  if (status.ok()) status = vectors.grow(n * shape.vector_stride);
  if (status.ok() && shape.code_stride != 0) status = codes.grow(n * shape.code_stride);
  if (status.ok()) status = flags.grow(n);
  if (status.ok()) status = layer0.grow(n * 2 * shape.M);
  if (status.ok()) status = upper.grow(*words);
  if (!status.ok()) return status;
  upper_words = *words;
  usable = slots;
  return {};
}

// A row that is mended is written to by whoever looks at it, at any moment: so all are looked at
// before they are copied.
void Storage::leave_image(Slot slot) noexcept {
  const StableMemory::Range chunks =
      vectors.kept_chunks(std::size_t{slot} * shape.vector_stride, shape.vector_stride);
  if (chunks.empty()) return;
  const auto stay = [&] {
    vectors_left = std::min(vectors_left + shape.vector_stride, vectors.committed());
  };
  will_read(vectors.base() + chunks.begin, chunks.end - chunks.begin);
  if (CheckedRows* const unchecked = unchecked_vectors(); unchecked != nullptr) {
    const std::size_t end = std::min(CheckedRows::blocks_of(chunks.end), unchecked->block_count());
    for (std::size_t block = chunks.begin / CheckedRows::kBlock; block < end; ++block) {
      if (unchecked->look(block) != CheckedRows::Look::whole) return stay();
    }
  }
  if (!vectors.make_writable(chunks).ok()) stay();
}

Status Storage::copy_from(const Storage& other) {
  if (Status status = grow(other.usable); !status.ok()) return status;
  for (CheckedRows* rows : {other.unchecked_vectors(), other.unchecked_codes()}) {
    if (rows == nullptr) continue;
    for (std::size_t block = 0; block < rows->block_count(); ++block) {
      if (rows->look(block) != CheckedRows::Look::whole) {
        return Status(Code::corruption, "rows of the image fail their checksum");
      }
    }
  }
  const std::size_t n = other.used.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < n; ++i) {
    const SlotState& from = other.states[i];
    SlotState& to = states[i];
    to.key.store(from.key.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.born.store(from.born.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.died.store(from.died.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.link.store(from.link.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.in_links = from.in_links;
  }
  copy_vectors(vectors, other.vectors, n * shape.vector_stride);
  if (other.shape.code_stride != 0) {
    std::memcpy(codes.base(), other.codes.base(), n * shape.code_stride);
  }
  std::memcpy(flags.data(), other.flags.data(), n);
  std::memcpy(layer0.data(), other.layer0.data(), n * 2 * shape.M * sizeof(Slot));
  std::memcpy(upper.data(), other.upper.data(), other.upper_words * sizeof(Slot));
  used.store(static_cast<std::uint32_t>(n), std::memory_order_relaxed);
  entry.store(other.entry.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return {};
}

}  // namespace skerry

// stable_memory.h - memory that grows and never moves.
//
// Address space is reserved once and costs nothing; pages are committed as the memory grows, in
// steps, zero-filled. So a pointer into it stays good for as long as the memory lives, and readers
// follow it while a writer makes room. Large ones ask for 2 MB pages: without them a search is
// 12-23 % slower (measured on a prototype at 384-d).
//
//     base                    committed            reserved
//      |<---- read, write ------->|<--- no access ---->|
//
// A small reservation is a piece of the heap: a mapping costs a system call to make, one to commit
// and one to give back, whole pages, and places in the system's table of mappings, of which a
// process has some 65,000. Seven of them were two thirds of the making of an index of twenty
// vectors.
//
// The beginning may be a file mapped private: its pages are shared with every process that maps it
// until somebody writes to one.
//
// Threads: grow() by one thread at a time; what was committed may be used by all meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "skerry/status.h"

namespace skerry {

class StableMemory {
 public:
  StableMemory() noexcept = default;
  StableMemory(StableMemory&& other) noexcept { swap(other); }
  StableMemory& operator=(StableMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~StableMemory();

  // Reserves address space for at least `bytes`. Once, before anything else. out_of_memory.
  Status reserve(std::size_t bytes);

  // Maps `bytes` of a file, from `offset` (a multiple of the page size) on, at the beginning. Right
  // after reserve(). Writable pages are private copies. io_error, out_of_memory.
  Status map_file(int file, std::uint64_t offset, std::size_t bytes, bool writable);

  // Makes the first `bytes` usable; new ones are zero. At most the reservation. out_of_memory.
  Status grow(std::size_t bytes);

  std::byte* base() const noexcept { return base_; }
  std::size_t committed() const noexcept { return committed_; }
  std::size_t reserved() const noexcept { return reserved_; }

 private:
  void swap(StableMemory& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(committed_, other.committed_);
    std::swap(reserved_, other.reserved_);
    std::swap(piece_, other.piece_);
    std::swap(mapped_, other.mapped_);
    std::swap(is_heap_, other.is_heap_);
  }

  Status reserve_mapping(std::size_t bytes);
  void release() noexcept;

  std::byte* base_ = nullptr;
  std::size_t committed_ = 0;  // usable bytes; of a mapping whole pages
  std::size_t reserved_ = 0;
  void* piece_ = nullptr;  // what mmap or malloc returned: base_ is aligned inside it
  std::size_t mapped_ = 0;
  bool is_heap_ = false;  // it was malloc
};

// The same, counted in elements.
template <class T>
class StableArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  Status reserve(std::size_t count) { return memory_.reserve(count * sizeof(T)); }
  Status grow(std::size_t count) { return memory_.grow(count * sizeof(T)); }
  T* data() const noexcept { return reinterpret_cast<T*>(memory_.base()); }
  T& operator[](std::size_t i) const noexcept { return data()[i]; }
  std::size_t committed() const noexcept { return memory_.committed() / sizeof(T); }
  std::size_t committed_bytes() const noexcept { return memory_.committed(); }
  StableMemory& memory() noexcept { return memory_; }

 private:
  StableMemory memory_;
};

}  // namespace skerry

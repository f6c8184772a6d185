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
// What grows may be a file without a name (scratch_file.h) instead of memory, mapped shared: the
// kernel writes it out and drops it when memory is wanted. A file at the beginning is then mapped
// anew, chunk by chunk, before it is written to: a private page that changed would be memory again.
//
//     base                                                              committed
//      | image | image | scratch | image | image | scratch -------------->|<- no access
//         ^ private, clean   ^ copied there by make_writable()
//
// A host that hands in an allocator (skerry/host.h) is asked for both kinds, but for what a file is
// mapped into.
//
// Threads: grow() and make_writable() by one thread at a time; what was committed may be used by
// all meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/host_functions.h"
#include "base/scratch_file.h"
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

  // The same, and what grows is the file's. Space is taken as it grows: then storage_full,
  // io_error.
  Status reserve(std::size_t bytes, ScratchFile file);

  // Maps `bytes` of a file, from `offset` (a multiple of the page size) on, at the beginning. Right
  // after reserve(). Writable pages are private copies. io_error, out_of_memory.
  Status map_file(int file, std::uint64_t offset, std::size_t bytes, bool writable);

  // Makes the first `bytes` usable; new ones are zero. At most the reservation. out_of_memory.
  Status grow(std::size_t bytes);

  // Bytes from `begin` on, to `end`.
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool empty() const noexcept { return begin == end; }
  };

  // With a scratch file: the chunks under these bytes, if one is still the mapped file's. Whoever
  // writes there calls make_writable() first. Empty: there is nothing to do.
  Range kept_chunks(std::size_t begin, std::size_t bytes) const noexcept {
    if (begin >= kept_until_) return {};
    return find_kept_chunks(begin, bytes);
  }

  // Makes such chunks the scratch file's. They stay what and where they are: readers go on, and
  // nobody writes there meanwhile. Costs their reading and a copy. storage_full, io_error,
  // out_of_memory: then they are written to as private pages, which are memory.
  Status make_writable(Range chunks) noexcept;

  // With a scratch file: bytes of it that are mapped.
  std::size_t scratch_bytes() const noexcept { return scratch_bytes_; }
  bool has_scratch() const noexcept { return scratch_.is_open(); }

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
    std::swap(is_hosts_, other.is_hosts_);
    std::swap(scratch_, other.scratch_);
    std::swap(scratch_bytes_, other.scratch_bytes_);
    std::swap(kept_until_, other.kept_until_);
    std::swap(chunk_bytes_, other.chunk_bytes_);
    std::swap(is_kept_, other.is_kept_);
  }

  Status reserve_heap(std::size_t bytes);
  Status reserve_host(const Allocator& host, std::size_t bytes);
  Status reserve_mapping(std::size_t bytes);
  bool commit(std::size_t target) noexcept;
  Status grow_scratch(std::size_t target);
  Status map_scratch(std::size_t begin, std::size_t end) noexcept;
  Range find_kept_chunks(std::size_t begin, std::size_t bytes) const noexcept;
  void release() noexcept;

  std::byte* base_ = nullptr;
  std::size_t committed_ = 0;  // usable bytes; of a mapping whole pages
  std::size_t reserved_ = 0;
  void* piece_ = nullptr;  // what mmap, malloc or the host returned: base_ is aligned inside it
  std::size_t mapped_ = 0;
  bool is_heap_ = false;   // it was malloc, or the host's allocate
  bool is_hosts_ = false;  // it was the host's

  ScratchFile scratch_;            // byte n of it is byte n here
  std::size_t scratch_bytes_ = 0;  // of it that are mapped
  std::size_t kept_until_ = 0;     // with a scratch file: end of the mapped file at the beginning
  std::size_t chunk_bytes_ = 0;
  std::vector<bool> is_kept_;  // by chunk below kept_until_: it is the mapped file's
};

// Asks the kernel for bytes of a mapped file that will be read soon. Returns before they are there.
void will_read(const std::byte* begin, std::size_t bytes) noexcept;

// Tells the kernel that a mapped file is read here and there: a page that is missing comes alone,
// and not with 128 KB around it.
void read_singly(const std::byte* begin, std::size_t bytes) noexcept;

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

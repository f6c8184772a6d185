#include "base/stable_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace skerry {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kHeapMax = std::size_t{64} << 10;
constexpr std::size_t kLine = 64;

std::size_t page_size() noexcept {
  static const std::size_t size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

StableMemory::~StableMemory() {
  release();
}

void StableMemory::release() noexcept {
  if (is_heap_) {
    std::free(piece_);
  } else if (piece_ != nullptr) {
    ::munmap(piece_, mapped_);
  }
}

Status StableMemory::reserve(std::size_t bytes) {
  if (bytes > kHeapMax) return reserve_mapping(bytes);
  const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), kLine);
  // Aligned here: aligned_alloc() cuts what it gives out of a larger piece and takes the rest back.
  piece_ = std::malloc(size + kLine);
  if (piece_ == nullptr) return Status(Code::out_of_memory, "no memory for {b} KiB", 0, size >> 10);
  base_ = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(piece_), kLine));
  reserved_ = size;
  committed_ = 0;
  is_heap_ = true;
  return {};
}

Status StableMemory::reserve_mapping(std::size_t bytes) {
  const bool large = bytes >= 4 * kHugePage;
  const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), page_size());
  const std::size_t span = large ? size + kHugePage : size;
  void* mapping =
      ::mmap(nullptr, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return Status(Code::out_of_memory, "no address space for {b} MiB", 0, bytes >> 20);
  }
  piece_ = mapping;
  mapped_ = span;
  const auto start = reinterpret_cast<std::uintptr_t>(mapping);
  base_ = reinterpret_cast<std::byte*>(large ? round_up(start, kHugePage) : start);
  reserved_ = size;
  committed_ = 0;
  return {};
}

Status StableMemory::map_file(int file, std::uint64_t offset, std::size_t bytes, bool writable) {
  if (bytes > reserved_) return Status(Code::out_of_memory, "file is larger than its reservation");
  if (is_heap_) {
    StableMemory mapping;
    const Status status = mapping.reserve_mapping(reserved_);
    if (!status.ok()) return status;
    swap(mapping);
  }
  const std::size_t size = round_up(bytes, page_size());
  if (size > reserved_) return Status(Code::out_of_memory, "file is larger than its reservation");
  if (size == 0) return {};
  const int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (::mmap(base_, size, access, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file,
             static_cast<off_t>(offset)) == MAP_FAILED) {
    return Status(errno == ENOMEM ? Code::out_of_memory : Code::io_error,
                  "cannot map the image: {e}", static_cast<std::uint64_t>(errno));
  }
  committed_ = size;
  return {};
}

Status StableMemory::grow(std::size_t bytes) {
  if (bytes <= committed_) return {};
  if (bytes > reserved_) return Status(Code::out_of_memory, "beyond the reserved address space");
  // An eighth more than asked, so that growing one by one costs few system calls.
  const std::size_t wish = bytes + bytes / 8;
  const std::size_t unit = is_heap_ ? kLine : wish >= kHugePage ? kHugePage : page_size();
  const std::size_t target = std::min(round_up(wish, unit), reserved_);
  if (is_heap_) {
    std::memset(base_ + committed_, 0, target - committed_);
    committed_ = target;
    return {};
  }
  if (::mprotect(base_ + committed_, target - committed_, PROT_READ | PROT_WRITE) != 0) {
    return Status(Code::out_of_memory, "no memory for {b} MiB more", 0,
                  (target - committed_) >> 20);
  }
  // A hint: a kernel without large pages serves small ones.
  if (target >= kHugePage) {
    (void)::madvise(base_ + committed_, target - committed_, MADV_HUGEPAGE);
  }
  committed_ = target;
  return {};
}

}  // namespace skerry

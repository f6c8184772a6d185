#include "base/stable_memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>

#include "base/files.h"

namespace skerry {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kHeapMax = std::size_t{64} << 10;
constexpr std::size_t kLine = 64;

// Space of a disk that is taken beyond what is asked for, at most.
constexpr std::size_t kScratchSlack = std::size_t{32} << 20;

// A mapped file is made writable in chunks of this size, larger where there would be more than so
// many: each may be a mapping of its own, of which a process has some 65,000.
constexpr std::size_t kChunk = std::size_t{256} << 10;
constexpr std::size_t kChunksMost = 8192;

std::size_t page_size() noexcept {
  static const std::size_t size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

// Of whole pages; a hint.
void advise(const std::byte* begin, std::size_t bytes, int advice) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t page = at / page_size() * page_size();
  (void)::madvise(reinterpret_cast<void*>(page), at + bytes - page, advice);
}

// ThreadSanitizer takes mmap() for a write to what is mapped. Here the pages of the same bytes are
// exchanged, which readers may be reading: it is not told.
void* map_over(std::byte* at, std::size_t bytes, int file, off_t offset) noexcept {
  constexpr int kAccess = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
#ifdef __SANITIZE_THREAD__
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, kAccess, kFlags, file, offset));
#else
  return ::mmap(at, bytes, kAccess, kFlags, file, offset);
#endif
}

}  // namespace

void will_read(const std::byte* begin, std::size_t bytes) noexcept {
  advise(begin, bytes, MADV_WILLNEED);
}
void read_singly(const std::byte* begin, std::size_t bytes) noexcept {
  advise(begin, bytes, MADV_RANDOM);
}

StableMemory::~StableMemory() {
  release();
}

void StableMemory::release() noexcept {
  if (is_hosts_) {
    const Allocator& host = *host_allocator();
    if (is_heap_) {
      host.release(host.context, piece_, mapped_, kLine);
    } else {
      host.unreserve(host.context, piece_, mapped_);
    }
  } else if (is_heap_) {
    std::free(piece_);
  } else if (piece_ != nullptr) {
    ::munmap(piece_, mapped_);
  }
}

Status StableMemory::reserve(std::size_t bytes) {
  if (bytes <= kHeapMax) return reserve_heap(bytes);
  const Allocator* host = host_allocator();
  return host != nullptr ? reserve_host(*host, bytes) : reserve_mapping(bytes);
}

Status StableMemory::reserve_heap(std::size_t bytes) {
  const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), kLine);
  if (const Allocator* host = host_allocator()) {
    piece_ = host->allocate(host->context, size, kLine);
    if (piece_ == nullptr) {
      return Status(Code::out_of_memory, "no memory for {b} KiB", 0, size >> 10);
    }
    base_ = static_cast<std::byte*>(piece_);
    mapped_ = reserved_ = size;
    committed_ = 0;
    is_heap_ = is_hosts_ = true;
    return {};
  }
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

Status StableMemory::reserve_host(const Allocator& host, std::size_t bytes) {
  const std::size_t size = round_up(bytes, page_size());
  piece_ = host.reserve(host.context, size);
  if (piece_ == nullptr) {
    return Status(Code::out_of_memory, "no address space for {b} MiB", 0, bytes >> 20);
  }
  base_ = static_cast<std::byte*>(piece_);
  mapped_ = reserved_ = size;
  committed_ = 0;
  is_hosts_ = true;
  return {};
}

Status StableMemory::reserve(std::size_t bytes, ScratchFile file) {
  Status status = reserve_mapping(bytes);
  if (status.ok()) scratch_ = std::move(file);
  return status;
}

Status StableMemory::map_file(int file, std::uint64_t offset, std::size_t bytes, bool writable) {
  if (bytes > reserved_) return Status(Code::out_of_memory, "file is larger than its reservation");
  if (is_heap_ || is_hosts_) {
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
  if (scratch_.is_open()) {
    chunk_bytes_ = kChunk;
    while (size / chunk_bytes_ >= kChunksMost) chunk_bytes_ *= 2;
    try {
      is_kept_.assign((size + chunk_bytes_ - 1) / chunk_bytes_, true);
    } catch (const std::bad_alloc&) {
      return Status(Code::out_of_memory, "no memory for the index");
    }
    kept_until_ = size;
    read_singly(base_, size);
  }
  committed_ = size;
  return {};
}

Status StableMemory::grow(std::size_t bytes) {
  if (bytes <= committed_) return {};
  if (bytes > reserved_) return Status(Code::out_of_memory, "beyond the reserved address space");
  if (scratch_.is_open()) return grow_scratch(bytes);
  // An eighth more than asked, so that growing one by one costs few system calls.
  const std::size_t wish = bytes + bytes / 8;
  const std::size_t unit = is_heap_ ? kLine : wish >= kHugePage ? kHugePage : page_size();
  const std::size_t target = std::min(round_up(wish, unit), reserved_);
  if (is_heap_) {
    std::memset(base_ + committed_, 0, target - committed_);
    committed_ = target;
    return {};
  }
  if (!commit(target)) {
    return Status(Code::out_of_memory, "no memory for {b} MiB more", 0,
                  (target - committed_) >> 20);
  }
  committed_ = target;
  return {};
}

bool StableMemory::commit(std::size_t target) noexcept {
  std::byte* const begin = base_ + committed_;
  const std::size_t bytes = target - committed_;
  if (is_hosts_) {
    const Allocator& host = *host_allocator();
    return host.commit(host.context, base_, committed_, bytes) != 0;
  }
  if (::mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) return false;
  // A hint: a kernel without large pages serves small ones.
  if (target >= kHugePage) (void)::madvise(begin, bytes, MADV_HUGEPAGE);
  return true;
}

Status StableMemory::grow_scratch(std::size_t bytes) {
  const std::size_t wish = bytes + std::min(bytes / 8, kScratchSlack);
  const std::size_t target =
      std::min(round_up(wish, wish >= kHugePage ? kHugePage : page_size()), reserved_);
  Status status = scratch_.take(committed_, target - committed_);
  if (status.ok()) status = map_scratch(committed_, target);
  if (status.ok()) committed_ = target;
  return status;
}

Status StableMemory::map_scratch(std::size_t begin, std::size_t end) noexcept {
  if (map_over(base_ + begin, end - begin, scratch_.descriptor(), static_cast<off_t>(begin)) ==
      MAP_FAILED) {
    return status_of_errno(errno, "cannot map vectors on disk: {e}");
  }
  read_singly(base_ + begin, end - begin);
  scratch_bytes_ += end - begin;
  return {};
}

StableMemory::Range StableMemory::find_kept_chunks(std::size_t begin,
                                                   std::size_t bytes) const noexcept {
  const std::size_t end = std::min(begin + bytes, kept_until_);
  std::size_t first = begin / chunk_bytes_;
  std::size_t limit = (end + chunk_bytes_ - 1) / chunk_bytes_;
  while (first < limit && !is_kept_[first]) ++first;
  while (first < limit && !is_kept_[limit - 1]) --limit;
  if (first == limit) return {};
  return {first * chunk_bytes_, std::min(limit * chunk_bytes_, kept_until_)};
}

// Copied by a system call, so that a mapped file that has lost its end is an error here too. The
// exchange of a mapping is one step to whoever reads it: he waits for it in the kernel or not at
// all, and meets the same bytes before and after.
Status StableMemory::make_writable(Range chunks) noexcept {
  for (std::size_t begin = chunks.begin; begin < chunks.end; begin += chunk_bytes_) {
    const std::size_t chunk = begin / chunk_bytes_;
    if (!is_kept_[chunk]) continue;
    const std::size_t end = std::min(begin + chunk_bytes_, kept_until_);
    Status status = scratch_.take(begin, end - begin);
    if (status.ok()) status = scratch_.write(begin, std::span(base_ + begin, end - begin));
    if (status.ok()) status = map_scratch(begin, end);
    if (!status.ok()) return status;
    is_kept_[chunk] = false;
  }
  return {};
}

}  // namespace skerry

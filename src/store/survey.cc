// survey.cc - a walk over an LMDB file with plain reads.
#include "store/survey.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/files.h"

namespace skerry::store {
namespace {

// Stores up to this size are walked at every open.
constexpr std::uint64_t kBytesAlwaysWalked = 64 << 20;

constexpr std::size_t kHeaderBytes = 16;  // of a page
constexpr std::size_t kNodeBytes = 8;     // of a node, before its key
constexpr std::size_t kTableBytes = 48;
constexpr std::size_t kMetaBytes = 24 + 2 * kTableBytes + 16;
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr unsigned kBranch = 1;
constexpr unsigned kLeaf = 2;
constexpr unsigned kOverflow = 4;
constexpr unsigned kLeafOfFixed = 0x20;
constexpr unsigned kBigValue = 1;
constexpr unsigned kTableValue = 2;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::size_t kDepthMax = 64;

// LMDB's numbers are the machine's own.
template <class T>
T number_at(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

Status damaged(std::uint64_t page) noexcept {
  return Status(Code::corruption, "page {b} of store/data.mdb is damaged", 0, page);
}

class Walk {
 public:
  Walk(int fd, std::size_t page_bytes, std::uint64_t pages)
      : fd_(fd), page_bytes_(page_bytes), pages_(pages) {}

  Status table(const std::byte* table, std::size_t depth) {
    const auto root = number_at<std::uint64_t>(table + 40);
    return root == kNoPage ? Status() : page(root, depth);
  }

 private:
  Status read(std::uint64_t page, std::byte* out, std::size_t bytes) const {
    if (page >= pages_) {
      return Status(Code::corruption, "store/data.mdb is cut short: page {b} is missing", 0, page);
    }
    const ssize_t got = ::pread(fd_, out, bytes, static_cast<off_t>(page * page_bytes_));
    if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
    return static_cast<std::size_t>(got) == bytes ? Status() : damaged(page);
  }

  Status page(std::uint64_t number, std::size_t depth) {
    // More pages than there are: some page is met twice.
    if (depth == kDepthMax || ++visited_ > pages_) return damaged(number);
    if (depth == rooms_.size()) rooms_.emplace_back(page_bytes_);
    std::byte* bytes = rooms_[depth].data();
    Status status = read(number, bytes, page_bytes_);
    if (!status.ok()) return status;

    const unsigned flags = number_at<std::uint16_t>(bytes + 10);
    const std::size_t lower = number_at<std::uint16_t>(bytes + 12);
    const std::size_t upper = number_at<std::uint16_t>(bytes + 14);
    const bool is_branch = (flags & kBranch) != 0;
    if (number_at<std::uint64_t>(bytes) != number || is_branch == ((flags & kLeaf) != 0) ||
        (flags & (kOverflow | kLeafOfFixed)) != 0 || lower < kHeaderBytes || lower > upper ||
        upper > page_bytes_) {
      return damaged(number);
    }
    for (std::size_t at = kHeaderBytes; at + 2 <= lower && status.ok(); at += 2) {
      // A visit of a child may have moved the rooms.
      bytes = rooms_[depth].data();
      const std::size_t node = number_at<std::uint16_t>(bytes + at);
      if (node < upper || node + kNodeBytes > page_bytes_) return damaged(number);
      status = is_branch ? branch_node(number, bytes + node, page_bytes_ - node, depth)
                         : leaf_node(number, bytes + node, page_bytes_ - node, depth);
    }
    return status;
  }

  Status branch_node(std::uint64_t number, const std::byte* node, std::size_t room,
                     std::size_t depth) {
    const auto child = static_cast<std::uint64_t>(number_at<std::uint16_t>(node)) |
                       static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 2)) << 16 |
                       static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 4)) << 32;
    if (kNodeBytes + number_at<std::uint16_t>(node + 6) > room) return damaged(number);
    return page(child, depth + 1);
  }

  Status leaf_node(std::uint64_t number, const std::byte* node, std::size_t room,
                   std::size_t depth) {
    const std::uint64_t size = number_at<std::uint16_t>(node) |
                               static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 2)) << 16;
    const unsigned flags = number_at<std::uint16_t>(node + 4);
    const std::size_t value = kNodeBytes + number_at<std::uint16_t>(node + 6);
    const std::uint64_t kept = (flags & kBigValue) != 0 ? sizeof(std::uint64_t) : size;
    if (value + kept > room) return damaged(number);
    if ((flags & kBigValue) != 0) return overflow(number_at<std::uint64_t>(node + value), size);
    if ((flags & kTableValue) == 0) return Status();
    if (size != kTableBytes) return damaged(number);
    std::array<std::byte, kTableBytes> copy;
    std::memcpy(copy.data(), node + value, kTableBytes);
    return table(copy.data(), depth + 1);
  }

  Status overflow(std::uint64_t number, std::uint64_t size) {
    std::array<std::byte, kHeaderBytes> header;
    Status status = read(number, header.data(), header.size());
    if (!status.ok()) return status;
    const std::uint64_t pages = number_at<std::uint32_t>(header.data() + 12);
    if (number_at<std::uint64_t>(header.data()) != number ||
        (number_at<std::uint16_t>(header.data() + 10) & kOverflow) == 0 ||
        pages * page_bytes_ < kHeaderBytes + size) {
      return damaged(number);
    }
    if (pages > pages_ - number) {
      return Status(Code::corruption, "store/data.mdb is cut short: page {b} is missing", 0,
                    number + pages - 1);
    }
    visited_ += pages;
    return status;
  }

  int fd_;
  std::size_t page_bytes_;
  std::uint64_t pages_;  // whole ones in the file
  std::uint64_t visited_ = 0;
  std::vector<std::vector<std::byte>> rooms_;  // a page for each depth
};

}  // namespace

Status survey(int fd) {
  struct stat file = {};
  if (::fstat(fd, &file) != 0) return status_of_errno(errno, "cannot look at the store: {e}");
  const auto file_bytes = static_cast<std::uint64_t>(file.st_size);

  // Of two metas the one of the later transaction counts; LMDB judges a file without.
  std::array<std::array<std::byte, kMetaBytes>, 2> metas;
  std::size_t page_bytes = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto at = static_cast<off_t>(i * page_bytes + kHeaderBytes);
    const ssize_t got = ::pread(fd, metas[i].data(), kMetaBytes, at);
    if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
    if (got != static_cast<ssize_t>(kMetaBytes) ||
        number_at<std::uint32_t>(metas[i].data()) != kMagic ||
        number_at<std::uint32_t>(metas[i].data() + 4) != kVersion) {
      return Status();
    }
    if (i == 0) page_bytes = number_at<std::uint32_t>(metas[0].data() + 24);
    if (page_bytes < 512 || page_bytes > 65536 || (page_bytes & (page_bytes - 1)) != 0) {
      return damaged(0);
    }
  }
  const auto transaction = [&](std::size_t i) {
    return number_at<std::uint64_t>(metas[i].data() + kMetaBytes - 8);
  };
  const std::byte* meta = metas[transaction(0) < transaction(1) ? 1 : 0].data();
  const auto last = number_at<std::uint64_t>(meta + kMetaBytes - 16);
  const std::uint64_t pages = file_bytes / page_bytes;
  if (last < pages && file_bytes > kBytesAlwaysWalked) return Status();

  Walk walk(fd, page_bytes, pages);
  Status status = walk.table(meta + 24, 0);
  if (status.ok()) status = walk.table(meta + 24 + kTableBytes, 0);
  return status;
}

}  // namespace skerry::store

// survey.cc - a walk over an LMDB file with plain reads.
#include "store/survey.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
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
constexpr std::size_t kKeyBytesMax = 511;
constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr unsigned kMetaPages = 2;
constexpr unsigned kBranch = 1;
constexpr unsigned kLeaf = 2;
constexpr unsigned kOverflow = 4;
constexpr unsigned kBigValue = 1;
constexpr unsigned kTableValue = 2;
constexpr unsigned kNumbersAsKeys = 8;       // of a table
constexpr unsigned kTableFlagsKnown = 0x7F;  // what makes a table another than ours
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 47;
constexpr std::size_t kDepthMax = 32;  // LMDB's own

using Bytes = std::span<const std::byte>;

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

// Which tables a table's values may be: the main one holds tables, the others rows.
enum class Kind { free_pages, main, rows };

class Walk {
 public:
  // `last` is the last page that the file's root counts as used; `pages` are whole in the file.
  Walk(int fd, std::size_t page_bytes, std::uint64_t pages, std::uint64_t last)
      : fd_(fd),
        page_bytes_(page_bytes),
        pages_(pages),
        last_(last),
        met_(std::max<std::uint64_t>(pages, kMetaPages)) {
    met_[0] = met_[1] = true;
  }

  Status table(const std::byte* table, Kind kind) {
    const unsigned flags = number_at<std::uint16_t>(table + 4) & kTableFlagsKnown;
    if (flags != (kind == Kind::free_pages ? kNumbersAsKeys : 0)) {
      return Status(Code::corruption, "a table of the store is of another kind");
    }
    const auto root = number_at<std::uint64_t>(table + 40);
    if (root == kNoPage) return Status();
    // The main table's walk goes on where it was when one of its tables has been walked.
    std::vector<std::byte> previous = std::exchange(previous_, {});
    const std::size_t first_room = std::exchange(first_room_, rooms_used_);
    const Kind outer = std::exchange(kind_, kind);
    const Status status = page(root, 0);
    previous_ = std::move(previous);
    first_room_ = first_room;
    kind_ = outer;
    after_separator_ = false;
    return status;
  }

  // After the tables: no page is free and in use, or free twice. LMDB would write over it. Free
  // pages may lie behind the end of the file.
  Status free_pages() {
    std::sort(free_.begin(), free_.end());
    for (std::size_t i = 0; i < free_.size(); ++i) {
      const std::uint64_t page = free_[i];
      const bool is_met = page < pages_ && met_[page];
      if (is_met || page > last_ || (i > 0 && page == free_[i - 1])) return damaged(page);
    }
    return Status();
  }

 private:
  // False when it was met before. What is not in the file is found missing when it is read.
  bool meet(std::uint64_t page) {
    if (page >= pages_) return true;
    if (page > last_ || met_[page]) return false;
    met_[page] = true;
    return true;
  }

  Status read(std::uint64_t page, std::size_t at, std::byte* out, std::size_t bytes) const {
    if (page >= pages_) {
      return Status(Code::corruption, "store/data.mdb is cut short: page {b} is missing", 0, page);
    }
    const ssize_t got = ::pread(fd_, out, bytes, static_cast<off_t>(page * page_bytes_ + at));
    if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
    return static_cast<std::size_t>(got) == bytes ? Status() : damaged(page);
  }

  Status page(std::uint64_t number, std::size_t depth) {
    if (depth == kDepthMax || !meet(number)) return damaged(number);
    const std::size_t room = first_room_ + depth;
    if (room == rooms_.size()) rooms_.emplace_back(page_bytes_);
    rooms_used_ = room + 1;
    std::byte* bytes = rooms_[room].data();
    Status status = read(number, 0, bytes, page_bytes_);
    if (!status.ok()) return status;

    const unsigned flags = number_at<std::uint16_t>(bytes + 10);
    const std::size_t lower = number_at<std::uint16_t>(bytes + 12);
    const std::size_t upper = number_at<std::uint16_t>(bytes + 14);
    const bool is_branch = flags == kBranch;
    if (number_at<std::uint64_t>(bytes) != number || (flags != kBranch && flags != kLeaf) ||
        lower <= kHeaderBytes || lower % 2 != 0 || lower > upper || upper > page_bytes_) {
      return damaged(number);
    }
    // A branch with one child is LMDB's own only while it rearranges its list of free pages.
    if (is_branch && lower < kHeaderBytes + 4 && kind_ != Kind::free_pages) return damaged(number);
    std::size_t used = 0;
    for (std::size_t at = kHeaderBytes; at < lower && status.ok(); at += 2) {
      // A visit of a child may have moved the rooms, and used those behind ours.
      bytes = rooms_[room].data();
      rooms_used_ = room + 1;
      const std::size_t offset = number_at<std::uint16_t>(bytes + at);
      if (offset < upper || offset + kNodeBytes > page_bytes_) return damaged(number);
      const std::byte* node = bytes + offset;
      const std::size_t key_bytes = number_at<std::uint16_t>(node + 6);
      const std::size_t left = page_bytes_ - offset;
      if (key_bytes > kKeyBytesMax || kNodeBytes + key_bytes > left) return damaged(number);
      // The first key of a branch is never looked at: what is less goes there.
      const bool is_first_child = is_branch && at == kHeaderBytes;
      if (!is_first_child && !in_order({node + kNodeBytes, key_bytes}, is_branch)) {
        return damaged(number);
      }
      std::size_t node_bytes = kNodeBytes + key_bytes;
      if (!is_branch) {
        const std::size_t kept = value_bytes_kept(node);
        if (kept > left - node_bytes) return damaged(number);
        node_bytes += kept;
      }
      used += (node_bytes + 1) / 2 * 2;
      status = is_branch ? branch_node(node, depth) : leaf_node(number, node);
    }
    // Nodes lie without gaps from `upper` to the page's end.
    if (status.ok() && used != page_bytes_ - upper) return damaged(number);
    return status;
  }

  // Whether a key comes after the one before it, in the order of the table. What a branch says
  // about a child lies behind all keys before the child, and is not greater than its first.
  bool in_order(Bytes key, bool is_separator) {
    bool good = !key.empty();
    if (good && kind_ == Kind::free_pages) good = key.size() == sizeof(std::uint64_t);
    if (good && !previous_.empty()) {
      const int order = compare(previous_, key);
      good = order < 0 || (order == 0 && after_separator_ && !is_separator);
    }
    previous_.assign(key.begin(), key.end());
    after_separator_ = is_separator;
    return good;
  }

  int compare(Bytes a, Bytes b) const noexcept {
    if (kind_ == Kind::free_pages) {
      const auto x = number_at<std::uint64_t>(a.data());
      const auto y = number_at<std::uint64_t>(b.data());
      return x < y ? -1 : x > y ? 1 : 0;
    }
    const int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
    if (order != 0 || a.size() == b.size()) return order;
    return a.size() < b.size() ? -1 : 1;
  }

  Status branch_node(const std::byte* node, std::size_t depth) {
    const auto child = static_cast<std::uint64_t>(number_at<std::uint16_t>(node)) |
                       static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 2)) << 16 |
                       static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 4)) << 32;
    return page(child, depth + 1);
  }

  static std::uint64_t value_bytes(const std::byte* node) noexcept {
    return number_at<std::uint16_t>(node) |
           static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 2)) << 16;
  }
  // In the node itself.
  static std::uint64_t value_bytes_kept(const std::byte* node) noexcept {
    const bool is_big = (number_at<std::uint16_t>(node + 4) & kBigValue) != 0;
    return is_big ? sizeof(std::uint64_t) : value_bytes(node);
  }

  // Its key and its value are inside the page.
  Status leaf_node(std::uint64_t number, const std::byte* node) {
    const std::uint64_t size = value_bytes(node);
    const unsigned flags = number_at<std::uint16_t>(node + 4);
    const std::byte* value = node + kNodeBytes + number_at<std::uint16_t>(node + 6);
    if (kind_ == Kind::main && (flags & kTableValue) != 0) {
      if (flags != kTableValue || size != kTableBytes) return damaged(number);
      std::array<std::byte, kTableBytes> copy;
      std::memcpy(copy.data(), value, kTableBytes);
      return table(copy.data(), Kind::rows);
    }
    if ((flags & ~kBigValue) != 0) return damaged(number);
    if (flags == kBigValue) return overflow(number_at<std::uint64_t>(value), size);
    return kind_ == Kind::free_pages ? list_of_free({value, size}, number) : Status();
  }

  Status overflow(std::uint64_t number, std::uint64_t size) {
    std::array<std::byte, kHeaderBytes> header;
    Status status = read(number, 0, header.data(), header.size());
    if (!status.ok()) return status;
    const std::uint64_t pages = number_at<std::uint32_t>(header.data() + 12);
    if (number_at<std::uint64_t>(header.data()) != number ||
        number_at<std::uint16_t>(header.data() + 10) != kOverflow ||
        pages * page_bytes_ < kHeaderBytes + size) {
      return damaged(number);
    }
    if (number >= pages_ || pages > pages_ - number) {
      return Status(Code::corruption, "store/data.mdb is cut short: page {b} is missing", 0,
                    number + pages - 1);
    }
    for (std::uint64_t page = number; page < number + pages; ++page) {
      if (!meet(page)) return damaged(page);
    }
    if (kind_ != Kind::free_pages) return status;
    std::vector<std::byte> list(size);
    status = read(number, kHeaderBytes, list.data(), list.size());
    return status.ok() ? list_of_free(list, number) : status;
  }

  // A count and as many pages, the last one first, in room for more.
  Status list_of_free(Bytes list, std::uint64_t number) {
    if (list.size() < sizeof(std::uint64_t) || list.size() % sizeof(std::uint64_t) != 0) {
      return damaged(number);
    }
    const auto count = number_at<std::uint64_t>(list.data());
    if (count > list.size() / sizeof(std::uint64_t) - 1) return damaged(number);
    for (std::uint64_t i = 1; i <= count; ++i) {
      const auto page = number_at<std::uint64_t>(list.data() + i * sizeof(std::uint64_t));
      if (i > 1 && page >= free_.back()) return damaged(number);
      free_.push_back(page);
    }
    return Status();
  }

  int fd_;
  std::size_t page_bytes_;
  std::uint64_t pages_;
  std::uint64_t last_;
  std::vector<bool> met_;  // by page
  std::vector<std::uint64_t> free_;

  // Of the table that is being walked.
  Kind kind_ = Kind::main;
  std::vector<std::byte> previous_;  // key; empty: none yet
  bool after_separator_ = false;     // previous_ was a branch's

  // A page for each depth; a table's begin behind those of the table it stands in.
  std::vector<std::vector<std::byte>> rooms_;
  std::size_t first_room_ = 0;
  std::size_t rooms_used_ = 0;
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
  if (number_at<std::uint32_t>(metas[1].data() + 24) != page_bytes) return damaged(1);
  const auto transaction = [&](std::size_t i) {
    return number_at<std::uint64_t>(metas[i].data() + kMetaBytes - 8);
  };
  // LMDB writes the two by turns. Were one of the numbers another, it would believe the older root.
  const std::uint64_t newest = std::max(transaction(0), transaction(1));
  const std::uint64_t before = std::min(transaction(0), transaction(1));
  if (newest != before + 1 && newest != 0) {
    return Status(Code::corruption, "the two roots of store/data.mdb do not follow each other");
  }
  if (newest != 0 && transaction(newest % 2) != newest) return damaged(newest % 2);

  const std::byte* meta = metas[newest % 2].data();
  const auto last = number_at<std::uint64_t>(meta + kMetaBytes - 16);
  const std::uint64_t pages = file_bytes / page_bytes;
  if (last < kMetaPages - 1 || last >= kFileBytesMax / page_bytes) return damaged(newest % 2);
  if (last < pages && file_bytes > kBytesAlwaysWalked) return Status();

  Walk walk(fd, page_bytes, pages, last);
  Status status = walk.table(meta + 24, Kind::free_pages);
  if (status.ok()) status = walk.table(meta + 24 + kTableBytes, Kind::main);
  return status.ok() ? walk.free_pages() : status;
}

}  // namespace skerry::store

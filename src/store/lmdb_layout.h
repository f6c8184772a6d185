// lmdb_layout.h - what lies where in a page of LMDB? For those who read the file without LMDB: the
// survey, and the salvage of a damaged store.
//
// LMDB 0.9's layout on a 64-bit machine; its numbers are the machine's own:
//
//   page      u64 number, u16 -, u16 flags (1 branch, 2 leaf, 4 overflow, 8 meta), then
//             branch, leaf:  u16 lower, u16 upper, (lower - 16) / 2 offsets (u16) of nodes
//             overflow:      u32 pages, then the value's bytes over all of them
//   node      u16 lo, u16 hi, u16 flags, u16 key size, key, then
//             branch:        -; the child is page lo + hi 2^16 + flags 2^32
//             leaf:          lo + hi 2^16 bytes of value; flags 1: the u64 number of an overflow
//                            page instead; flags 2: the value is a table. Nodes begin at even
//                            offsets and lie without gaps from `upper` to the page's end
//   table     u32 -, u16 flags, u16 depth, u64 branch, leaf, overflow pages, u64 entries, u64 root
//             page (2^64 - 1: empty); 48 bytes
//   meta      pages 0 and 1, behind their headers: u32 magic 0xBEEFC0DE, u32 version 1, two u64,
//             the table of free pages (its first u32 is the page size), the main table, u64 last
//             page, u64 transaction; the higher transaction counts; n is written to page n mod 2
//   free      the table of free pages: key u64 transaction; value u64 count, then as many page
//             numbers, descending, then room for more
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "skerry/status.h"

namespace skerry::store::lmdb {

inline constexpr std::size_t kHeaderBytes = 16;  // of a page
inline constexpr std::size_t kNodeBytes = 8;     // of a node, before its key
inline constexpr std::size_t kTableBytes = 48;
inline constexpr std::size_t kMetaBytes = 24 + 2 * kTableBytes + 16;
inline constexpr std::size_t kKeyBytesMax = 511;
inline constexpr std::size_t kPageBytesMin = 512;
inline constexpr std::size_t kPageBytesMax = 65536;
inline constexpr std::size_t kDepthMax = 32;
inline constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 47;  // more cannot be mapped
inline constexpr std::uint32_t kMetaMagic = 0xBEEFC0DE;
inline constexpr std::uint32_t kMetaVersion = 1;
inline constexpr unsigned kMetaPages = 2;
inline constexpr std::uint64_t kNoPage = ~std::uint64_t{0};

// Flags of a page, of a node, of a table.
inline constexpr unsigned kBranch = 1;
inline constexpr unsigned kLeaf = 2;
inline constexpr unsigned kOverflow = 4;
inline constexpr unsigned kBigValue = 1;
inline constexpr unsigned kTableValue = 2;
inline constexpr unsigned kNumbersAsKeys = 8;
inline constexpr unsigned kTableFlagsKnown = 0x7F;  // what makes a table another than ours

template <class T>
T number_at(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Of a node in a branch.
inline std::uint64_t child_of(const std::byte* node) noexcept {
  return static_cast<std::uint64_t>(number_at<std::uint16_t>(node)) |
         static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 2)) << 16 |
         static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 4)) << 32;
}

// Of a node in a leaf.
inline std::uint64_t value_bytes(const std::byte* node) noexcept {
  return number_at<std::uint16_t>(node) |
         static_cast<std::uint64_t>(number_at<std::uint16_t>(node + 2)) << 16;
}

// The part of a value that lies in the node itself.
inline std::uint64_t value_bytes_kept(const std::byte* node) noexcept {
  const bool is_big = (number_at<std::uint16_t>(node + 4) & kBigValue) != 0;
  return is_big ? sizeof(std::uint64_t) : value_bytes(node);
}

struct Node {
  const std::byte* at;
  std::size_t room;  // from there to the page's end
  std::span<const std::byte> key;
};

inline unsigned flags_of(std::span<const std::byte> page) noexcept {
  return number_at<std::uint16_t>(&page[10]);
}

// The nodes of a branch or a leaf that lie in their page, in the order of its list of them, until
// `visit` returns false. What lies before `upper` was moved or removed: it is no node, though it
// may look like one. Whatever the page holds, nothing is read outside of it.
template <class Visit>
void each_node(std::span<const std::byte> page, Visit visit) {
  const std::size_t lower =
      std::min<std::size_t>(number_at<std::uint16_t>(&page[12]), page.size()) / 2 * 2;
  const std::size_t upper = std::max<std::size_t>(number_at<std::uint16_t>(&page[14]), lower);
  for (std::size_t at = kHeaderBytes; at + 2 <= lower; at += 2) {
    const std::size_t offset = number_at<std::uint16_t>(&page[at]);
    if (offset < upper || offset + kNodeBytes > page.size()) continue;
    const std::byte* node = &page[offset];
    const std::size_t key_bytes = number_at<std::uint16_t>(node + 6);
    const std::size_t room = page.size() - offset;
    if (key_bytes > kKeyBytesMax || kNodeBytes + key_bytes > room) continue;
    if (!visit(Node{node, room, {node + kNodeBytes, key_bytes}})) return;
  }
}

// The number of the root whose table of free pages begins on page `root`, as that table tells it: a
// commit frees at least the pages of the tables that it changed, under its own number, which is the
// last one there. 0: nothing was freed yet, or it cannot be read. `read` is
// Result<bool>(page, bytes&): false when that page cannot be read.
template <class Read>
Result<std::uint64_t> newest_free_number(std::uint64_t root, Read read) {
  std::vector<std::byte> page;
  std::uint64_t number = root;
  for (std::size_t depth = 0; depth < kDepthMax; ++depth) {
    const Result<bool> got = read(number, page);
    if (!got.ok()) return got.status();
    if (!*got) break;
    Node last = {};
    each_node(page, [&](const Node& node) {
      last = node;
      return true;
    });
    if (last.at == nullptr) break;
    if (flags_of(page) == kLeaf) {
      if (last.key.size() != sizeof(std::uint64_t)) break;
      return number_at<std::uint64_t>(last.key.data());
    }
    if (flags_of(page) != kBranch) break;
    number = child_of(last.at);
  }
  return std::uint64_t{0};
}

}  // namespace skerry::store::lmdb

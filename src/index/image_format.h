// image_format.h - the bytes of an image, version 1. docs/file-format.md draws the same.
//
// Little-endian. Sections start on pages of 4,096 bytes and are padded with zeroes to the next, so
// that they can be mapped and a float in them is aligned.
//
//     0  magic "skerryim"             8
//     8  format version              u32   1
//    12  byte order                  u32   0x01020304
//    16  CRC-32C of the header       u32   over 4,096 bytes, this field as zero
//    20  flags                       u32   1: there is a graph, with every live slot but those of
//                                          [linked until, backlog until); 2: linking has begun
//    24  sequence                    u64   the last change that the image reflects
//    32  collection                  u64   its number in the store; 0: a plain index
//    40  identity                    2 u64 of the store; zeroes: a plain index
//    56  dimension                   u32
//    60  metric, scalar, codes, vectors   4 u8
//    64  M, ef_construction, ef, flat_below   4 u32
//    80  seed                        u64
//    88  live                        u64
//    96  entry                       u64   slot, and its level in the high half
//   104  used, linked until, sweep at, sections   4 u32
//   120  CRC-32C of the checksums    u32   over the last section
//   124  backlog until               u32   0: there is none
//   128  sections                    { offset u64, bytes u64 } each
//   256  samples                     f32   of the model of its recall (recall_model.h); 0: none
//   260  recall                      f32   [k = 10, 100][stretch, ef][32 points]
//   772  chosen                      u8    of automatic codes: 1 and the number of those that were
//                                          chosen; 0: none yet, or codes were given
//
// Sections, by slot (docs/design.md tells what is in them):
//     states     { key, born, died u64; link, in-links u32 }   32 bytes a slot
//     vectors    exact rows, vector stride bytes a slot
//     codes      code rows; empty when the vectors are the codes
//     flags      1 byte a slot
//     layer 0    2 M u32 a slot
//     upper      blocks in slot order: which slots have one follows from the seed
//     directory  the key table, a power of two of u32: a slot, or 0xFFFFFFFF
//     checksums  CRC-32C u32 of each 4,096 bytes of the sections above, in their order; the last
//                of a section may be of fewer
#pragma once

#include <cstddef>
#include <cstdint>

#include "index/recall_model.h"

namespace skerry::image {

inline constexpr char kMagic[8] = {'s', 'k', 'e', 'r', 'r', 'y', 'i', 'm'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kByteOrder = 0x01020304;
inline constexpr std::size_t kPage = 4096;

enum Section : std::uint32_t {
  kStates,
  kVectors,
  kCodes,
  kFlags,
  kLayer0,
  kUpper,
  kDirectory,
  kSums,
  kSections
};
enum Flags : std::uint32_t { kGraph = 1, kLinking = 2 };

struct SectionEntry {
  std::uint64_t offset;
  std::uint64_t bytes;
};
static_assert(sizeof(SectionEntry) == 16);

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t byte_order;
  std::uint32_t crc;
  std::uint32_t flags;
  std::uint64_t sequence;
  std::uint64_t collection;
  std::uint64_t identity[2];
  std::uint32_t dimension;
  std::uint8_t metric;
  std::uint8_t scalar;
  std::uint8_t codes;
  std::uint8_t vectors;
  std::uint32_t M;
  std::uint32_t ef_construction;
  std::uint32_t ef;
  std::uint32_t flat_below;
  std::uint64_t seed;
  std::uint64_t live;
  std::uint64_t entry;
  std::uint32_t used;
  std::uint32_t linked_until;
  std::uint32_t sweep_at;
  std::uint32_t sections;
  std::uint32_t sums_crc;
  std::uint32_t backlog_until;
  SectionEntry section[kSections];
  RecallModel::State recall;
  std::uint8_t chosen;
  std::uint8_t padding[3];  // no byte of a header is left to chance
};
static_assert(offsetof(Header, crc) == 16 && offsetof(Header, dimension) == 56);
static_assert(offsetof(Header, seed) == 80 && offsetof(Header, used) == 104);
static_assert(offsetof(Header, sums_crc) == 120 && offsetof(Header, section) == 128);
static_assert(sizeof(Header) == offsetof(Header, padding) + sizeof(Header::padding));
static_assert(offsetof(Header, recall) == 128 + 8 * 16 &&
              sizeof(RecallModel::State) == 4 + 4 * 2 * 2 * 32 && sizeof(Header) <= kPage);

}  // namespace skerry::image

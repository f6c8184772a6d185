// schema.h - every byte that Skerry keeps in its store, drawn.
//
// The store is one LMDB environment, `store/data.mdb`, with ten named tables. Numbers in values
// are little-endian, numbers in keys big-endian (so that they sort); `u32`, `u64` are unsigned.
// All tables hold plain records (no duplicates a key). A `collection` in a key is the collection's
// id: ids are given out once and never again, so rows of a dropped collection can never be met by
// a later one of the same name.
//
//   table        key                                   value
//   -----------  ------------------------------------  --------------------------------------------
//   meta         "format"                              Format, 48 bytes
//   collections  the collection's name, 1-255 bytes    CollectionRecord, 64 bytes
//   counters     u32 collection                        Counters, 64 bytes
//   vectors      u32 collection, u64 number            a page of the collection's heap (heap.h)
//   places       u32 collection, u64 key               u64 row in the heap
//   payloads     u32 collection, u64 key               the payload, 1 to 2^32-5 bytes
//   names        u32 collection, 1-480 bytes of key    u64 id
//   names_by_id  u32 collection, u64 id                the 1-480 bytes of the key
//   log          u32 collection, u64 sequence          LogRecord
//   dropped      u32 collection                        (empty): its rows are still being removed
//
// A collection with byte-string keys gives each key an id, 1, 2, 3 ..., never used twice; the id is
// the `key` of its rows in places, payloads and log, and in the heap.
//
// Behind each value, except those of `vectors`, stands a u32: the CRC-32C of the table's number
// (u8, of `Table` below), the key and the value.
//
//   Format                                    CollectionRecord
//    0  12  "skerry store"                     0  u32  id
//   12  u32 version, 2                         4  u32  dimension
//   16  16  identity, random                   8  u8   metric   9  u8 scalar   10  u8 codes
//   32  u32 next collection id                11  u8   byte keys: 0 or 1
//   36  12  zero                              12  u32  M
//                                             16  u32  ef_construction
//   Counters (of one collection)              20  u32  ef
//    0  u64 sequence of the last change       24  u32  flat_below
//    8  u64 live: rows in the heap            28  u8   vectors: 0 or 1, 3 zero
//   16  u64 payloads: rows in payloads        32  u64  seed
//   24  u64 next name id                      40  24   zero
//   32  u64 trimmed: the log holds every
//           change after this sequence        LogRecord (of one request)
//   40  u64 changes held by the log            0  u8   1: upserts, 2: removals
//   48  u32 bytes of a vector                  1   7   zero
//   52  u32 bytes of a page of the heap        8  8 n  the keys, in the order of the rows
//   56  8   zero
//
// Counters of collection 0 (no collection has that id) hold only `sequence`: the number of changes
// in all collections since the store was made. Under collection 2^32 - 1, an id that is not given
// out either, stand the signatures of the last 32 transactions, u64 each: that of transaction n at
// n mod 32. A process draws its first by chance and counts on. Before the first write the record
// is absent. The lengths in the others are set when the
// collection is made: a page of the heap is a page of LMDB's less its header.
//
// A request of n rows takes n sequence numbers and is logged under the last of them. All rows of a
// commit, whatever the table, are written in one LMDB transaction.
//
// Versions: the number in Format is raised when an older Skerry would misread a store; a store with
// a higher number than ours is refused, one with a lower number is written anew (upgrade.h). Zero
// fields are room for what comes, and are checked by nobody. In version 1 there was no table
// `places`, `vectors` held the vector itself under u32 collection, u64 key, and there were no
// checksums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/codec.h"
#include "base/crc32c.h"
#include "skerry/options.h"

namespace skerry::store {

using Bytes = std::span<const std::byte>;

inline Bytes bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}
inline std::string_view text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

enum class Table : std::uint8_t {
  meta,
  collections,
  counters,
  vectors,
  payloads,
  names,
  names_by_id,
  log,
  dropped,
  places  // the last: version 1 had the others
};
inline constexpr std::array<const char*, 10> kTableNames = {
    "meta",  "collections", "counters", "vectors", "payloads",
    "names", "names_by_id", "log",      "dropped", "places"};

inline constexpr std::string_view kMagic = "skerry store";
inline constexpr std::uint32_t kVersion = 2;
inline constexpr std::size_t kFormatBytes = 48;
inline constexpr std::size_t kCollectionBytes = 64;
inline constexpr std::size_t kCountersBytes = 64;
inline constexpr std::uint32_t kSignatures = ~std::uint32_t{0};  // in the place of a collection
inline constexpr std::size_t kSignaturesKept = 32;
inline constexpr std::size_t kLogHeadBytes = 8;
inline constexpr std::size_t kSumBytes = 4;        // behind each value
inline constexpr std::size_t kNameBytesMax = 255;  // of a collection's name
static_assert(kMagic.size() == 12);

// What stands behind a value of any table but `vectors`.
inline std::uint32_t record_sum(Table table, Bytes key, Bytes value) noexcept {
  const auto number = static_cast<std::byte>(table);
  return crc32c(value, crc32c(key, crc32c(Bytes(&number, 1))));
}

using Identity = std::array<std::uint64_t, 2>;

struct Format {
  std::uint32_t version = kVersion;
  Identity identity = {};
  std::uint32_t next_collection = 1;
};

struct CollectionRecord {
  std::uint32_t id = 0;
  CollectionOptions options;
};

// What the heap of a collection is made of (heap.h).
struct HeapShape {
  std::uint32_t vector_bytes = 0;
  std::uint32_t page_bytes = 0;
};

// False for collection 0, which has no vectors, and for damage: LMDB's pages have 512 to 64 KiB.
inline bool is_lawful(const HeapShape& shape) noexcept {
  return shape.vector_bytes >= 1 && shape.vector_bytes <= kMaxDimension * 4 &&
         shape.page_bytes >= 256 && shape.page_bytes <= 65536;
}

struct Counters {
  std::uint64_t sequence = 0;
  std::uint64_t live = 0;
  std::uint64_t payloads = 0;
  std::uint64_t next_name = 1;
  std::uint64_t trimmed = 0;
  std::uint64_t log_entries = 0;
  HeapShape shape = {};
};

enum class LogKind : std::uint8_t { upserts = 1, removals = 2 };

// The key (u32) or (u32, u64) of a row, big-endian.
class CollectionKey {
 public:
  explicit CollectionKey(std::uint32_t collection) noexcept { put_be(bytes_.data(), collection); }
  operator Bytes() const noexcept { return bytes_; }

 private:
  std::array<std::byte, 4> bytes_;
};

class RowKey {
 public:
  RowKey(std::uint32_t collection, std::uint64_t number) noexcept {
    put_be(bytes_.data(), collection);
    put_be(bytes_.data() + 4, number);
  }
  operator Bytes() const noexcept { return bytes_; }

 private:
  std::array<std::byte, 12> bytes_;
};
static_assert(sizeof(RowKey) == 12);

// The number of a row's key; the caller knows that it is one.
inline std::uint64_t row_number(Bytes key) noexcept {
  return get_be<std::uint64_t>(&key[4]);
}

// The key (u32, bytes) of the names table.
class NameKey {
 public:
  NameKey(std::uint32_t collection, std::string_view name) noexcept : size_(4 + name.size()) {
    put_be(bytes_.data(), collection);
    std::memcpy(bytes_.data() + 4, name.data(), name.size());
  }
  operator Bytes() const noexcept { return Bytes(bytes_.data(), size_); }

 private:
  std::array<std::byte, 4 + kMaxKeyBytes> bytes_;
  std::size_t size_;
};

inline std::array<std::byte, kFormatBytes> encode(const Format& format) noexcept {
  std::array<std::byte, kFormatBytes> bytes{};
  Writer writer(bytes.data());
  writer.put_bytes(bytes_of(kMagic));
  writer.put(format.version);
  writer.put(format.identity[0]);
  writer.put(format.identity[1]);
  writer.put(format.next_collection);
  return bytes;
}

// False when the bytes are not a Format of any version.
inline bool decode(Bytes bytes, Format& format) noexcept {
  Reader reader(bytes);
  const Bytes magic = reader.take_bytes(kMagic.size());
  format.version = reader.take<std::uint32_t>();
  format.identity[0] = reader.take<std::uint64_t>();
  format.identity[1] = reader.take<std::uint64_t>();
  format.next_collection = reader.take<std::uint32_t>();
  return reader.ok() && text_of(magic) == kMagic;
}

inline std::array<std::byte, kCollectionBytes> encode(const CollectionRecord& record) noexcept {
  std::array<std::byte, kCollectionBytes> bytes{};
  Writer writer(bytes.data());
  const IndexOptions& index = record.options.index;
  writer.put(record.id);
  writer.put(index.dimension);
  writer.put(static_cast<std::uint8_t>(index.metric));
  writer.put(static_cast<std::uint8_t>(index.scalar));
  writer.put(static_cast<std::uint8_t>(index.codes));
  writer.put(static_cast<std::uint8_t>(record.options.byte_keys ? 1 : 0));
  writer.put(index.M);
  writer.put(index.ef_construction);
  writer.put(index.ef);
  writer.put(index.flat_below);
  writer.put(static_cast<std::uint8_t>(index.vectors));
  writer.put(std::uint8_t{0});
  writer.put(std::uint16_t{0});
  writer.put(index.seed);
  return bytes;
}

// False when the bytes are damaged.
inline bool decode(Bytes bytes, CollectionRecord& record) noexcept {
  if (bytes.size() != kCollectionBytes) return false;
  Reader reader(bytes);
  IndexOptions& index = record.options.index;
  record.id = reader.take<std::uint32_t>();
  index.dimension = reader.take<std::uint32_t>();
  const std::uint8_t metric = reader.take<std::uint8_t>();
  const std::uint8_t scalar = reader.take<std::uint8_t>();
  const std::uint8_t codes = reader.take<std::uint8_t>();
  const std::uint8_t byte_keys = reader.take<std::uint8_t>();
  index.M = reader.take<std::uint32_t>();
  index.ef_construction = reader.take<std::uint32_t>();
  index.ef = reader.take<std::uint32_t>();
  index.flat_below = reader.take<std::uint32_t>();
  const std::uint8_t vectors = reader.take<std::uint8_t>();
  static_cast<void>(reader.take_bytes(3));
  index.seed = reader.take<std::uint64_t>();
  index.metric = static_cast<Metric>(metric);
  index.scalar = static_cast<Scalar>(scalar);
  index.codes = static_cast<Codes>(codes);
  index.vectors = static_cast<Vectors>(vectors);
  record.options.byte_keys = byte_keys != 0;
  return record.id != 0 && index.dimension != 0 && index.dimension <= kMaxDimension &&
         metric <= static_cast<std::uint8_t>(Metric::custom) &&
         scalar <= static_cast<std::uint8_t>(Scalar::b1) &&
         codes <= static_cast<std::uint8_t>(Codes::automatic) &&
         vectors <= static_cast<std::uint8_t>(Vectors::disk) && byte_keys <= 1;
}

inline std::array<std::byte, kCountersBytes> encode(const Counters& counters) noexcept {
  std::array<std::byte, kCountersBytes> bytes{};
  Writer writer(bytes.data());
  writer.put(counters.sequence);
  writer.put(counters.live);
  writer.put(counters.payloads);
  writer.put(counters.next_name);
  writer.put(counters.trimmed);
  writer.put(counters.log_entries);
  writer.put(counters.shape.vector_bytes);
  writer.put(counters.shape.page_bytes);
  return bytes;
}

// False when the bytes are damaged.
inline bool decode(Bytes bytes, Counters& counters) noexcept {
  if (bytes.size() != kCountersBytes) return false;
  Reader reader(bytes);
  counters.sequence = reader.take<std::uint64_t>();
  counters.live = reader.take<std::uint64_t>();
  counters.payloads = reader.take<std::uint64_t>();
  counters.next_name = reader.take<std::uint64_t>();
  counters.trimmed = reader.take<std::uint64_t>();
  counters.log_entries = reader.take<std::uint64_t>();
  counters.shape.vector_bytes = reader.take<std::uint32_t>();
  counters.shape.page_bytes = reader.take<std::uint32_t>();
  return counters.trimmed <= counters.sequence;
}

}  // namespace skerry::store

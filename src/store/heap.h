// heap.h - where in the store are the bytes of a vector?
//
// The vectors of a collection lie end to end, across page borders, in a heap without holes; a page
// of the heap is a value of table `vectors`, as long as LMDB can put into one page of its own (that
// page less 16 bytes of header):
//
//   page 0                 page 1                 page 2
//   [row 0   ][row 1   ][ro|w 2   ][row 3   ][row |4  ][row 5   ]
//
//   row   0  u64 key   8  u32 CRC-32C of the key and the vector   12  the vector
//
// Table `places` says which row a key has. Where one is removed the last row moves in, so that n
// vectors are the rows 0 to n - 1, always: no space is lost, whatever was removed in what order.
//
// Why not a record a vector: LMDB gives pages of its own to a record that is larger than half of
// one, so 1,536 bytes filled 75 % of the disk that they took, and 4,096 bytes 50 %. Why single
// pages and not longer values: those need neighbouring free pages, and a file in which long and
// short values take turns grows by what does not fit any more. docs/adr/0012 has the numbers.
//
// Threads: one reader or writer belongs to one thread and one transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/watch.h"
#include "skerry/status.h"
#include "skerry/types.h"
#include "store/environment.h"
#include "store/schema.h"

namespace skerry::store {

inline constexpr std::size_t kRowSumAt = 8;
inline constexpr std::size_t kRowHeadBytes = 12;

inline std::size_t row_bytes(const HeapShape& shape) noexcept {
  return kRowHeadBytes + shape.vector_bytes;
}
// Pages that `rows` rows take.
inline std::uint64_t pages_of(const HeapShape& shape, std::uint64_t rows) noexcept {
  return (rows * row_bytes(shape) + shape.page_bytes - 1) / shape.page_bytes;
}
inline Key row_key(Bytes row) noexcept {
  return get_le<Key>(row.data());
}
inline std::uint32_t row_sum(Bytes row) noexcept {
  return crc32c(row.subspan(kRowHeadBytes), crc32c(row.first(kRowSumAt)));
}
inline bool is_whole_row(Bytes row) noexcept {
  return get_le<std::uint32_t>(row.data() + kRowSumAt) == row_sum(row);
}

// Reads the heap of one collection in one transaction.
class HeapReader {
 public:
  HeapReader(const Transaction& transaction, std::uint32_t collection,
             const Counters& counters) noexcept
      : transaction_(transaction),
        collection_(collection),
        shape_(counters.shape),
        rows_(counters.live) {}

  std::uint64_t rows() const noexcept { return rows_; }

  // The row of a key; not_found. corruption when it is beyond the last.
  Result<std::uint64_t> place(Key key) const;

  // A row; its bytes are good until the next call. corruption: it is damaged or missing.
  struct Row {
    Key key = 0;
    Bytes vector;
  };
  Result<Row> row(std::uint64_t number);

  // The vector of a key, good until the next call; not_found.
  Result<Bytes> vector(Key key);
  // The same for who walks along table `places` and has the key's record.
  Result<Bytes> vector(Key key, Bytes place);

  // Every row's key has that row for its place, and no other key has a place; all pages are there
  // and no others. corruption, naming the first that is wrong.
  Status check(Watch& watch);

 private:
  Result<Bytes> page(std::uint64_t number);

  const Transaction& transaction_;
  std::uint32_t collection_;
  HeapShape shape_;
  std::uint64_t rows_;

  // A walk along the rows asks for a page many times.
  std::uint64_t last_number_ = ~std::uint64_t{0};
  Bytes last_page_;
  std::vector<std::byte> joined_;  // a row that lies on several pages
};

// Memory of a writer that is kept from commit to commit, so that a commit asks for none.
class HeapScratch {
 public:
  using Buffer = std::vector<std::byte>;

  // Of that size; what is in it means nothing.
  Buffer take_page(std::size_t bytes) { return take(pages_, bytes); }
  Buffer take_row(std::size_t bytes) { return take(rows_, bytes); }
  void give_page(Buffer page) { pages_.push_back(std::move(page)); }
  void give_row(Buffer row) { rows_.push_back(std::move(row)); }

  // Keeps a megabyte of pages and the rows of a few collections.
  void trim() noexcept;

 private:
  static Buffer take(std::vector<Buffer>& resting, std::size_t bytes);

  std::vector<Buffer> pages_;
  std::vector<Buffer> rows_;
};

// Writes the heap of one collection in one transaction.
//
// Pages that change are copied here, changed as often as the commit likes, and put into the table
// when they are many or the commit ends: a batch copies a page once, and not once a row. LMDB's own
// pages would not do. What mdb_get and MDB_RESERVE point to is good until the next write of the
// transaction and no longer (lmdb.h): LMDB may write out and free any dirty page when it has many,
// and instead of a page that is not dirty it hands out a new one without its content.
class HeapWriter {
 public:
  HeapWriter(Transaction& transaction, HeapScratch& scratch, std::uint32_t collection,
             const Counters& counters) noexcept;

  std::uint64_t rows() const noexcept { return rows_; }

  Result<bool> contains(Key key) const;

  // Room for the key's vector, to be filled before the next call. `fresh`: the key is new.
  Result<Transaction::Room> put(Key key);

  // Whether the key was there.
  Result<bool> remove(Key key);

  // All that was put is in the tables. Nothing may follow.
  Status finish();

 private:
  Status settle();
  Result<Bytes> read(std::uint64_t row);
  Status write(std::uint64_t row, Bytes bytes);
  Result<std::byte*> open(std::uint64_t number);
  Status flush();

  Transaction* transaction_;
  HeapScratch* scratch_;
  std::uint32_t collection_;
  HeapShape shape_;
  std::uint64_t rows_;
  std::uint64_t pages_;  // in the table or open here

  // The row that put() gave room for: it goes into its pages at the next call.
  HeapScratch::Buffer pending_;
  std::uint64_t pending_row_ = 0;
  bool is_pending_ = false;

  std::map<std::uint64_t, HeapScratch::Buffer> open_;  // by number: put in the table's order
  HeapScratch::Buffer moved_;                          // the last row, on its way into a hole
};

}  // namespace skerry::store

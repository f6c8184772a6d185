// heap.cc - rows end to end in pages: where they are, how they are read, written and moved.
#include "store/heap.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace skerry::store {
namespace {

// Pages that a commit holds open at most: 1 MB of them.
constexpr std::size_t kPagesOpenMax = 256;
constexpr std::size_t kRowsKept = 4;

// The part of a row that lies on one page.
struct Piece {
  std::uint64_t page = 0;
  std::size_t offset = 0;  // in the page
  std::size_t bytes = 0;
};

// The piece that begins `done` bytes into the row.
Piece piece_of(const HeapShape& shape, std::uint64_t row, std::size_t done) noexcept {
  const std::size_t size = row_bytes(shape);
  const std::uint64_t at = row * size + done;
  const std::size_t offset = at % shape.page_bytes;
  return {at / shape.page_bytes, offset, std::min(shape.page_bytes - offset, size - done)};
}

Status damaged_heap(const char* text, std::uint64_t number) noexcept {
  return Status(Code::corruption, text, 0, number);
}

Status check_sum(Bytes row, std::uint64_t number) noexcept {
  if (is_whole_row(row)) return Status();
  return damaged_heap("row {b} of a collection's vectors is damaged: its checksum is wrong",
                      number);
}

Result<Bytes> find_page(const Transaction& transaction, std::uint32_t collection,
                        const HeapShape& shape, std::uint64_t number) {
  Result<Bytes> page = transaction.get(Table::vectors, RowKey(collection, number));
  if (!page.ok() && page.error().code() == Code::not_found) {
    return damaged_heap("page {b} of a collection's vectors is missing", number);
  }
  if (page.ok() && page->size() != shape.page_bytes) {
    return damaged_heap("page {b} of a collection's vectors has a wrong length", number);
  }
  return page;
}

// The row that a record of table `places` tells.
Result<std::uint64_t> row_of(Bytes place, Key key, std::uint64_t rows) {
  if (place.size() == sizeof(std::uint64_t)) {
    const auto row = get_le<std::uint64_t>(place.data());
    if (row < rows) return row;
  }
  return damaged_heap("the place of key {b} is damaged", key);
}

Result<std::uint64_t> find_place(const Transaction& transaction, std::uint32_t collection, Key key,
                                 std::uint64_t rows) {
  const Result<Bytes> place = transaction.get(Table::places, RowKey(collection, key));
  return place.ok() ? row_of(*place, key, rows) : place.error();
}

Status put_place(Transaction& transaction, std::uint32_t collection, Key key, std::uint64_t row) {
  std::array<std::byte, sizeof row> value;
  put_le(value.data(), row);
  return transaction.put(Table::places, RowKey(collection, key), value);
}

}  // namespace

// -- reading --------------------------------------------------------------------------------------

Result<std::uint64_t> HeapReader::place(Key key) const {
  return find_place(transaction_, collection_, key, rows_);
}

Result<Bytes> HeapReader::page(std::uint64_t number) {
  if (number == last_number_) return last_page_;
  const Result<Bytes> page = find_page(transaction_, collection_, shape_, number);
  if (page.ok()) {
    last_number_ = number;
    last_page_ = *page;
  }
  return page;
}

Result<HeapReader::Row> HeapReader::row(std::uint64_t number) {
  const std::size_t size = row_bytes(shape_);
  Bytes bytes;
  for (std::size_t done = 0; done < size;) {
    const Piece piece = piece_of(shape_, number, done);
    const Result<Bytes> found = page(piece.page);
    if (!found.ok()) return found.error();
    bytes = found->subspan(piece.offset, piece.bytes);
    if (bytes.size() == size) break;  // the whole row, where it lies
    joined_.resize(size);
    std::memcpy(joined_.data() + done, bytes.data(), bytes.size());
    done += bytes.size();
    bytes = joined_;
  }
  const Status status = check_sum(bytes, number);
  if (!status.ok()) return status;
  return Row{row_key(bytes), bytes.subspan(kRowHeadBytes)};
}

Result<Bytes> HeapReader::vector(Key key) {
  const Result<Bytes> place = transaction_.get(Table::places, RowKey(collection_, key));
  return place.ok() ? vector(key, *place) : place.error();
}

Result<Bytes> HeapReader::vector(Key key, Bytes place) {
  const Result<std::uint64_t> number = row_of(place, key, rows_);
  if (!number.ok()) return number.error();
  const Result<Row> found = row(*number);
  if (!found.ok()) return found.error();
  if (found->key != key) return damaged_heap("the place of key {b} holds another key", key);
  return found->vector;
}

Status HeapReader::check(Watch& watch) {
  for (std::uint64_t number = 0; number < rows_; ++number) {
    if (const Status wanted = watch.advance(1); !wanted.ok()) return wanted;
    const Result<Row> found = row(number);
    if (!found.ok()) return found.error();
    const Result<std::uint64_t> back = place(found->key);
    if (!back.ok() && back.error().code() != Code::not_found) return back.error();
    if (!back.ok() || *back != number) {
      return Status(Code::corruption, "row {a} holds key {b}, whose place is elsewhere", number,
                    found->key);
    }
  }
  // Every row has a place of its own. As many places as rows: no other key has one.
  const auto count = [&](Table table, std::uint64_t expected, const char* text) {
    const CollectionKey prefix(collection_);
    Cursor cursor(transaction_, table);
    std::uint64_t found = 0;
    bool more = cursor.seek(prefix);
    for (; more && cursor.starts_with(prefix); more = cursor.next()) ++found;
    if (!cursor.status().ok() || found == expected) return cursor.status();
    return Status(Code::corruption, text, expected, found);
  };
  const Status status = count(Table::places, rows_, "there are {b} places for {a} vectors");
  if (!status.ok()) return status;
  return count(Table::vectors, pages_of(shape_, rows_), "vectors of {a} pages have {b}");
}

// -- writing --------------------------------------------------------------------------------------

HeapScratch::Buffer HeapScratch::take(std::vector<Buffer>& resting, std::size_t bytes) {
  Buffer buffer;
  if (!resting.empty()) {
    buffer = std::move(resting.back());
    resting.pop_back();
  }
  buffer.resize(bytes);
  return buffer;
}

void HeapScratch::trim() noexcept {
  if (pages_.size() > kPagesOpenMax) pages_.resize(kPagesOpenMax);
  if (rows_.size() > kRowsKept) rows_.resize(kRowsKept);
}

HeapWriter::HeapWriter(Transaction& transaction, HeapScratch& scratch, std::uint32_t collection,
                       const Counters& counters) noexcept
    : transaction_(&transaction),
      scratch_(&scratch),
      collection_(collection),
      shape_(counters.shape),
      rows_(counters.live),
      pages_(pages_of(shape_, rows_)) {}

Result<bool> HeapWriter::contains(Key key) const {
  const Status found = find_place(*transaction_, collection_, key, rows_).status();
  if (found.ok()) return true;
  if (found.code() == Code::not_found) return false;
  return found;
}

Result<Transaction::Room> HeapWriter::put(Key key) {
  Status status = settle();
  if (!status.ok()) return status;
  const Result<std::uint64_t> place = find_place(*transaction_, collection_, key, rows_);
  const bool fresh = !place.ok();
  if (fresh) {
    if (place.error().code() != Code::not_found) return place.error();
    status = put_place(*transaction_, collection_, key, rows_);
    if (!status.ok()) return status;
  }
  if (pending_.empty()) pending_ = scratch_->take_row(row_bytes(shape_));
  put_le(pending_.data(), key);
  pending_row_ = fresh ? rows_++ : *place;
  is_pending_ = true;
  return Transaction::Room{pending_.data() + kRowHeadBytes, fresh};
}

Result<bool> HeapWriter::remove(Key key) {
  Status status = settle();
  if (!status.ok()) return status;
  const Result<std::uint64_t> place = find_place(*transaction_, collection_, key, rows_);
  if (!place.ok()) {
    if (place.error().code() == Code::not_found) return false;
    return place.error();
  }
  const std::uint64_t last = rows_ - 1;
  if (*place != last) {
    const Result<Bytes> mover = read(last);
    if (!mover.ok()) return mover.error();
    const Key moved = row_key(*mover);
    const Result<std::uint64_t> from = find_place(*transaction_, collection_, moved, rows_);
    if (!from.ok() || *from != last) {
      return damaged_heap("the place of key {b} is not where its vector is", moved);
    }
    status = put_place(*transaction_, collection_, moved, *place);
    if (status.ok()) status = write(*place, *mover);
    if (!status.ok()) return status;
  }
  const Result<bool> removed = transaction_->remove(Table::places, RowKey(collection_, key));
  if (!removed.ok()) return removed;
  rows_ = last;
  for (const std::uint64_t left = pages_of(shape_, rows_); pages_ > left; --pages_) {
    open_.erase(pages_ - 1);
    const Result<bool> gone = transaction_->remove(Table::vectors, RowKey(collection_, pages_ - 1));
    if (!gone.ok()) return gone;
  }
  return true;
}

Status HeapWriter::finish() {
  Status status = settle();
  if (status.ok()) status = flush();
  if (!pending_.empty()) scratch_->give_row(std::move(pending_));
  if (!moved_.empty()) scratch_->give_row(std::move(moved_));
  scratch_->trim();
  return status;
}

// The row that put() gave room for is filled: it goes into its pages.
Status HeapWriter::settle() {
  if (!is_pending_) return Status();
  is_pending_ = false;
  put_le(pending_.data() + kRowSumAt, row_sum(pending_));
  return write(pending_row_, pending_);
}

// A row, good until the next call.
Result<Bytes> HeapWriter::read(std::uint64_t row) {
  // Copied always: what LMDB lends is lent until the next write only.
  if (moved_.empty()) moved_ = scratch_->take_row(row_bytes(shape_));
  std::size_t done = 0;
  while (done < moved_.size()) {
    const Piece piece = piece_of(shape_, row, done);
    const auto open = open_.find(piece.page);
    const Result<Bytes> page = open != open_.end()
                                   ? Result<Bytes>(open->second)
                                   : find_page(*transaction_, collection_, shape_, piece.page);
    if (!page.ok()) return page;
    std::memcpy(moved_.data() + done, page->data() + piece.offset, piece.bytes);
    done += piece.bytes;
  }
  const Status status = check_sum(moved_, row);
  if (!status.ok()) return status;
  return Bytes(moved_);
}

Status HeapWriter::write(std::uint64_t row, Bytes bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const Piece piece = piece_of(shape_, row, done);
    const Result<std::byte*> page = open(piece.page);
    if (!page.ok()) return page.error();
    std::memcpy(*page + piece.offset, bytes.data() + done, piece.bytes);
    done += piece.bytes;
  }
  return Status();
}

// The page to write to. Past the last one a new page is begun.
Result<std::byte*> HeapWriter::open(std::uint64_t number) {
  const auto found = open_.find(number);
  if (found != open_.end()) return found->second.data();
  if (open_.size() >= kPagesOpenMax) {
    const Status status = flush();
    if (!status.ok()) return status;
  }
  HeapScratch::Buffer bytes = scratch_->take_page(shape_.page_bytes);
  if (number < pages_) {
    const Result<Bytes> page = find_page(*transaction_, collection_, shape_, number);
    if (!page.ok()) return page.error();
    std::memcpy(bytes.data(), page->data(), bytes.size());
  } else {
    std::memset(bytes.data(), 0, bytes.size());
    pages_ = number + 1;
  }
  return open_.emplace(number, std::move(bytes)).first->second.data();
}

Status HeapWriter::flush() {
  for (auto& [number, bytes] : open_) {
    const Status status = transaction_->put(Table::vectors, RowKey(collection_, number), bytes);
    if (!status.ok()) return status;
    scratch_->give_page(std::move(bytes));
  }
  open_.clear();
  return Status();
}

}  // namespace skerry::store

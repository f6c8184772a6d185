// upgrade.cc - what is in a store of version 1, written into a new one.
//
//   version 1   vectors: u32 collection, u64 key -> the vector; there is no table `places`
//   version 2   vectors and places: heap.h
//
// Everything else is copied, and gets its checksums. A collection whose drop was not finished is
// left behind.
#include "store/upgrade.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files.h"
#include "store/environment.h"
#include "store/heap.h"
#include "store/store.h"

namespace skerry::store {
namespace {

constexpr const char* kBeside = "upgrade";  // the folder of the new store, in the old one's

// Of the old store's that go into the new one in one transaction.
constexpr std::size_t kRecordsAtOnce = 8192;
constexpr std::size_t kBytesAtOnce = 16 << 20;

// A record of the old store: its bytes stay where they are as long as its snapshot.
struct Record {
  Bytes key;
  Bytes value;
};

// Records of `table` whose keys begin with `prefix`, some at a time.
template <class Take>
Status each_batch(const Transaction& old, Table table, Bytes prefix, Take take) {
  Cursor cursor(old, table);
  std::vector<Record> batch;
  std::size_t bytes = 0;
  bool found = cursor.seek(prefix);
  while (found && cursor.starts_with(prefix)) {
    const Result<Bytes> value = cursor.value();
    if (!value.ok()) return value.error();
    batch.push_back({cursor.key(), *value});
    bytes += value->size();
    found = cursor.next();
    if (batch.size() < kRecordsAtOnce && bytes < kBytesAtOnce) continue;
    const Status status = take(batch);
    if (!status.ok()) return status;
    batch.clear();
    bytes = 0;
  }
  if (!cursor.status().ok() || batch.empty()) return cursor.status();
  return take(batch);
}

Status copy(const Transaction& old, Environment& fresh, Table table, Bytes prefix) {
  return each_batch(old, table, prefix, [&](const std::vector<Record>& batch) {
    return fresh.write([&](Transaction& transaction) {
      Status status;
      for (const Record& record : batch) {
        if (status.ok()) status = transaction.put(table, record.key, record.value);
      }
      return status;
    });
  });
}

Status damaged_source(const char* text, std::uint64_t a, std::uint64_t b) noexcept {
  return Status(Code::corruption, text, a, b);
}

// The vectors of one collection go into its heap, in the order of their keys.
Status copy_vectors(const Transaction& old, Environment& fresh, std::uint32_t collection,
                    Counters counters) {
  const std::uint64_t expected = std::exchange(counters.live, 0);
  HeapScratch scratch;
  const auto put = [&](const std::vector<Record>& batch) {
    std::uint64_t rows = 0;
    const Status status = fresh.write([&](Transaction& transaction) -> Status {
      HeapWriter heap(transaction, scratch, collection, counters);
      for (const Record& record : batch) {
        if (record.key.size() != sizeof(RowKey)) {
          return damaged_source("a key of the store is damaged", 0, 0);
        }
        const Key key = row_number(record.key);
        if (record.value.size() != counters.shape.vector_bytes) {
          return damaged_source("the vector of key {b} has {a} bytes in the store",
                                record.value.size(), key);
        }
        const Result<Transaction::Room> room = heap.put(key);
        if (!room.ok()) return room.error();
        std::memcpy(room->bytes, record.value.data(), record.value.size());
      }
      rows = heap.rows();
      return heap.finish();
    });
    if (status.ok()) counters.live = rows;
    return status;
  };
  const Status status = each_batch(old, Table::vectors, CollectionKey(collection), put);
  if (!status.ok()) return status;
  if (counters.live != expected) {
    return damaged_source("the store counts {a} vectors and holds {b}", expected, counters.live);
  }
  return fresh.write([&](Transaction& transaction) {
    return transaction.put(Table::counters, CollectionKey(collection), encode(counters));
  });
}

Status copy_collection(const Transaction& old, Environment& fresh, std::string_view name,
                       const CollectionRecord& record) {
  const CollectionKey prefix(record.id);
  Result<Counters> counters = Reading(old).counters(record.id);
  if (!counters.ok()) return counters.error();
  Status status = fresh.write([&](Transaction& transaction) {
    const IndexOptions& index = record.options.index;
    counters->shape = {static_cast<std::uint32_t>(vector_bytes(index.scalar, index.dimension)),
                       transaction.value_bytes_of_page()};
    return transaction.put(Table::collections, bytes_of(name), encode(record));
  });
  if (status.ok()) status = copy_vectors(old, fresh, record.id, *counters);
  for (const Table table : {Table::payloads, Table::names, Table::names_by_id, Table::log}) {
    if (status.ok()) status = copy(old, fresh, table, prefix);
  }
  return status;
}

Status copy_all(const Environment& old, Environment& fresh) {
  return old.read([&](const Transaction& transaction) -> Status {
    Format format = old.format();
    format.version = kVersion;
    Status status = fresh.write([&](Transaction& first) {
      return first.put(Table::meta, bytes_of("format"), encode(format));
    });
    if (status.ok()) status = copy(transaction, fresh, Table::counters, CollectionKey(0));
    if (!status.ok()) return status;
    const Status walk =
        Reading(transaction)
            .each_collection([&](std::string_view name, const CollectionRecord& record) {
              status = copy_collection(transaction, fresh, name, record);
              return status.ok();
            });
    return status.ok() ? walk : status;
  });
}

Status write_beside(const std::filesystem::path& folder, const std::filesystem::path& beside) {
  std::error_code error;
  std::filesystem::create_directory(beside, error);
  if (error) return status_of_errno(error.value(), "cannot make the folder: {e}");
  Status status = Environment::create(beside);
  if (!status.ok()) return status;
  const Result<std::unique_ptr<Environment>> old =
      Environment::open(folder, {.read_only = true, .version = 1});
  if (!old.ok()) return old.error();
  const Result<std::unique_ptr<Environment>> fresh =
      Environment::open(beside, {.durability = Durability::none});
  if (!fresh.ok()) return fresh.error();
  status = copy_all(**old, **fresh);
  return status.ok() ? (*fresh)->sync() : status;
}

}  // namespace

void remove_upgrade_leftovers(const std::filesystem::path& folder) {
  static_cast<void>(remove_folder(folder / kBeside));
}

Status upgrade(const std::filesystem::path& folder) {
  const std::filesystem::path beside = folder / kBeside;
  Status status = remove_folder(beside);
  if (status.ok()) status = write_beside(folder, beside);
  std::error_code error;
  if (status.ok()) {
    // The new file is whole and synced; from here the name decides.
    std::filesystem::rename(beside / "data.mdb", folder / "data.mdb", error);
    if (error) status = status_of_errno(error.value(), "cannot put the new store in place: {e}");
  }
  if (status.ok()) status = sync_path(folder);
  static_cast<void>(remove_folder(beside));  // what stays now goes at the next open
  return status;
}

}  // namespace skerry::store

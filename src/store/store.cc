// store.cc - rows of the tables: what is read, committed, dropped and trimmed.
#include "store/store.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "store/held_read.h"
#include "store/upgrade.h"

namespace skerry::store {
namespace {

// Rows that one transaction removes when much is to be removed.
constexpr std::size_t kRowsAtOnce = 8192;

Status damaged(const char* text) noexcept {
  return Status(Code::corruption, text);
}

Status read_counters(const Transaction& transaction, std::uint32_t collection, Counters& counters) {
  const Result<Bytes> bytes = transaction.get(Table::counters, CollectionKey(collection));
  if (!bytes.ok()) {
    return bytes.error().code() == Code::not_found
               ? damaged("the counters of a collection are missing")
               : bytes.error();
  }
  return decode(*bytes, counters) ? Status() : damaged("the counters of a collection are damaged");
}

// Of a collection that has vectors.
Status read_shaped_counters(const Transaction& transaction, std::uint32_t collection,
                            Counters& counters) {
  const Status status = read_counters(transaction, collection, counters);
  if (!status.ok() || is_lawful(counters.shape)) return status;
  return damaged("the counters of a collection are damaged");
}

Status read_format(const Transaction& transaction, Format& format) {
  const Result<Bytes> bytes = transaction.get(Table::meta, bytes_of("format"));
  if (!bytes.ok()) return bytes.error();
  return decode(*bytes, format) ? Status() : damaged("the store's format record is damaged");
}

// not_found also when the name is that of another id than `id`; 0: any.
Result<CollectionRecord> find_collection(const Transaction& transaction, std::string_view name,
                                         std::uint32_t id) {
  Result<CollectionRecord> record = Reading(transaction).collection(name);
  if (!record.ok() || id == 0 || record->id == id) return record;
  return Status(Code::not_found, "the name is another collection's");
}

Status check_name_is_free(const Transaction& transaction, std::string_view name) {
  const Status found = Reading(transaction).collection(name).status();
  if (found.code() == Code::not_found) return Status();
  return found.ok() ? Status(Code::already_exists, "there is a collection of that name already")
                    : found;
}

// A new collection of the record's options, without rows; the record gets its id.
Status add_collection(Transaction& transaction, std::string_view name, CollectionRecord& record) {
  Status status = check_name_is_free(transaction, name);
  Format format;
  if (status.ok()) status = read_format(transaction, format);
  if (!status.ok()) return status;
  if (format.next_collection == ~std::uint32_t{0}) {
    return Status(Code::storage_full, "the store has given out every collection id");
  }
  record.id = format.next_collection++;
  status = transaction.put(Table::meta, bytes_of("format"), encode(format));
  if (status.ok()) status = transaction.put(Table::collections, bytes_of(name), encode(record));
  if (!status.ok()) return status;
  const IndexOptions& index = record.options.index;
  Counters counters;
  counters.shape = {static_cast<std::uint32_t>(vector_bytes(index.scalar, index.dimension)),
                    transaction.value_bytes_of_page()};
  return transaction.put(Table::counters, CollectionKey(record.id), encode(counters));
}

// The rows of a table that are collection `from`'s, once more as those of `to`. Their keys begin
// with the collection's id and their values do not name it.
Status copy_rows(Transaction& transaction, Table table, std::uint32_t from, std::uint32_t to,
                 Watch& watch, std::uint64_t& copied) {
  const CollectionKey source(from);
  const CollectionKey target(to);
  // Copied out: what a cursor hands out is good until the next write.
  std::vector<std::byte> key;
  std::vector<std::byte> value;
  Cursor cursor(transaction, table);
  bool found = cursor.seek(source);
  for (; found && cursor.starts_with(source); found = cursor.next()) {
    const Result<Bytes> bytes = cursor.value();
    if (!bytes.ok()) return bytes.error();
    value.assign(bytes->begin(), bytes->end());
    key.assign(cursor.key().begin(), cursor.key().end());
    const Bytes prefix = target;
    std::copy(prefix.begin(), prefix.end(), key.begin());
    Status status = transaction.put(table, key, value);
    if (status.ok()) status = watch.at(++copied);
    if (!status.ok()) return status;
  }
  return cursor.status();
}

// The first of a collection's records that there are, as many as one transaction removes; whether
// those were all. With the last goes the mark of a drop.
Result<bool> remove_some_rows(Transaction& transaction, std::uint32_t collection) {
  const CollectionKey prefix(collection);
  std::size_t removed = 0;
  for (const Table table : {Table::vectors, Table::places, Table::payloads, Table::names,
                            Table::names_by_id, Table::log, Table::counters}) {
    Cursor cursor(transaction, table);
    bool found = cursor.seek(prefix);
    for (; found && cursor.starts_with(prefix) && removed < kRowsAtOnce; found = cursor.next()) {
      const Status step = cursor.remove();
      if (!step.ok()) return step;
      ++removed;
    }
    if (!cursor.status().ok()) return cursor.status();
  }
  if (removed == kRowsAtOnce) return false;
  const Status unmarked = transaction.remove(Table::dropped, prefix).status();
  if (!unmarked.ok()) return unmarked;
  return true;
}

}  // namespace

// -- Reading --------------------------------------------------------------------------------------

Result<CollectionRecord> Reading::collection(std::string_view name) const {
  const Result<Bytes> bytes = transaction_.get(Table::collections, bytes_of(name));
  if (!bytes.ok()) {
    return bytes.error().code() == Code::not_found
               ? Status(Code::not_found, "there is no collection of that name")
               : bytes.error();
  }
  CollectionRecord record;
  if (!decode(*bytes, record)) return damaged("the record of a collection is damaged");
  return record;
}

Result<Counters> Reading::counters(std::uint32_t collection) const {
  Counters counters;
  const Status status = read_counters(transaction_, collection, counters);
  if (!status.ok()) return status;
  return counters;
}

Result<bool> Reading::is_there(std::string_view name, std::uint32_t collection) const {
  const Result<CollectionRecord> record = this->collection(name);
  if (!record.ok() && record.error().code() != Code::not_found) return record.error();
  if (record.ok() && record->id == collection) return true;
  // Renamed or dropped: a collection that is dropped is first marked, and its counters go with the
  // mark.
  const CollectionKey key(collection);
  const Status marked = transaction_.get(Table::dropped, key).status();
  if (marked.code() != Code::not_found) return marked.ok() ? Result<bool>(false) : marked;
  const Status counted = transaction_.get(Table::counters, key).status();
  if (counted.code() == Code::not_found) return false;
  return counted.ok() ? Result<bool>(true) : counted;
}

Result<std::uint64_t> Reading::collection_count() const {
  return transaction_.rows(Table::collections);
}

Result<bool> Reading::contains(std::uint32_t collection, Key key) const {
  const Status found = transaction_.get(Table::places, RowKey(collection, key)).status();
  if (found.ok()) return true;
  if (found.code() == Code::not_found) return false;
  return found;
}

Result<HeapReader> Reading::heap(std::uint32_t collection) const {
  Counters counters;
  const Status status = read_shaped_counters(transaction_, collection, counters);
  if (!status.ok()) return status;
  return HeapReader(transaction_, collection, counters);
}

Result<Bytes> Reading::payload(std::uint32_t collection, Key key) const {
  return transaction_.get(Table::payloads, RowKey(collection, key));
}

Result<std::size_t> Reading::copy_payload(std::uint32_t collection, Key key,
                                          std::span<std::byte> out) const {
  const Result<Bytes> payload = this->payload(collection, key);
  if (payload.ok()) {
    std::copy_n(payload->begin(), std::min(out.size(), payload->size()), out.begin());
    return payload->size();
  }
  if (payload.error().code() != Code::not_found) return payload.error();
  const Result<bool> present = contains(collection, key);
  if (!present.ok()) return present.error();
  if (!*present) return Status(Code::not_found, "no such key");
  return std::size_t{0};
}

Result<Key> Reading::name_id(std::uint32_t collection, std::string_view name) const {
  const Result<Bytes> id = transaction_.get(Table::names, NameKey(collection, name));
  if (!id.ok()) return id.error();
  if (id->size() != sizeof(Key)) return damaged("the id of a byte-string key is damaged");
  return get_le<Key>(id->data());
}

Result<std::string_view> Reading::name_of(std::uint32_t collection, Key id) const {
  const Result<Bytes> name = transaction_.get(Table::names_by_id, RowKey(collection, id));
  if (!name.ok()) return name.error();
  if (name->empty() || name->size() > kMaxKeyBytes) return damaged("a key of the store is damaged");
  return text_of(*name);
}

Status Reading::each_collection(
    FunctionRef<bool(std::string_view, const CollectionRecord&)> visit) const {
  Cursor cursor(transaction_, Table::collections);
  for (bool found = cursor.next(); found; found = cursor.next()) {
    CollectionRecord record;
    const Result<Bytes> value = cursor.value();
    if (!value.ok()) return value.error();
    if (!decode(*value, record)) return damaged("the record of a collection is damaged");
    if (!visit(text_of(cursor.key()), record)) break;
  }
  return cursor.status();
}

Status Reading::each_record(Table table, std::uint32_t collection, std::uint64_t first,
                            FunctionRef<Result<bool>(std::uint64_t, Bytes)> visit) const {
  Cursor cursor(transaction_, table);
  const CollectionKey prefix(collection);
  bool found = cursor.seek(RowKey(collection, first));
  for (; found && cursor.starts_with(prefix); found = cursor.next()) {
    if (cursor.key().size() != sizeof(RowKey)) return damaged("a key of the store is damaged");
    const Result<Bytes> value = cursor.value();
    if (!value.ok()) return value.error();
    const Result<bool> more = visit(row_number(cursor.key()), *value);
    if (!more.ok()) return more.error();
    if (!*more) break;
  }
  return cursor.status();
}

Status Reading::each_vector(std::uint32_t collection, Key first,
                            FunctionRef<bool(Key, Bytes)> visit) const {
  Result<HeapReader> heap = this->heap(collection);
  if (!heap.ok()) return heap.error();
  return each_record(Table::places, collection, first, [&](Key key, Bytes place) -> Result<bool> {
    const Result<Bytes> vector = heap->vector(key, place);
    if (!vector.ok()) return vector.error();
    return visit(key, *vector);
  });
}

Status Reading::each_key(std::uint32_t collection, Key first, FunctionRef<bool(Key)> visit) const {
  return each_record(Table::places, collection, first,
                     [&](Key key, Bytes) -> Result<bool> { return visit(key); });
}

Status Reading::each_row(std::uint32_t collection, std::uint64_t first, std::uint64_t limit,
                         FunctionRef<bool(Key, Bytes)> visit) const {
  Result<HeapReader> heap = this->heap(collection);
  if (!heap.ok()) return heap.error();
  for (std::uint64_t number = first; number < std::min(limit, heap->rows()); ++number) {
    const Result<HeapReader::Row> row = heap->row(number);
    if (!row.ok()) return row.error();
    if (!visit(row->key, row->vector)) break;
  }
  return Status();
}

Status Reading::check(std::uint32_t collection, Watch& watch) const {
  Result<HeapReader> heap = this->heap(collection);
  return heap.ok() ? heap->check(watch) : heap.error();
}
Status Reading::check(std::uint32_t collection) const {
  Watch nobody{Control()};
  return check(collection, nobody);
}

Result<std::uint64_t> Reading::records_of(const CollectionRecord& collection) const {
  Counters counters;
  const Status status = read_shaped_counters(transaction_, collection.id, counters);
  if (!status.ok()) return status;
  const std::uint64_t names = collection.options.byte_keys ? 2 * counters.live : 0;
  return pages_of(counters.shape, counters.live) + counters.live + counters.payloads + names;
}

Status Reading::each_payload(std::uint32_t collection, FunctionRef<bool(Key, Bytes)> visit) const {
  return each_record(Table::payloads, collection, 0, visit);
}

Status Reading::each_name(std::uint32_t collection, Key first,
                          FunctionRef<bool(Key, std::string_view)> visit) const {
  return each_record(Table::names_by_id, collection, first,
                     [&](Key id, Bytes name) -> Result<bool> {
                       if (name.empty() || name.size() > kMaxKeyBytes)
                         return damaged("a key of the store is damaged");
                       return visit(id, text_of(name));
                     });
}

Status Reading::each_change(std::uint32_t collection, std::uint64_t after,
                            FunctionRef<bool(std::uint64_t, LogKind, Bytes)> visit) const {
  if (after == ~std::uint64_t{0}) return Status();
  return each_record(Table::log, collection, after + 1,
                     [&](std::uint64_t sequence, Bytes record) -> Result<bool> {
                       if (record.size() < kLogHeadBytes || record.size() % 8 != 0) {
                         return damaged("a record of the log is damaged");
                       }
                       const auto kind = static_cast<LogKind>(record[0]);
                       if (kind != LogKind::upserts && kind != LogKind::removals) {
                         return damaged("a record of the log is damaged");
                       }
                       return visit(sequence, kind, record.subspan(kLogHeadBytes));
                     });
}

// -- Commit ---------------------------------------------------------------------------------------

Status Commit::turn_to(std::uint32_t collection) {
  collection_ = collection;
  for (current_ = 0; current_ < touched_.size(); ++current_) {
    if (touched_[current_].collection == collection) return Status();
  }
  Counters counters;
  const Status status = read_shaped_counters(transaction_, collection, counters);
  if (!status.ok()) return status;
  touched_.push_back(
      {collection, counters, HeapWriter(transaction_, scratch_, collection, counters)});
  return status;
}

Status Commit::put_payload(Key key, Bytes payload, bool fresh) {
  const RowKey row(collection_, key);
  if (payload.empty()) {
    if (fresh || counters().payloads == 0) return Status();
    const Result<bool> removed = transaction_.remove(Table::payloads, row);
    if (removed.ok() && *removed) --counters().payloads;
    return removed.status();
  }
  const Result<Transaction::Room> room = transaction_.reserve(Table::payloads, row, payload.size());
  if (!room.ok()) return room.error();
  std::memcpy(room->bytes, payload.data(), payload.size());
  transaction_.seal(Table::payloads, row, *room, payload.size());
  if (room->fresh) ++counters().payloads;
  return Status();
}

Result<bool> Commit::remove(Key key) {
  const Result<bool> removed = heap().remove(key);
  if (!removed.ok() || !*removed) return removed;
  const Status status = put_payload(key, {}, false);
  if (!status.ok()) return status;
  return true;
}

Result<Key> Commit::find_name(std::string_view name) const {
  const Result<Key> id = Reading(transaction_).name_id(collection_, name);
  if (!id.ok() && id.error().code() == Code::not_found) return Key{0};
  return id;
}

Result<Key> Commit::add_name(std::string_view name) {
  const Key id = counters().next_name++;
  std::array<std::byte, sizeof(Key)> value;
  put_le(value.data(), id);
  Status status = transaction_.put(Table::names, NameKey(collection_, name), value);
  if (status.ok()) {
    status = transaction_.put(Table::names_by_id, RowKey(collection_, id), bytes_of(name));
  }
  if (!status.ok()) return status;
  return id;
}

Status Commit::remove_name(std::string_view name, Key id) {
  const Result<bool> by_name = transaction_.remove(Table::names, NameKey(collection_, name));
  if (!by_name.ok()) return by_name.error();
  const Result<bool> by_id = transaction_.remove(Table::names_by_id, RowKey(collection_, id));
  if (by_id.ok() && *by_name != *by_id) return damaged("a byte-string key has no id of its own");
  return by_id.status();
}

Result<std::uint64_t> Commit::log(LogKind kind, std::span<const Key> keys) {
  Counters& now = counters();
  now.sequence += keys.size();
  now.log_entries += keys.size();
  changes_ += keys.size();
  const RowKey row(collection_, now.sequence);
  const std::size_t size = kLogHeadBytes + keys.size() * sizeof(Key);
  const Result<Transaction::Room> room = transaction_.reserve(Table::log, row, size);
  if (!room.ok()) return room.error();
  Writer writer(room->bytes);
  writer.put(static_cast<std::uint64_t>(kind));
  for (const Key key : keys) writer.put(key);
  transaction_.seal(Table::log, row, *room, size);
  return now.sequence;
}

Status Commit::finish() {
  if (changes_ == 0) return Status();
  Counters all;
  Status status = read_counters(transaction_, 0, all);
  all.sequence += changes_;
  if (status.ok()) status = transaction_.put(Table::counters, CollectionKey(0), encode(all));
  for (Touched& touched : touched_) {
    if (status.ok()) status = touched.heap.finish();
    if (!status.ok()) return status;
    touched.counters.live = touched.heap.rows();
    status = transaction_.put(Table::counters, CollectionKey(touched.collection),
                              encode(touched.counters));
  }
  return status;
}

// -- Store ----------------------------------------------------------------------------------------

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& folder,
                                           const EnvironmentOptions& options) {
  Result<std::unique_ptr<Environment>> environment = Environment::open(folder, options);
  if (!environment.ok() && !options.read_only && options.alone &&
      is_of_older_version(environment.error())) {
    const Status status = upgrade(folder);
    if (!status.ok()) return status;
    environment = Environment::open(folder, options);
  }
  if (!environment.ok()) return environment.error();
  std::unique_ptr<Store> store(new Store(std::move(*environment)));
  if (!options.read_only) {
    if (options.alone) remove_upgrade_leftovers(folder);
    const Status status = store->finish_drops();
    if (!status.ok()) return status;
  }
  return store;
}

Status Store::read(FunctionRef<Status(const Reading&)> work) const {
  return environment_->read(
      [&](const Transaction& transaction) { return work(Reading(transaction)); });
}

Status Store::read(const HeldRead& held, FunctionRef<Status(const Reading&)> work) {
  return held.read([&](const Transaction& transaction) { return work(Reading(transaction)); });
}

Status Store::commit(FunctionRef<Status(Commit&)> work) {
  return environment_->write([&](Transaction& transaction) {
    Commit commit(transaction, scratch_);
    const Status status = work(commit);
    return status.ok() ? commit.finish() : status;
  });
}

Result<CollectionRecord> Store::create_collection(std::string_view name,
                                                  const CollectionOptions& options) {
  CollectionRecord record{0, options};
  const Status status = environment_->write(
      [&](Transaction& transaction) { return add_collection(transaction, name, record); });
  if (!status.ok()) return status;
  return record;
}

Status Store::create_collections(std::span<const std::string_view> names,
                                 const CollectionOptions& options) {
  return environment_->write([&](Transaction& transaction) -> Status {
    for (std::size_t i = 0; i < names.size(); ++i) {
      CollectionRecord record{0, options};
      const Status status = add_collection(transaction, names[i], record);
      if (status.code() == Code::already_exists) {
        return Status(Code::already_exists, "name {b}: there is a collection of that name already",
                      0, i);
      }
      if (!status.ok()) return status;
    }
    return Status();
  });
}

Result<Store::Dropped> Store::drop_collection(std::string_view name, std::uint32_t id, Rows rows) {
  Dropped dropped;
  const Status status = environment_->write([&](Transaction& transaction) -> Status {
    const Result<CollectionRecord> present = find_collection(transaction, name, id);
    if (!present.ok()) return present.error();
    dropped = {present->id, true};
    const Result<bool> removed = transaction.remove(Table::collections, bytes_of(name));
    if (!removed.ok()) return removed.error();
    if (rows == Rows::go_if_few) {
      const Result<bool> all = remove_some_rows(transaction, dropped.id);
      if (!all.ok()) return all.error();
      dropped.has_rows = !*all;
    }
    return dropped.has_rows ? transaction.put(Table::dropped, CollectionKey(dropped.id), {})
                            : Status();
  });
  // Damaged rows are no reason to keep the name.
  if (status.code() == Code::corruption && rows == Rows::go_if_few) {
    return drop_collection(name, id, Rows::stay);
  }
  if (!status.ok()) return status;
  return dropped;
}

Status Store::rename_collection(std::string_view from, std::uint32_t id, std::string_view to) {
  return environment_->write([&](Transaction& transaction) -> Status {
    const Result<CollectionRecord> present = find_collection(transaction, from, id);
    if (!present.ok()) return present.error();
    if (from == to) return Status();
    const Status free = check_name_is_free(transaction, to);
    if (!free.ok()) return free;
    const Result<bool> removed = transaction.remove(Table::collections, bytes_of(from));
    if (!removed.ok()) return removed.error();
    return transaction.put(Table::collections, bytes_of(to), encode(*present));
  });
}

Result<CollectionRecord> Store::clone_collection(std::string_view from, std::string_view to,
                                                 Watch& watch) {
  CollectionRecord record;
  const Status status = environment_->write([&](Transaction& transaction) -> Status {
    std::uint64_t copied = 0;
    const Result<CollectionRecord> source = find_collection(transaction, from, 0);
    if (!source.ok()) return source.error();
    record = *source;
    Status step = add_collection(transaction, to, record);
    if (!step.ok()) return step;
    Counters counters;
    step = read_shaped_counters(transaction, source->id, counters);
    if (!step.ok()) return step;
    counters.trimmed = counters.sequence;
    counters.log_entries = 0;
    step = transaction.put(Table::counters, CollectionKey(record.id), encode(counters));
    for (const Table table :
         {Table::vectors, Table::places, Table::payloads, Table::names, Table::names_by_id}) {
      if (step.ok()) step = copy_rows(transaction, table, source->id, record.id, watch, copied);
    }
    return step.ok() ? watch.finish() : step;
  });
  if (!status.ok()) return status;
  return record;
}

Status Store::remove_rows(std::uint32_t collection) {
  bool done = false;
  while (!done) {
    const Status status = environment_->write([&](Transaction& transaction) {
      const Result<bool> all = remove_some_rows(transaction, collection);
      done = all.ok() && *all;
      return all.status();
    });
    if (!status.ok()) return status;
  }
  return Status();
}

Status Store::finish_drops() {
  std::vector<std::uint32_t> left;
  const Status status = environment_->read([&](const Transaction& transaction) {
    Cursor cursor(transaction, Table::dropped);
    for (bool found = cursor.next(); found; found = cursor.next()) {
      // A number that is wrong would take the rows of another collection.
      const Result<Bytes> value = cursor.value();
      if (!value.ok()) return value.error();
      if (cursor.key().size() != sizeof(CollectionKey)) {
        return damaged("a key of the store is damaged");
      }
      left.push_back(get_be<std::uint32_t>(cursor.key().data()));
    }
    return cursor.status();
  });
  if (!status.ok()) return status;
  for (const std::uint32_t collection : left) {
    const Status step = remove_rows(collection);
    if (!step.ok()) return step;
  }
  return Status();
}

Status Store::trim_log(std::uint32_t collection, std::uint64_t through) {
  const CollectionKey prefix(collection);
  bool done = false;
  while (!done) {
    const Status status = environment_->write([&](Transaction& transaction) -> Status {
      Counters counters;
      const Status step = read_counters(transaction, collection, counters);
      if (!step.ok()) return step;
      std::uint64_t keys = 0;
      std::size_t records = 0;
      done = true;
      {
        Cursor cursor(transaction, Table::log);
        bool found = cursor.seek(prefix);
        for (; found && cursor.starts_with(prefix); found = cursor.next()) {
          const std::uint64_t sequence = row_number(cursor.key());
          if (sequence > through) break;
          if (records == kRowsAtOnce) {
            done = false;
            break;
          }
          const Result<Bytes> value = cursor.value();
          if (!value.ok()) return value.error();
          keys += (value->size() - kLogHeadBytes) / sizeof(Key);
          counters.trimmed = sequence;
          const Status removed = cursor.remove();
          if (!removed.ok()) return removed;
          ++records;
        }
        if (!cursor.status().ok()) return cursor.status();
      }
      if (records == 0) return Status();
      counters.log_entries -= std::min(counters.log_entries, keys);
      return transaction.put(Table::counters, prefix, encode(counters));
    });
    if (!status.ok()) return status;
  }
  return Status();
}

Status Store::renew_identity(const std::filesystem::path& folder) {
  Identity identity = {};
  if (::getrandom(&identity, sizeof identity, 0) != static_cast<ssize_t>(sizeof identity)) {
    return status_of_errno(errno, "no random numbers: {e}");
  }
  const Result<std::unique_ptr<Environment>> environment =
      Environment::open(folder, EnvironmentOptions());
  if (!environment.ok()) return environment.error();
  return (*environment)->write([&](Transaction& transaction) -> Status {
    Format format;
    const Status status = read_format(transaction, format);
    if (!status.ok()) return status;
    format.identity = identity;
    return transaction.put(Table::meta, bytes_of("format"), encode(format));
  });
}

}  // namespace skerry::store

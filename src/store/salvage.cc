// salvage.cc - records become collections again, table by table.
#include "store/salvage.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "store/environment.h"
#include "store/heap.h"
#include "store/lmdb_layout.h"
#include "store/row_stream.h"
#include "store/store.h"
#include "store/synced_root.h"

namespace skerry::store {
namespace {

using State = Remains::Record::State;

// What goes into the new store in one transaction.
constexpr std::size_t kBatchRecords = 8192;
constexpr std::size_t kBatchBytes = 16 << 20;

// Records on their way into the new store, of one table and perhaps many collections. Copied: what
// a walk hands out is good until the next record, and a transaction may run twice.
class Batch {
 public:
  void add(std::uint32_t collection, Bytes key, Bytes value) {
    items_.push_back({collection, bytes_.size(), key.size(), value.size()});
    bytes_.insert(bytes_.end(), key.begin(), key.end());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
  }
  void add(std::uint32_t collection, Key key, Bytes value) {
    std::array<std::byte, sizeof key> bytes;
    put_be(bytes.data(), key);
    add(collection, bytes, value);
  }
  bool is_full() const noexcept {
    return items_.size() >= kBatchRecords || bytes_.size() >= kBatchBytes;
  }
  void clear() noexcept {
    items_.clear();
    bytes_.clear();
  }

  // visit(collection, key, value), a Status, until one fails.
  template <class Visit>
  Status each(Visit visit) const {
    const Bytes all(bytes_);
    for (const Item& item : items_) {
      const Status status = visit(item.collection, all.subspan(item.at, item.key_bytes),
                                  all.subspan(item.at + item.key_bytes, item.value_bytes));
      if (!status.ok()) return status;
    }
    return Status();
  }

 private:
  struct Item {
    std::uint32_t collection;
    std::size_t at;
    std::size_t key_bytes;
    std::size_t value_bytes;
  };
  std::vector<Item> items_;
  std::vector<std::byte> bytes_;
};

Key number_of(Bytes key) noexcept {
  return get_be<Key>(key.data());
}

// A collection on its way.
struct Source {
  CollectionRecord record;
  std::optional<Counters> old;  // none: damaged
  HeapShape old_shape;
  std::uint64_t limit = 0;  // rows that there were
  bool is_limit_exact = true;
  Counters now;
  CollectionRepair report;

  std::uint64_t pages = 0;  // of the heap, that were met
  std::uint64_t twice = 0;  // rows of a key that had one already
  std::uint64_t names = 0;  // records of the one direction and the other
  std::uint64_t ids = 0;
  std::uint64_t places = 0;            // of rows that are kept
  std::uint64_t places_elsewhere = 0;  // that are not where the row is
  std::uint64_t payloads_astray = 0;   // of rows that are lost, or of none
  std::uint64_t payloads_mended = 0;
  std::vector<Key> payloads_damaged;  // by the keys that stand there
  std::uint64_t log_last = 0;

  // What changed after the witness's testimony, and how far the log tells it without a gap.
  std::optional<Witness::Testimony> testimony;
  std::uint64_t told_until = 0;
  bool is_told = true;
  std::vector<Key> changed;

  bool lacks_rows() const noexcept { return now.live < limit || !is_limit_exact; }
};

bool is_row_key(Bytes key) noexcept {
  return key.size() == sizeof(RowKey);
}
std::uint32_t collection_of(Bytes key) noexcept {
  return key.size() < 4 ? 0 : get_be<std::uint32_t>(key.data());
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kNameBytesMax && name.find('\0') == std::string_view::npos;
}

void sort_unique(std::vector<Key>& keys) {
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

class Salvage {
 public:
  Salvage(Remains& remains, Witness& witness, const SalvageOptions& options, RepairReport& report)
      : remains_(remains), witness_(witness), options_(options), report_(report) {}

  Status run(const std::filesystem::path& fresh) {
    Status status = read_format();
    if (status.ok()) status = read_collections();
    if (status.ok()) status = claim_others();
    if (status.ok()) status = recount();
    if (status.ok()) status = begin(fresh);
    if (status.ok()) status = take_names();
    if (status.ok()) status = take_rows();
    if (status.ok()) status = read_log();
    if (status.ok()) status = take_testimonies();
    if (status.ok()) status = take_payloads();
    if (status.ok()) status = compare_places();
    if (status.ok()) status = let_go_of_names();
    if (status.ok()) status = finish();
    if (status.ok()) status = fresh_->sync();
    fresh_.reset();
    return status.ok() ? check(fresh) : status;
  }

 private:
  Source* find(std::uint32_t collection) {
    const auto found = sources_.find(collection);
    return found == sources_.end() ? nullptr : &found->second;
  }

  // -- what there was -----------------------------------------------------------------------------

  Status read_format() {
    Status wrong;
    const Status status = remains_.each(Table::meta, [&](const Remains::Record& record) {
      if (text_of(record.key) != "format") return Status();
      Format format;
      const bool is_ours = record.state != State::damaged && decode(record.value, format);
      if (is_ours && format.version == kVersion) {
        format_ = format;
      } else if (is_ours ||
                 (decode(record.raw, format) && record.raw.size() != kFormatBytes + kSumBytes)) {
        // Another version, or the record of one.
        wrong = format.version > kVersion
                    ? Status(Code::incompatible,
                             "the store was made by a newer version of Skerry (format {a}, ours is "
                             "{b})",
                             format.version, kVersion)
                    : older(format.version);
      }
      return wrong;
    });
    if (!status.ok() || format_) return status;
    if (remains_.knows_tables() && !remains_.has(Table::meta)) {
      return Status(Code::incompatible, "not a Skerry store");
    }
    if (remains_.knows_tables() && !remains_.has(Table::places)) return older(1);
    return Status();
  }

  static Status older(std::uint32_t version) noexcept {
    return Status(
        Code::incompatible,
        "the store has format {a}, and what is repaired has {b}: open it once for writing, "
        "and it is brought up to date; if that fails, restore a backup",
        version, kVersion);
  }

  Status read_collections() {
    Status status = remains_.each(Table::collections, [&](const Remains::Record& record) {
      Source source;
      if (record.state == State::damaged || !decode(record.value, source.record) ||
          !is_name(text_of(record.key))) {
        if (!record.raw.empty()) nameless_.emplace_back(text_of(record.key), text_of(record.raw));
        return Status();
      }
      source.report.name = text_of(record.key);
      source.report.number = source.record.id;
      sources_.emplace(source.record.id, std::move(source));
      return Status();
    });
    if (!status.ok()) return status;
    status = remains_.each(Table::dropped, [&](const Remains::Record& record) {
      if (record.state != State::damaged) dropped_.insert(collection_of(record.key));
      return Status();
    });
    if (!status.ok()) return status;
    status = remains_.each(Table::counters, [&](const Remains::Record& record) {
      Counters counters;
      const bool good = record.state != State::damaged && record.key.size() == 4 &&
                        decode(record.value, counters);
      if (good) counters_.emplace(collection_of(record.key), counters);
      return Status();
    });
    for (auto& [id, source] : sources_) adopt_counters(source);
    return status;
  }

  // Only those that fit the collection.
  void adopt_counters(Source& source) {
    const IndexOptions& index = source.record.options.index;
    source.old_shape = {static_cast<std::uint32_t>(vector_bytes(index.scalar, index.dimension)),
                        static_cast<std::uint32_t>(remains_.page_bytes() - lmdb::kHeaderBytes)};
    const auto found = counters_.find(source.record.id);
    if (found == counters_.end() || !is_lawful(found->second.shape) ||
        found->second.shape.vector_bytes != source.old_shape.vector_bytes) {
      source.report.is_recounted = true;
      return;
    }
    source.old = found->second;
    source.old_shape = found->second.shape;
    source.limit = found->second.live;
  }

  // Collections whose records are lost, though there are counters or rows of them.
  Status claim_others() {
    if (remains_.is_complete(Table::collections)) return Status();
    std::set<std::uint32_t> unclaimed;
    for (const auto& [id, counters] : counters_) unclaimed.insert(id);
    Status status = remains_.each(Table::places, [&](const Remains::Record& record) {
      if (record.state != State::damaged) unclaimed.insert(collection_of(record.key));
      return Status();
    });
    if (!status.ok()) return status;
    unclaimed.erase(0);
    for (const std::uint32_t id : unclaimed) {
      if (sources_.contains(id) || dropped_.contains(id)) continue;
      Source source;
      // Whether it was dropped must be known: nobody's rows are brought back.
      const bool restored = remains_.is_complete(Table::dropped) && claim_by_witness(id, source);
      if (!restored) {
        source.report.number = id;
        source.report.is_kept = false;
        const auto counters = counters_.find(id);
        source.report.is_rows_lost_exact = counters != counters_.end();
        if (counters != counters_.end()) {
          source.report.rows_lost = counters->second.live;
          source.report.payloads_lost = counters->second.payloads;
        }
        source.report.is_payloads_lost_exact = source.report.is_rows_lost_exact;
        report_.collections.push_back(std::move(source.report));
        continue;
      }
      adopt_counters(source);
      sources_.emplace(id, std::move(source));
    }
    // Empty collections without counters are known to nobody.
    report_.may_lack_collections = !remains_.is_complete(Table::counters);
    if (!sources_.empty()) return Status();
    return Status(Code::corruption, "no collection of the store can be read any more");
  }

  std::optional<Witness::Testimony> testimony_about(std::uint32_t id) {
    std::optional<Witness::Testimony> testimony = witness_.about(id);
    if (testimony && (!format_ || testimony->identity != format_->identity)) testimony.reset();
    return testimony;
  }

  bool claim_by_witness(std::uint32_t id, Source& source) {
    const std::optional<Witness::Testimony> testimony = testimony_about(id);
    if (!testimony) return false;
    source.record = {id, CollectionOptions{.index = testimony->options}};
    CollectionRecord checked;
    if (!decode(encode(source.record), checked)) return false;
    source.report.number = id;
    source.report.has_options_of_image = true;
    // The image does not tell the name, nor the kind of keys. A record that lost some bytes may
    // have kept its checksum: it proves both.
    for (const auto& [name, raw] : nameless_) {
      for (const bool byte_keys : {false, true}) {
        source.record.options.byte_keys = byte_keys;
        const auto bytes = encode(source.record);
        if (raw.size() != kCollectionBytes + kSumBytes || !is_name(name) || is_taken(name) ||
            get_le<std::uint32_t>(bytes_of(raw).data() + kCollectionBytes) !=
                record_sum(Table::collections, bytes_of(name), bytes)) {
          continue;
        }
        source.report.name = name;
        return true;
      }
    }
    const auto counters = counters_.find(id);
    source.record.options.byte_keys =
        counters != counters_.end() ? counters->second.next_name > 1 : has_names(id);
    source.report.name = "recovered-" + std::to_string(id);
    while (is_taken(source.report.name)) source.report.name += '+';
    return true;
  }

  bool is_taken(std::string_view name) const {
    return std::ranges::any_of(sources_,
                               [&](const auto& entry) { return entry.second.report.name == name; });
  }

  bool has_names(std::uint32_t id) {
    bool found = false;
    const Status walked = remains_.each(Table::names_by_id, [&](const Remains::Record& record) {
      found = found || (record.state != State::damaged && collection_of(record.key) == id);
      return Status();
    });
    return walked.ok() && found;
  }

  // How many rows there were, where the counters do not tell. Pages of the heap are there as long
  // as rows begin on them, or reach them.
  Status recount() {
    if (std::ranges::none_of(sources_, [](const auto& entry) { return !entry.second.old; })) {
      return Status();
    }
    Status status = remains_.each(Table::vectors, [&](const Remains::Record& record) {
      Source* source = find(collection_of(record.key));
      if (source == nullptr || source->old || !is_row_key(record.key)) return Status();
      const std::uint64_t page = row_number(record.key);
      if (page > remains_.pages()) return Status();
      const std::uint64_t rows =
          page * source->old_shape.page_bytes / row_bytes(source->old_shape) + 1;
      source->limit = std::max(source->limit, rows);
      return Status();
    });
    if (!status.ok()) return status;
    std::map<std::uint32_t, std::uint64_t> places;
    status = remains_.each(Table::places, [&](const Remains::Record& record) {
      Source* source = find(collection_of(record.key));
      if (source == nullptr || source->old || record.state == State::damaged ||
          record.value.size() != sizeof(std::uint64_t)) {
        return Status();
      }
      ++places[source->record.id];
      source->limit = std::max(source->limit, get_le<std::uint64_t>(record.value.data()) + 1);
      return Status();
    });
    for (auto& [id, source] : sources_) {
      if (source.old) continue;
      source.is_limit_exact = remains_.is_complete(Table::places);
      if (source.is_limit_exact) source.limit = places[id];
    }
    return status;
  }

  // -- the new store ------------------------------------------------------------------------------

  Status begin(const std::filesystem::path& fresh) {
    Status status = Environment::create(fresh);
    if (!status.ok()) return status;
    Result<std::unique_ptr<Environment>> opened =
        Environment::open(fresh, {.durability = Durability::none});
    if (!opened.ok()) return opened.error();
    fresh_ = std::move(*opened);
    Format format = fresh_->format();
    std::uint32_t last = witness_.last_collection();
    for (const auto& [id, counters] : counters_) last = std::max(last, id);
    for (const auto& [id, source] : sources_) last = std::max(last, id);
    for (const std::uint32_t id : dropped_) last = std::max(last, id);
    format.next_collection = last == ~std::uint32_t{0} ? last : last + 1;
    if (format_) {
      format.next_collection = std::max(format.next_collection, format_->next_collection);
      if (options_.keeps_identity) format.identity = format_->identity;
    }
    report_.has_new_identity = !format_;
    return fresh_->write([&](Transaction& transaction) {
      Status step = transaction.put(Table::meta, bytes_of("format"), encode(format));
      for (auto& [id, source] : sources_) {
        if (!step.ok()) break;
        source.now = Counters();
        source.now.shape = {source.old_shape.vector_bytes, transaction.value_bytes_of_page()};
        step = transaction.put(Table::collections, bytes_of(source.report.name),
                               encode(source.record));
      }
      return step;
    });
  }

  // Every record of a table that is believed and belongs to a collection, in batches: pick(source,
  // record, batch) adds it, flush(batch) writes them.
  template <class Pick, class Flush>
  Status each_batch(Table table, Pick pick, Flush flush) {
    Batch batch;
    Status status = remains_.each(table, [&](const Remains::Record& record) {
      Source* source = find(collection_of(record.key));
      if (source == nullptr) return Status();
      pick(*source, record, batch);
      if (!batch.is_full()) return Status();
      const Status flushed = flush(batch);
      batch.clear();
      return flushed;
    });
    return status.ok() ? flush(batch) : status;
  }

  // Both directions from either. Where they disagree the first counts: neither can be damaged.
  Status take_names() {
    const auto flush = [&](const Batch& batch) {
      return fresh_->write([&](Transaction& transaction) {
        return batch.each([&](std::uint32_t collection, Bytes id_bytes, Bytes name) -> Status {
          const Key id = number_of(id_bytes);
          const RowKey by_id(collection, id);
          const NameKey by_name(collection, text_of(name));
          for (const Status& there : {transaction.get(Table::names_by_id, by_id).status(),
                                      transaction.get(Table::names, by_name).status()}) {
            if (there.code() != Code::not_found) return there;
          }
          std::array<std::byte, sizeof id> value;
          put_le(value.data(), id);
          const Status status = transaction.put(Table::names, by_name, value);
          return status.ok() ? transaction.put(Table::names_by_id, by_id, name) : status;
        });
      });
    };
    const auto note = [](Source& source, Key id) {
      if (id != ~Key{0}) source.now.next_name = std::max(source.now.next_name, id + 1);
    };
    const Status status = each_batch(
        Table::names_by_id,
        [&](Source& source, const Remains::Record& record, Batch& batch) {
          if (record.state == State::damaged || !is_row_key(record.key) || record.value.empty() ||
              record.value.size() > kMaxKeyBytes || !source.record.options.byte_keys) {
            return;
          }
          ++source.ids;
          note(source, row_number(record.key));
          batch.add(source.record.id, row_number(record.key), record.value);
        },
        flush);
    if (!status.ok()) return status;
    return each_batch(
        Table::names,
        [&](Source& source, const Remains::Record& record, Batch& batch) {
          if (record.state == State::damaged || record.value.size() != sizeof(Key) ||
              record.key.size() <= 4 || record.key.size() > 4 + kMaxKeyBytes ||
              !source.record.options.byte_keys) {
            return;
          }
          ++source.names;
          const Key id = get_le<Key>(record.value.data());
          note(source, id);
          batch.add(source.record.id, id, record.key.subspan(4));
        },
        flush);
  }

  // Rows of one collection, in the order of the heap. A byte-string key that has lost its name in
  // both directions cannot be asked for any more.
  Status put_rows(Source& source, const Batch& batch) {
    std::uint64_t rows = 0;
    std::uint64_t twice = 0;
    const Status status = fresh_->write([&](Transaction& transaction) -> Status {
      twice = 0;
      HeapWriter heap(transaction, scratch_, source.record.id, source.now);
      const Status walked =
          batch.each([&](std::uint32_t collection, Bytes key_bytes, Bytes vector) -> Status {
            const Key key = number_of(key_bytes);
            if (source.record.options.byte_keys) {
              const Status named =
                  transaction.get(Table::names_by_id, RowKey(collection, key)).status();
              if (!named.ok()) return named.code() == Code::not_found ? Status() : named;
            }
            const Result<bool> there = heap.contains(key);
            if (!there.ok()) return there.status();
            if (*there) {
              ++twice;
              return Status();
            }
            const Result<Transaction::Room> room = heap.put(key);
            if (room.ok()) std::memcpy(room->bytes, vector.data(), vector.size());
            return room.status();
          });
      if (!walked.ok()) return walked;
      rows = heap.rows();
      return heap.finish();
    });
    if (!status.ok()) return status;
    source.now.live = rows;
    source.twice += twice;
    return status;
  }

  Status take_rows() {
    Batch batch;
    RowStream stream;
    Source* source = nullptr;
    const auto flush = [&] {
      const Status status = source == nullptr ? Status() : put_rows(*source, batch);
      batch.clear();
      return status;
    };
    Status status = remains_.each(Table::vectors, [&](const Remains::Record& record) -> Status {
      if (record.state == State::damaged || !is_row_key(record.key)) return Status();
      Source* owner = find(collection_of(record.key));
      if (owner == nullptr) return Status();
      if (owner != source) {
        const Status flushed = flush();
        if (!flushed.ok()) return flushed;
        source = owner;
        stream.begin(source->old_shape, source->limit);
      }
      ++source->pages;
      return stream.page(row_number(record.key), record.value,
                         [&](std::uint64_t, Key key, Bytes vector, bool mended) {
                           if (mended) ++source->report.rows_mended;
                           if (source->record.options.byte_keys && key != ~Key{0}) {
                             source->now.next_name = std::max(source->now.next_name, key + 1);
                           }
                           batch.add(source->record.id, key, vector);
                           return batch.is_full() ? flush() : Status();
                         });
    });
    return status.ok() ? flush() : status;
  }

  // Which keys changed since the testimony about a collection that lacks rows, and the last number.
  Status read_log() {
    for (auto& [id, source] : sources_) {
      if (!source.lacks_rows() || !source.old) continue;
      source.testimony = testimony_about(id);
      const IndexOptions& index = source.record.options.index;
      if (source.testimony && (source.testimony->options.dimension != index.dimension ||
                               source.testimony->options.scalar != index.scalar ||
                               source.testimony->sequence < source.old->trimmed ||
                               source.testimony->sequence > source.old->sequence)) {
        source.testimony.reset();
      }
      if (source.testimony) source.told_until = source.testimony->sequence;
    }
    return remains_.each(Table::log, [&](const Remains::Record& record) {
      Source* source = find(collection_of(record.key));
      if (source == nullptr || record.state == State::damaged || !is_row_key(record.key)) {
        return Status();
      }
      const std::uint64_t sequence = row_number(record.key);
      source->log_last = std::max(source->log_last, sequence);
      if (!source->testimony || sequence <= source->testimony->sequence ||
          record.value.size() < kLogHeadBytes) {
        return Status();
      }
      const Bytes keys = record.value.subspan(kLogHeadBytes);
      const std::uint64_t count = keys.size() / sizeof(Key);
      // A request of n rows takes n numbers, of which it has the last.
      if (sequence - std::min(count, sequence) > source->told_until) source->is_told = false;
      source->told_until = std::max(source->told_until, sequence);
      for (std::size_t at = 0; at + sizeof(Key) <= keys.size(); at += sizeof(Key)) {
        source->changed.push_back(get_le<Key>(&keys[at]));
      }
      return Status();
    });
  }

  // Rows that the store has lost, from who else has them: those that nothing has changed since.
  Status take_testimonies() {
    for (auto& entry : sources_) {
      const std::uint32_t id = entry.first;
      Source& source = entry.second;
      if (!source.testimony || !source.is_told || source.told_until != source.old->sequence) {
        continue;
      }
      sort_unique(source.changed);
      const std::uint64_t before = source.now.live;
      const std::uint64_t twice = source.twice;
      Batch batch;
      const Status status = witness_.rows(id, [&](Key key, Bytes vector) {
        if (vector.size() != source.old_shape.vector_bytes ||
            std::ranges::binary_search(source.changed, key)) {
          return Status();
        }
        batch.add(id, key, vector);
        if (!batch.is_full()) return Status();
        const Status flushed = put_rows(source, batch);
        batch.clear();
        return flushed;
      });
      const Status flushed = status.ok() ? put_rows(source, batch) : status;
      if (!flushed.ok()) return flushed;
      source.report.rows_from_image = source.now.live - before;
      source.twice = twice;  // nearly all of its rows are there already
    }
    return Status();
  }

  Status take_payloads() {
    return each_batch(
        Table::payloads,
        [&](Source& source, const Remains::Record& record, Batch& batch) {
          if (!is_row_key(record.key)) return;
          const Key key = row_number(record.key);
          if (record.state == State::damaged || record.value.empty()) {
            source.payloads_damaged.push_back(key);
            return;
          }
          if (record.state == State::mended) ++source.payloads_mended;
          batch.add(source.record.id, key, record.value);
        },
        [&](const Batch& batch) {
          std::map<std::uint32_t, std::uint64_t> put;
          std::vector<std::pair<std::uint32_t, Key>> astray;
          const Status status = fresh_->write([&](Transaction& transaction) {
            put.clear();
            astray.clear();
            return batch.each([&](std::uint32_t collection, Bytes key_bytes, Bytes value) {
              const Key key = number_of(key_bytes);
              const RowKey row(collection, key);
              Status step = transaction.get(Table::places, row).status();
              if (step.code() == Code::not_found) {
                astray.emplace_back(collection, key);
                return Status();
              }
              if (step.ok()) step = transaction.put(Table::payloads, row, value);
              if (step.ok()) ++put[collection];
              return step;
            });
          });
          if (!status.ok()) return status;
          for (const auto& [id, count] : put) find(id)->now.payloads += count;
          for (const auto& [id, key] : astray) {
            Source& source = *find(id);
            ++source.payloads_astray;
            // A payload had a row.
            if (source.lacks_rows()) source.report.keys_lost.push_back(key);
          }
          return status;
        });
  }

  // Which rows are lost, as places tell, and whether the others are where the places were.
  Status compare_places() {
    return each_batch(
        Table::places,
        [&](Source& source, const Remains::Record& record, Batch& batch) {
          if (record.state == State::damaged || !is_row_key(record.key) ||
              record.value.size() != sizeof(std::uint64_t)) {
            return;
          }
          batch.add(source.record.id, row_number(record.key), record.value);
        },
        [&](const Batch& batch) {
          return fresh_->read([&](const Transaction& transaction) {
            return batch.each([&](std::uint32_t collection, Bytes key_bytes, Bytes row) {
              Source& source = *find(collection);
              const Key key = number_of(key_bytes);
              const Result<Bytes> place = transaction.get(Table::places, RowKey(collection, key));
              if (place.ok()) {
                ++source.places;
                if (!std::ranges::equal(*place, row)) ++source.places_elsewhere;
              } else if (place.error().code() == Code::not_found) {
                source.report.keys_lost.push_back(key);
              } else {
                return place.status();
              }
              return Status();
            });
          });
        });
  }

  // Names of rows that are lost go, and are told.
  Status let_go_of_names() {
    for (auto& [id, source] : sources_) {
      if (!source.record.options.byte_keys) continue;
      std::vector<std::pair<Key, std::string>> gone;
      const CollectionKey prefix(id);
      const Status status = fresh_->read([&, collection = id](const Transaction& transaction) {
        Cursor cursor(transaction, Table::names_by_id);
        bool found = cursor.seek(prefix);
        for (; found && cursor.starts_with(prefix); found = cursor.next()) {
          const Result<Bytes> name = cursor.value();
          if (!name.ok()) return name.status();
          const Key key = row_number(cursor.key());
          const Status there = transaction.get(Table::places, RowKey(collection, key)).status();
          if (there.code() == Code::not_found) gone.emplace_back(key, text_of(*name));
          if (!there.ok() && there.code() != Code::not_found) return there;
        }
        return cursor.status();
      });
      if (!status.ok()) return status;
      std::set<Key> payloads(source.payloads_damaged.begin(), source.payloads_damaged.end());
      for (std::size_t first = 0; first < gone.size(); first += kBatchRecords) {
        const auto part =
            std::span(gone).subspan(first, std::min(kBatchRecords, gone.size() - first));
        const Status removed = fresh_->write([&, collection = id](Transaction& transaction) {
          for (const auto& [key, name] : part) {
            Result<bool> step = transaction.remove(Table::names, NameKey(collection, name));
            if (step.ok()) step = transaction.remove(Table::names_by_id, RowKey(collection, key));
            if (!step.ok()) return step.status();
          }
          return Status();
        });
        if (!removed.ok()) return removed;
      }
      for (auto& [key, name] : gone) source.report.names_lost.push_back(std::move(name));
      std::ranges::sort(source.report.names_lost);
    }
    return Status();
  }

  // -- the account --------------------------------------------------------------------------------

  // The parts of a table's gaps that are the collection's. Keys of its rows lie in them, and not in
  // others.
  std::vector<KeyRange> ranges(Table table, std::uint32_t id) const {
    std::vector<KeyRange> ranges;
    // The first key of the collection that is not before `bound`, as a number; 2^64 - 1 and more
    // are told apart by `is_beyond`.
    const auto compare = [&](const std::string& bound) {
      std::array<std::byte, sizeof(RowKey)> bytes = {};
      std::memcpy(bytes.data(), bound.data(), std::min(bound.size(), bytes.size()));
      return std::pair(get_be<std::uint32_t>(bytes.data()), get_be<Key>(bytes.data() + 4));
    };
    for (const Remains::Gap& gap : remains_.gaps(table)) {
      const auto [first_id, first_key] = compare(gap.first);
      KeyRange range{0, ~Key{0}};
      if (first_id > id) continue;
      if (first_id == id) range.first = first_key;
      if (!gap.limit.empty()) {
        const auto [limit_id, limit_key] = compare(gap.limit);
        if (limit_id < id || (limit_id == id && limit_key == 0)) continue;
        if (limit_id == id) range.last = limit_key - 1;
      }
      if (range.first <= range.last) ranges.push_back(range);
    }
    std::ranges::sort(ranges, {}, &KeyRange::first);
    std::vector<KeyRange> joined;
    for (const KeyRange& range : ranges) {
      if (!joined.empty() &&
          (joined.back().last == ~Key{0} || range.first <= joined.back().last + 1)) {
        joined.back().last = std::max(joined.back().last, range.last);
      } else {
        joined.push_back(range);
      }
    }
    return joined;
  }

  // What became of the payloads of rows that are kept.
  Status account_for_payloads(Source& source) {
    CollectionRepair& report = source.report;
    report.payloads = source.now.payloads;
    sort_unique(source.payloads_damaged);
    const std::uint32_t id = source.record.id;
    std::uint64_t known = 0;
    const Status status = fresh_->read([&](const Transaction& transaction) {
      for (const Key key : source.payloads_damaged) {
        // A key that is damaged itself is nobody's, or has its payload.
        const RowKey row(id, key);
        const Status there = transaction.get(Table::places, row).status();
        const Status has = transaction.get(Table::payloads, row).status();
        if (!there.ok() && there.code() != Code::not_found) return there;
        if (!has.ok() && has.code() != Code::not_found) return has;
        if (!there.ok() || has.ok()) continue;
        ++known;
        if (!source.record.options.byte_keys) {
          report.payload_keys_lost.push_back(key);
          continue;
        }
        const Result<Bytes> name = transaction.get(Table::names_by_id, row);
        if (!name.ok()) return name.status();
        report.payload_names_lost.emplace_back(text_of(*name));
      }
      return Status();
    });
    if (!status.ok()) return status;
    report.payloads_lost = known;
    report.is_payloads_lost_exact =
        remains_.is_complete(Table::payloads) || (source.old && !source.lacks_rows());
    if (source.old) {
      // Of rows that are lost as well, some had payloads that are lost too.
      const std::uint64_t found = source.now.payloads + source.payloads_astray;
      const std::uint64_t missing = source.old->payloads - std::min(source.old->payloads, found);
      report.payloads_lost = report.is_payloads_lost_exact ? missing : std::max(known, missing);
    }
    if (report.payloads_lost > known || !report.is_payloads_lost_exact) {
      report.payload_ranges_lost = ranges(Table::payloads, id);
    }
    return Status();
  }

  void account_for_rows(Source& source) {
    CollectionRepair& report = source.report;
    report.rows = source.now.live;
    if (source.record.options.byte_keys) report.keys_lost.clear();
    sort_unique(report.keys_lost);
    const std::uint64_t known = report.keys_lost.size() + report.names_lost.size();
    report.rows_lost = std::max(source.limit - std::min(source.limit, report.rows), known);
    report.is_rows_lost_exact = source.is_limit_exact;
    if (!source.record.options.byte_keys &&
        (report.rows_lost > known || !report.is_rows_lost_exact)) {
      report.ranges_lost = ranges(Table::places, source.record.id);
    }
    report.places_rebuilt =
        source.now.live - std::min(source.now.live, source.places + report.rows_from_image);
    report.is_image_discarded = !source.old || report.rows_lost > 0;
  }

  Status finish() {
    bool is_whole = remains_.is_clean() && report_.collections.empty();
    std::uint64_t changes = 0;
    for (auto& [id, source] : sources_) {
      const Status status = account_for_payloads(source);
      if (!status.ok()) return status;
      account_for_rows(source);
      const CollectionRepair& report = source.report;
      is_whole = is_whole && source.old && source.now.live == source.limit &&
                 source.now.payloads == source.old->payloads && source.twice == 0 &&
                 source.pages == pages_of(source.old_shape, source.limit) &&
                 source.places == source.now.live && source.places_elsewhere == 0 &&
                 source.payloads_astray == 0 && report.rows_mended == 0 && report.rows_lost == 0 &&
                 (!source.record.options.byte_keys ||
                  (source.names == source.now.live && source.ids == source.now.live));
      report_.has_losses = report_.has_losses || report.rows_lost > 0 || report.payloads_lost > 0 ||
                           !report.is_rows_lost_exact || !report.is_payloads_lost_exact;

      Counters& now = source.now;
      now.sequence = std::max({source.log_last, now.live, std::uint64_t{0}});
      if (source.old) now.sequence = source.old->sequence;
      if (const auto seen = source.old ? std::nullopt : witness_.about(id)) {
        now.sequence = std::max(now.sequence, seen->sequence);
      }
      if (source.old) now.next_name = std::max(now.next_name, source.old->next_name);
      // An image of before would fit this number and hold what is lost: so it gets another.
      if (report.is_image_discarded) {
        ++now.sequence;
        ++changes;
      }
      now.trimmed = now.sequence;
      changes += source.old ? 0 : now.sequence;
    }
    report_.has_losses = report_.has_losses || !report_.collections.empty() ||
                         report_.may_lack_last_commit || report_.may_lack_collections ||
                         report_.may_mix_moments;
    Counters all;
    const auto old = counters_.find(0);
    all.sequence = changes;
    if (old != counters_.end()) {
      all.sequence += old->second.sequence;
    } else {
      is_whole = false;
      for (const auto& [id, source] : sources_) all.sequence += source.now.sequence;
    }
    report_.is_whole = is_whole;
    report_.pages = remains_.pages();
    report_.pages_damaged = remains_.pages_damaged();
    report_.pages_found = remains_.pages_found();
    const Status status = fresh_->write([&](Transaction& transaction) {
      Status step = transaction.put(Table::counters, CollectionKey(0), encode(all));
      for (const auto& [id, source] : sources_) {
        if (step.ok())
          step = transaction.put(Table::counters, CollectionKey(id), encode(source.now));
      }
      return step;
    });
    for (auto& [id, source] : sources_) report_.collections.push_back(std::move(source.report));
    std::ranges::sort(report_.collections, {}, &CollectionRepair::number);
    return status;
  }

  // The new store is read again, through LMDB and from the disk, before anybody trusts it.
  Status check(const std::filesystem::path& fresh) const {
    const Result<std::unique_ptr<Store>> store = Store::open(fresh, {.read_only = true});
    if (!store.ok()) return store.error();
    return (*store)->read([&](const Reading& reading) -> Status {
      Status status;
      std::uint64_t collections = 0;
      const Status walk =
          reading.each_collection([&](std::string_view, const CollectionRecord& record) {
            const auto source = sources_.find(record.id);
            if (source == sources_.end()) return false;
            ++collections;
            std::uint64_t payloads = 0;
            status = reading.check(record.id);
            if (status.ok()) {
              status = reading.each_payload(record.id, [&](Key, Bytes) {
                ++payloads;
                return true;
              });
            }
            if (status.ok() && payloads != source->second.now.payloads) {
              status =
                  Status(Code::corruption, "the repaired store counts {a} payloads and holds {b}",
                         source->second.now.payloads, payloads);
            }
            return status.ok();
          });
      if (!walk.ok() || !status.ok()) return walk.ok() ? status : walk;
      if (collections == sources_.size()) return Status();
      return Status(Code::corruption, "the repaired store lacks collections");
    });
  }

  Remains& remains_;
  Witness& witness_;
  const SalvageOptions& options_;
  RepairReport& report_;

  std::optional<Format> format_;  // none: damaged
  std::map<std::uint32_t, Source> sources_;
  std::map<std::uint32_t, Counters> counters_;  // of all, also of those that are dropped
  std::set<std::uint32_t> dropped_;
  std::vector<std::pair<std::string, std::string>> nameless_;  // damaged records of collections

  std::unique_ptr<Environment> fresh_;
  HeapScratch scratch_;
};

}  // namespace

Status salvage(const std::filesystem::path& damaged, const std::filesystem::path& fresh,
               Witness& witness, const SalvageOptions& options, Remains::Step step,
               RepairReport& report) {
  const Descriptor fd(::open((damaged / "data.mdb").c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == ENOENT) return Status(Code::corruption, "store/data.mdb is missing");
    return status_of_errno(errno, "cannot open store/data.mdb: {e}");
  }
  SyncedRoot root;
  const Result<bool> needed = read_synced_root(damaged, root);
  if (!needed.ok() && needed.error().code() != Code::corruption) return needed.error();
  report.may_mix_moments = !needed.ok();
  const Result<std::unique_ptr<Remains>> remains =
      Remains::look(fd.get(), needed.ok() && *needed ? Bytes(root) : Bytes(), step);
  if (!remains.ok()) return remains.error();
  report.may_lack_last_commit = (*remains)->may_lack_last_commit();
  Salvage work(**remains, witness, options, report);
  const Status status = work.run(fresh);
  if (report.may_mix_moments) report.is_whole = false;
  return status;
}

}  // namespace skerry::store

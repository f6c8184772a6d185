// crash_worker.h - the child that is killed: it writes from several threads and says each act's
// begin and end on a pipe.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "skerry/database.h"
#include "torture/crash_ledger.h"
#include "torture/crash_plan.h"
#include "torture/run.h"

namespace skerry::torture {

class Worker {
 public:
  struct Settings {
    std::filesystem::path home;  // the database is home/db
    std::uint64_t seed = 0;
    std::uint64_t round = 0;
    std::uint64_t acts = 0;  // of each writer; then the database is closed
    DatabaseOptions options;
  };

  Worker(const Settings& settings, const Ledger& ledger, int pipe, Words& words)
      : settings_(settings), ledger_(ledger), pipe_(pipe), words_(words) {}

  int work() {
    say(Act::open, false);
    Result<Database> opened = Database::open(settings_.home / "db", settings_.options);
    if (!opened.ok()) return complain("open", opened.status());
    database_.emplace(*std::move(opened));
    say(Act::open, true);
    for (std::size_t c = 0; c < kCollections; ++c) {
      if (ledger_[c].life != 0) {
        Result<Collection> found = database_->open_collection(collection_name(c));
        if (!found.ok()) return complain("open_collection", found.status());
        places_[c] = {ledger_[c].life, *std::move(found)};
      } else if (c < kLasting && !create(c, kWriters)) {
        return 1;
      }
    }
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t < kWriters; ++t) threads.emplace_back([this, t] { write(t); });
      threads.emplace_back([this] { tend(); });
      threads.emplace_back([this] { read(); });
      for (std::size_t t = 0; t < kWriters; ++t) threads[t].join();
      writers_done_ = true;
    }
    if (words_.any()) return 1;
    say(Act::close, false);
    const Status closed = database_->close();
    if (!closed.ok()) return complain("close", closed);
    say(Act::close, true);
    return 0;
  }

 private:
  // A collection as it is just now.
  struct Place {
    std::uint64_t life = 0;
    std::optional<Collection> collection;
  };

  int complain(const char* act, const Status& status) {
    words_.say("%s: %s", act, status.message().c_str());
    failed_ = true;
    return 1;
  }

  std::uint64_t next_version(std::size_t thread) {
    return (settings_.round + 1) << 32 | thread << 24 | ++count_[thread];
  }

  void say(const Record& record) {
    // Shorter than PIPE_BUF: in one piece. The parent reads as fast as we write.
    if (::write(pipe_, &record, sizeof record) != sizeof record) ::_exit(97);
  }
  void say(Act act, bool ended, std::uint64_t version = 0) {
    say(Record{version, 0, 0, act, 0, 0, ended, false});
  }

  // One act: said before, done, said after. Whether it was as it should be.
  template <class Do>
  bool act(Record record, const char* name, Do&& body) {
    say(record);
    const Status status = body(record);
    record.ended = true;
    record.refused = !status.ok();
    const bool inserts = record.act == Act::insert || record.act == Act::insert_batch;
    const bool may_be_gone = record.collection >= kLasting && record.thread != 0;
    if (!status.ok() && !(inserts && status.code() == Code::already_exists) &&
        !(may_be_gone && status.code() == Code::closed)) {
      return complain(name, status) == 0;
    }
    say(record);
    return true;
  }

  bool create(std::size_t c, std::size_t thread) {
    const Record record{next_version(thread),         0, 0,     Act::create,
                        static_cast<std::uint8_t>(c), 0, false, false};
    return act(record, "create",
               [&](const Record&) {
                 Result<Collection> made =
                     database_->create(collection_name(c), collection_options(c, record.version));
                 if (made.ok()) {
                   made_ = {record.version, *std::move(made)};
                 }
                 return made.status();
               }) &&
           publish(c);
  }
  // After the end was said: who writes to it says so later.
  bool publish(std::size_t c) {
    const std::unique_lock lock(places_mutex_);
    places_[c] = std::move(made_);
    return true;
  }
  bool drop(std::size_t c, std::size_t thread) {
    {
      const std::unique_lock lock(places_mutex_);
      places_[c] = {};
    }
    const Record record{next_version(thread),         0, 0,     Act::drop,
                        static_cast<std::uint8_t>(c), 0, false, false};
    return act(record, "drop", [&](const Record&) { return database_->drop(collection_name(c)); });
  }

  Place place(std::size_t c) {
    const std::shared_lock lock(places_mutex_);
    return places_[c];
  }

  void write(std::size_t thread) {
    testing::Random random(mix(settings_.seed, settings_.round, thread));
    for (std::uint64_t i = 0; i < settings_.acts && !failed_; ++i) {
      const bool passing = testing::below(random, 100) < (thread == 0 ? 30 : 10);
      const std::size_t c = passing ? kLasting + testing::below(random, kCollections - kLasting)
                                    : testing::below(random, kLasting);
      const std::uint64_t dice = testing::below(random, 100);
      const Place at = place(c);
      if (passing && thread == 0) {
        if (at.life == 0 ? !create(c, 0) : dice < 12 && !drop(c, 0)) return;
        if (at.life == 0 || dice < 12) continue;
      }
      if (at.life == 0) continue;
      Record record{next_version(thread),
                    at.life,
                    0,
                    Act::upsert,
                    static_cast<std::uint8_t>(c),
                    static_cast<std::uint8_t>(thread),
                    false,
                    false};
      if (!passing || thread == 0) {
        record.act = dice < 42   ? Act::upsert
                     : dice < 54 ? Act::insert
                     : dice < 72 ? Act::remove
                     : dice < 87 ? Act::upsert_batch
                     : dice < 92 ? Act::insert_batch
                                 : Act::remove_batch;
      }
      Collection collection = *at.collection;
      if (!act(record, "write", [&](Record& r) { return write_rows(collection, r); })) return;
    }
  }

  Status write_rows(Collection& collection, Record& record) {
    const std::vector<std::size_t> numbers = keys_of_act(settings_.seed, record);
    const CollectionOptions options = collection_options(record.collection, record.life);
    std::vector<Key> keys;
    std::vector<std::string> texts;
    std::vector<std::string_view> names;
    for (const std::size_t number : numbers) {
      keys.push_back(key_of(number));
      texts.push_back(name_of_key(number));
    }
    names.assign(texts.begin(), texts.end());
    const bool batch = numbers.size() > 1;
    if (record.act == Act::remove || record.act == Act::remove_batch) {
      const Result<std::uint64_t> removed =
          options.byte_keys ? batch ? collection.remove(names) : collection.remove(names[0])
          : batch ? collection.remove(keys)
                            : collection.remove(keys[0]);
      if (removed.ok()) record.value = static_cast<std::uint32_t>(*removed);
      return removed.status();
    }
    testing::Table vectors(options.index.scalar, numbers.size(), options.index.dimension);
    std::vector<Row> rows;
    std::vector<Payload> payloads;
    for (std::size_t r = 0; r < numbers.size(); ++r) {
      rows.push_back(
          make_row(settings_.seed, record.collection, record.life, numbers[r], record.version));
      std::ranges::copy(rows[r].vector.bytes(0), vectors.data(r));
    }
    for (const Row& row : rows) payloads.emplace_back(row.payload);
    const bool inserts = record.act == Act::insert || record.act == Act::insert_batch;
    const auto put = [&](const auto& key, const auto& batch_keys) {
      if (batch) {
        return inserts ? collection.insert(batch_keys, vectors.matrix(), payloads)
                       : collection.upsert(batch_keys, vectors.matrix(), payloads);
      }
      return inserts ? collection.insert(key, vectors.row(0), payloads[0])
                     : collection.upsert(key, vectors.row(0), payloads[0]);
    };
    return options.byte_keys ? put(names[0], std::span<const std::string_view>(names))
                             : put(keys[0], std::span<const Key>(keys));
  }

  // Everything that is not a row: by turns, as chance has it.
  void tend() {
    testing::Random random(mix(settings_.seed, settings_.round, 100));
    while (!writers_done_ && !failed_) {
      Record record{next_version(kWriters + 1), 0, 0, Act::sync, 0, kWriters + 1, false, false};
      const std::uint64_t dice = testing::below(random, 100);
      bool good = true;
      if (dice < 15) {
        record.act = Act::compact;
        good = act(record, "compact", [&](const Record&) { return database_->compact(); });
      } else if (dice < 25) {
        record.act = Act::backup;
        good = act(record, "backup", [&](const Record&) {
          return database_->backup(settings_.home / ("backup " + std::to_string(record.version)));
        });
      } else if (dice < 45) {
        record.act = Act::checkpoint;
        good = act(record, "checkpoint", [&](const Record&) { return database_->checkpoint(); });
      } else if (dice < 70) {
        record.act = Act::save_image;
        record.collection = static_cast<std::uint8_t>(testing::below(random, kLasting));
        Collection collection = *place(record.collection).collection;
        good = act(record, "save_image", [&](const Record&) { return collection.save_image(); });
      } else if (dice < 78) {
        record.act = Act::rename;
        const std::size_t c = testing::below(random, kLasting);
        good = act(record, "rename", [&](const Record&) {
          const Status there = database_->rename(collection_name(c), moved_name(c));
          return there.ok() ? database_->rename(moved_name(c), collection_name(c)) : there;
        });
      } else if (dice < 86) {
        record.act = Act::clone;
        const std::size_t c = testing::below(random, kLasting);
        good = act(record, "clone", [&](const Record&) {
          const Status made = database_->clone(collection_name(c), clone_name(c)).status();
          return made.ok() ? database_->drop(clone_name(c)) : made;
        });
      } else {
        good = act(record, "sync", [&](const Record&) { return database_->sync(); });
      }
      if (!good) return;
    }
  }

  // Searches run beside it all; what they promise without knowing the content is looked at.
  void read() {
    testing::Random random(mix(settings_.seed, settings_.round, 101));
    std::vector<Hit> hits(10);
    while (!writers_done_ && !failed_) {
      const std::size_t c = testing::below(random, kLasting);
      const IndexOptions options = collection_options(c, 1).index;
      const testing::Table query =
          testing::random_table(random, options.scalar, 1, options.dimension);
      if (collection_options(c, 1).byte_keys) continue;
      const auto found = place(c).collection->search(query.row(0), hits, {.ef = 20});
      if (!found.ok()) return static_cast<void>(complain("search", found.status()));
      for (std::uint32_t i = 1; i < found->count; ++i) {
        if (hits[i - 1].distance > hits[i].distance || hits[i - 1].key == hits[i].key) {
          words_.say("a search beside writers: hit %u is out of order", i);
          failed_ = true;
        }
      }
    }
  }

  const Settings& settings_;
  const Ledger& ledger_;
  int pipe_;
  Words& words_;  // complaints; the first one stays
  std::optional<Database> database_;
  std::shared_mutex places_mutex_;
  std::array<Place, kCollections> places_;  // under places_mutex_
  Place made_;                              // of the thread that creates
  std::array<std::uint64_t, kWriters + 2> count_ = {};
  std::atomic<bool> writers_done_{false};
  std::atomic<bool> failed_{false};
};

}  // namespace skerry::torture

// crash_check.h - the child that opens what the killed one left, and compares it with the ledger.
#pragma once

#include <array>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "skerry/database.h"
#include "torture/crash_ledger.h"
#include "torture/crash_plan.h"
#include "torture/run.h"

namespace skerry::torture {

// What the checker found, for the parent.
struct Findings {
  Words words;
  std::array<std::uint64_t, kCollections> lives;
  std::array<std::array<std::uint64_t, kKeys>, kCollections> versions;
  std::uint64_t open_us;
  std::uint64_t rows;
  std::array<std::uint64_t, 8> opened;  // how often, by Opened
};

class Check {
 public:
  Check(std::uint64_t seed, const Ledger& ledger, Findings& findings)
      : seed_(seed), ledger_(ledger), findings_(findings), words_(findings.words) {}

  int database(const std::filesystem::path& folder, DatabaseOptions options, bool was_opened) {
    const Clock::time_point began = Clock::now();
    options.create_if_missing = !was_opened;
    Result<Database> opened = Database::open(folder, options);
    if (!opened.ok()) return wrong("open: %s", opened.status().message().c_str());
    if (!nothing_is_left(folder)) return 1;
    Result<std::vector<std::string>> names = opened->list();
    if (!names.ok()) return wrong("list: %s", names.status().message().c_str());
    std::set<std::string> left(names->begin(), names->end());
    for (std::size_t c = 0; c < kLasting && !words_.any(); ++c) finish_moves(*opened, c, left);
    for (std::size_t c = 0; c < kCollections && !words_.any(); ++c) {
      const std::uint64_t life = life_of(c, left.erase(collection_name(c)) != 0);
      findings_.lives[c] = life;
      if (words_.any()) return 1;
      Result<Collection> found = opened->open_collection(collection_name(c));
      if (life == 0) {
        if (found.status().code() != Code::not_found) {
          return wrong("%s is not listed and opens", collection_name(c).c_str());
        }
        continue;
      }
      if (!found.ok()) {
        return wrong("%s: %s", collection_name(c).c_str(), found.status().message().c_str());
      }
      collection(c, life, *found);
    }
    if (!left.empty()) return wrong("there is a collection \"%s\"", left.begin()->c_str());
    findings_.open_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count());
    if (!words_.any()) batches_are_whole();
    if (words_.any()) return 1;
    // Half of the time the next round begins after another crash, of a process that only read.
    if (findings_.rows % 2 == 0) return 0;
    const Status closed = opened->close();
    if (!closed.ok()) return wrong("close: %s", closed.message().c_str());
    return nothing_is_left(folder) ? 0 : 1;
  }

  // A backup is a database of one moment between its begin and its end. One that never ended may
  // be no database yet, but never an empty or a half one.
  int backup(const std::filesystem::path& folder, const Ledger::Backup& backup) {
    Result<Database> opened = Database::open(folder, {.create_if_missing = false});
    if (!opened.ok()) {
      const bool excused = backup.end == kNever && opened.status().code() == Code::not_found;
      return excused ? 0 : wrong("backup: open: %s", opened.status().message().c_str());
    }
    if (!nothing_is_left(folder)) return 1;
    for (std::size_t c = 0; c < kCollections && !words_.any(); ++c) {
      Result<Collection> found = opened->open_collection(collection_name(c));
      if (c >= kLasting && found.status().code() == Code::not_found) continue;
      if (!found.ok()) {
        return wrong("backup: %s: %s", collection_name(c).c_str(),
                     found.status().message().c_str());
      }
      const Result<VerifyReport> verified = found->verify();
      if (!verified.ok()) {
        return wrong("backup: verify: %s", verified.status().message().c_str());
      }
      if (c >= kLasting) continue;
      for (std::size_t key = 0; key < kKeys && !words_.any(); ++key) {
        version_of(c, ledger_[c].life, *found, key, backup.begin, backup.end);
      }
    }
    return words_.any() ? 1 : 0;
  }

 private:
  template <class... Values>
  int wrong(const char* format, Values... values) {
    words_.say(format, values...);
    return 1;
  }

  // Is everything in the folder of a kind that belongs there? Not while a collection is open, whose
  // image may be on its way.
  bool nothing_is_left(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    const std::set<fs::path> known = {
        "lock",           "shared",         "images",           "store",
        "store/data.mdb", "store/lock.mdb", "store/synced.root"};
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path name = fs::relative(entry.path(), folder);
      const bool is_image = name.parent_path() == "images" && name.extension() == ".image";
      if (!is_image && !known.contains(name)) wrong("%s was left behind", name.c_str());
    }
    return !words_.any();
  }

  // A collection that is called otherwise goes back to its name. A clone is whole, and dropped.
  void finish_moves(Database& database, std::size_t c, std::set<std::string>& left) {
    if (left.erase(moved_name(c)) != 0) {
      const Status moved = database.rename(moved_name(c), collection_name(c));
      if (!moved.ok()) return static_cast<void>(wrong("rename: %s", moved.message().c_str()));
      left.insert(collection_name(c));
    }
    if (left.erase(clone_name(c)) == 0) return;
    const Result<Collection> clone = database.open_collection(clone_name(c));
    const Status verified = clone.ok() ? clone->verify().status() : clone.status();
    if (!verified.ok()) return static_cast<void>(wrong("clone: %s", verified.message().c_str()));
    const Status dropped = database.drop(clone_name(c));
    if (!dropped.ok()) wrong("drop of a clone: %s", dropped.message().c_str());
  }

  // Which life has the collection, when it is listed or not? 0: none.
  std::uint64_t life_of(std::size_t c, bool listed) {
    const CollectionLedger& ledger = ledger_[c];
    const bool creating = ledger.life_doubt && ledger.life_doubt->act == Act::create;
    const bool dropping = ledger.life_doubt && ledger.life_doubt->act == Act::drop;
    if (listed) {
      if (ledger.life != 0) return ledger.life;
      if (creating) return ledger.life_doubt->version;
      wrong("collection %zu was dropped and is there", c);
    } else if (ledger.life != 0 && !dropping) {
      wrong("collection %zu is lost", c);
    }
    return 0;
  }

  void collection(std::size_t c, std::uint64_t life, const Collection& collection) {
    const CollectionOptions expected = collection_options(c, life);
    const Result<CollectionOptions> options = collection.options();
    if (!options.ok() || options->index.dimension != expected.index.dimension ||
        options->index.scalar != expected.index.scalar ||
        options->index.metric != expected.index.metric ||
        options->index.codes != expected.index.codes || options->byte_keys != expected.byte_keys) {
      return static_cast<void>(wrong("collection %zu has options of another life", c));
    }
    const Result<VerifyReport> verified = collection.verify();
    if (!verified.ok()) {
      return static_cast<void>(
          wrong("collection %zu: verify: %s", c, verified.status().message().c_str()));
    }
    if (verified->index.unreachable != 0) {
      return static_cast<void>(wrong("collection %zu: unreachable nodes", c));
    }
    const Result<CollectionStats> stats = collection.stats();
    if (stats.ok()) ++findings_.opened[static_cast<std::size_t>(stats->opened) % 8];

    std::size_t present = 0;
    for (std::size_t key = 0; key < kKeys && !words_.any(); ++key) {
      const std::uint64_t version = version_of(c, life, collection, key, kNever, kNever);
      findings_.versions[c][key] = version;
      if (version == 0) continue;
      ++present;
      found_by_itself(c, life, collection, key, version);
    }
    if (words_.any()) return;
    std::size_t visited = 0;
    const auto visit = [&](const auto& key) {
      ++visited;
      if (numbers_.of(key) == kKeys) wrong("collection %zu has a key that nobody wrote", c);
      return true;
    };
    const Status walked =
        expected.byte_keys ? collection.for_each_name([&](std::string_view n) { return visit(n); })
                           : collection.for_each([&](Key key) { return visit(key); });
    if (!walked.ok() || visited != present || collection.size() != present) {
      wrong("collection %zu: %zu keys are there, %zu are listed, size() is %llu", c, present,
            visited, static_cast<unsigned long long>(collection.size()));
    }
    findings_.rows += present;
  }

  // The version that the key has, whole; 0: it is absent. Complains when it has none that may be.
  std::uint64_t version_of(std::size_t c, std::uint64_t life, const Collection& collection,
                           std::size_t key, Moment from, Moment until) {
    const bool byte_keys = collection_options(c, life).byte_keys;
    const std::string name = name_of_key(key);
    const IndexOptions index = collection_options(c, life).index;
    vector_.resize(vector_bytes(index.scalar, index.dimension));
    payload_.resize(1 << 14);
    const Status got = byte_keys ? collection.get_bytes(std::string_view(name), vector_)
                                 : collection.get_bytes(key_of(key), vector_);
    const Result<std::size_t> bytes = byte_keys
                                          ? collection.get_payload(std::string_view(name), payload_)
                                          : collection.get_payload(key_of(key), payload_);
    if (got.code() == Code::not_found && bytes.status().code() == Code::not_found) {
      if (!ledger_.may_be(c, key, 0, from, until)) {
        wrong("collection %zu, key %zu is lost: %s", c, key, history(c, key).c_str());
      }
      return 0;
    }
    if (!got.ok() || !bytes.ok()) {
      wrong("collection %zu, key %zu: %s, %s", c, key, got.message().c_str(),
            bytes.status().message().c_str());
      return 0;
    }
    payload_.resize(std::min(payload_.size(), *bytes));
    // It is there: of which write?
    for (const Write& write : ledger_[c].writes[key]) {
      if (write.version == 0) continue;
      const Row row = make_row(seed_, c, life, key, write.version);
      if (!std::ranges::equal(row.vector.bytes(0), vector_)) continue;
      if (row.payload != payload_) {
        wrong("collection %zu, key %zu: the vector of version %llx with another payload", c, key,
              static_cast<unsigned long long>(write.version));
      } else if (!ledger_.may_be(c, key, write.version, from, until)) {
        wrong("collection %zu, key %zu has version %llx: %s", c, key,
              static_cast<unsigned long long>(write.version), history(c, key).c_str());
      }
      return write.version;
    }
    wrong("collection %zu, key %zu has a vector that nobody wrote: %s", c, key,
          history(c, key).c_str());
    return 0;
  }

  // "version [begin, end] ..." of the last few writes.
  std::string history(std::size_t c, std::size_t key) const {
    const std::vector<Write>& writes = ledger_[c].writes[key];
    std::string text = "written";
    for (std::size_t i = writes.size() > 6 ? writes.size() - 6 : 0; i < writes.size(); ++i) {
      char one[80];
      std::snprintf(one, sizeof one, " %llx [%lld, %lld]",
                    static_cast<unsigned long long>(writes[i].version),
                    static_cast<long long>(writes[i].begin), static_cast<long long>(writes[i].end));
      text += one;
    }
    return text;
  }

  // A search for the key's own vector, broad enough to visit all, finds it first.
  void found_by_itself(std::size_t c, std::uint64_t life, const Collection& collection,
                       std::size_t key, std::uint64_t version) {
    const Row row = make_row(seed_, c, life, key, version);
    const SearchOptions options{.ef = 2 * kKeys};
    bool right = false;
    Status status;
    if (collection_options(c, life).byte_keys) {
      std::array<NamedHit, 1> hit;
      const auto found = collection.search(row.vector.row(0), hit, options);
      status = found.status();
      right = found.ok() && found->count == 1 && numbers_.of(hit[0].name.view()) == key;
    } else {
      std::array<Hit, 1> hit;
      const auto found = collection.search(row.vector.row(0), hit, options);
      status = found.status();
      right = found.ok() && found->count == 1 && numbers_.of(hit[0].key) == key;
    }
    if (!status.ok()) {
      wrong("collection %zu, key %zu: search: %s", c, key, status.message().c_str());
    } else if (!right) {
      wrong("collection %zu, key %zu is not found by its own vector", c, key);
    }
  }

  // A batch that was under way is there with all its rows or with none.
  void batches_are_whole() {
    for (const Record& record : ledger_.under_way()) {
      const CollectionLedger& ledger = ledger_[record.collection];
      if (findings_.lives[record.collection] != record.life || ledger.life != record.life) continue;
      const bool removes = record.act == Act::remove || record.act == Act::remove_batch;
      std::size_t done = 0, open = 0;
      for (const std::size_t key : keys_of_act(seed_, record)) {
        if (is_shared(key)) return;
        const std::vector<Write>& writes = ledger.writes[key];
        const std::uint64_t version = removes ? 0 : record.version;
        if (writes.back().version != version || writes.back().end != kNever) continue;
        if (removes && writes[writes.size() - 2].version == 0) continue;
        (findings_.versions[record.collection][key] == version ? done : open) += 1;
      }
      if (done != 0 && open != 0) {
        wrong("collection %d: of a batch that was under way %zu rows are there and %zu are not",
              record.collection, done, open);
      }
    }
  }

  std::uint64_t seed_;
  const Ledger& ledger_;
  Findings& findings_;
  Words& words_;
  KeyNumbers numbers_;
  std::vector<std::byte> vector_, payload_;
};

}  // namespace skerry::torture

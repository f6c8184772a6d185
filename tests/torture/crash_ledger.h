// crash_ledger.h - what may a reader find, after these acts began and those ended?
//
// A write takes effect at some moment between its begin and its end. So what a reader finds at a
// key is a write that had begun before the reader was done, and that no later write had replaced
// before the reader began: later means begun after the other had ended. Of acts that never ended
// (the process was killed) each may have happened or not.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "torture/crash_plan.h"

namespace skerry::torture {

using Moment = std::uint64_t;
inline constexpr Moment kNever = std::numeric_limits<Moment>::max();

// One write of a key: a version, 0 for its removal.
struct Write {
  Moment begin = 0;
  Moment end = 0;
  std::uint64_t version = 0;
};

struct CollectionLedger {
  std::uint64_t life = 0;            // 0: there is none
  std::optional<Record> life_doubt;  // a create or a drop that has not ended
  std::array<std::vector<Write>, kKeys> writes;

  void start_empty() {
    for (auto& of_key : writes) of_key.assign(1, Write{});
  }
};

class Ledger {
 public:
  explicit Ledger(std::uint64_t seed) : seed_(seed) {
    for (CollectionLedger& collection : collections_) collection.start_empty();
  }

  CollectionLedger& operator[](std::size_t collection) { return collections_[collection]; }
  const CollectionLedger& operator[](std::size_t collection) const {
    return collections_[collection];
  }

  struct Backup {
    std::uint64_t version = 0;
    Moment begin = 0;
    Moment end = kNever;
  };
  const std::vector<Backup>& backups() const { return backups_; }

  // Acts on rows that have begun and not ended.
  const std::vector<Record>& under_way() const { return under_way_; }

  // What is wrong with the record, or nothing.
  std::string note(const Record& record) {
    ++now_;
    switch (record.act) {
      case Act::create:
      case Act::drop:
        note_life(record);
        return {};
      case Act::backup:
        if (!record.ended) {
          backups_.push_back({record.version, now_, kNever});
        } else {
          for (Backup& backup : backups_) {
            if (backup.version == record.version) backup.end = now_;
          }
        }
        return {};
      case Act::upsert:
      case Act::insert:
      case Act::remove:
      case Act::upsert_batch:
      case Act::insert_batch:
      case Act::remove_batch:
        return record.ended ? note_end(record) : note_begin(record);
      default:
        return {};
    }
  }

  // The versions that a reader between `from` and `until` may find at the key.
  bool may_be(std::size_t collection, std::size_t key, std::uint64_t version, Moment from = kNever,
              Moment until = kNever) const {
    const std::vector<Write>& writes = collections_[collection].writes[key];
    for (const Write& write : writes) {
      if (write.version != version || write.begin >= until) continue;
      bool replaced = false;
      for (const Write& other : writes) {
        replaced = replaced || (other.begin > write.end && other.end < from);
      }
      if (!replaced) return true;
    }
    return false;
  }

  // What was found is what is: the doubts are over. Lives and versions as a checker found them.
  template <class Lives, class Versions>
  void settle(const Lives& lives, const Versions& versions) {
    for (std::size_t c = 0; c < kCollections; ++c) {
      collections_[c].life = lives[c];
      collections_[c].life_doubt.reset();
      for (std::size_t key = 0; key < kKeys; ++key) {
        collections_[c].writes[key].assign(1, Write{0, 0, versions[c][key]});
      }
    }
    now_ = 0;
    under_way_.clear();
    backups_.clear();
  }

 private:
  static bool removes(Act act) { return act == Act::remove || act == Act::remove_batch; }
  static bool inserts(Act act) { return act == Act::insert || act == Act::insert_batch; }

  void note_life(const Record& record) {
    CollectionLedger& collection = collections_[record.collection];
    if (!record.ended) {
      collection.life_doubt = record;
      return;
    }
    collection.life_doubt.reset();
    collection.life = record.act == Act::create ? record.version : 0;
    collection.start_empty();
  }

  std::string note_begin(const Record& record) {
    CollectionLedger& collection = collections_[record.collection];
    if (record.life != collection.life) return {};  // of a collection that was dropped meanwhile
    under_way_.push_back(record);
    const std::vector<std::size_t> keys = keys_of_act(seed_, record);
    // An insert of a key that is there must not happen. Only its own thread writes the key.
    if (inserts(record.act) && any_present(collection, keys)) return {};
    for (const std::size_t key : keys) {
      std::vector<Write>& writes = collection.writes[key];
      // A removal of what is not there leaves the same as if it never were.
      if (writes.back().begin == now_) continue;
      writes.push_back({now_, kNever, removes(record.act) ? 0 : record.version});
    }
    return {};
  }

  std::string note_end(const Record& record) {
    CollectionLedger& collection = collections_[record.collection];
    std::size_t at = 0;
    while (at < under_way_.size() && under_way_[at].version != record.version) ++at;
    if (at == under_way_.size()) return {};
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(at));
    if (record.life != collection.life) return {};
    const std::vector<std::size_t> keys = keys_of_act(seed_, record);
    std::uint32_t removed = 0;
    bool begun = false;
    for (const std::size_t key : keys) {
      std::vector<Write>& writes = collection.writes[key];
      for (std::size_t i = writes.size(); i-- > 1;) {
        const bool ours = removes(record.act) ? writes[i].version == 0 : true;
        if (writes[i].end != kNever || !ours) continue;
        if (!removes(record.act) && writes[i].version != record.version) continue;
        begun = true;
        if (record.refused) {
          writes.erase(writes.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          writes[i].end = now_;
          if (removes(record.act) && writes[i - 1].version != 0) ++removed;
        }
        break;
      }
    }
    if (inserts(record.act) && begun == record.refused) {
      return record.refused ? "an insert of absent keys was refused"
                            : "an insert of a present key was accepted";
    }
    if (removes(record.act) && removed != record.value) {
      return "a removal of " + std::to_string(removed) + " present keys counted " +
             std::to_string(record.value);
    }
    return {};
  }

  static bool any_present(const CollectionLedger& collection,
                          const std::vector<std::size_t>& keys) {
    for (const std::size_t key : keys) {
      if (collection.writes[key].back().version != 0) return true;
    }
    return false;
  }

  std::uint64_t seed_;
  Moment now_ = 0;
  std::array<CollectionLedger, kCollections> collections_;
  std::vector<Record> under_way_;
  std::vector<Backup> backups_;
};

}  // namespace skerry::torture

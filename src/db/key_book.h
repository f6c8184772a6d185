// key_book.h - which number stands for this byte-string key, and which bytes for that number?
//
// The engine knows keys as 64-bit numbers. A collection with byte-string keys gives each of them an
// id (the store counts them up and never uses one twice) and keeps the pairs here, in two hash
// tables over the same records: by name for writes and get, by id for the names of hits, for ties
// and for filters.
//
// A removed key leaves in three steps, because a search that began before the removal may still
// meet its id: it leaves the table by name at once; the table by id when every reader of that
// moment is gone; its memory when every reader of *that* moment is gone.
//
// Threads: find() from any thread under an EpochGuard, with no lock; what it returns is good until
// the guard goes. Everything else by one writer at a time (the holder of the commit lock).
// Memory: a record of 24 bytes and the name, and 16 to 64 bytes of table a key.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "index/engine.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

// The name's bytes stand right behind the record.
struct KeyRecord {
  Key id;
  std::uint64_t hash;  // of the name
  std::uint16_t size;

  std::string_view name() const noexcept { return {reinterpret_cast<const char*>(this + 1), size}; }
};

struct KeyRecordDelete {
  void operator()(KeyRecord* record) const noexcept { ::operator delete(record); }
};
using KeyRecordPtr = std::unique_ptr<KeyRecord, KeyRecordDelete>;

// Throws std::bad_alloc.
KeyRecordPtr make_key_record(Key id, std::string_view name);

class KeyBook {
 public:
  KeyBook() = default;
  ~KeyBook();
  KeyBook(const KeyBook&) = delete;
  KeyBook& operator=(const KeyBook&) = delete;

  const KeyRecord* find(Key id) const noexcept;
  const KeyRecord* find(std::string_view name) const noexcept;

  // Takes the memory that adding and removing so many can need. Throws std::bad_alloc.
  void reserve(std::size_t added, std::size_t removed);

  // After reserve(). The name must not be in the book.
  void add(KeyRecordPtr record) noexcept;

  // After reserve(), and after the engine has removed the id.
  void remove(Key id) noexcept;

  // Gives back what nobody can see any more.
  void reclaim() noexcept;

  // The engine's order of ties: unsigned bytes of the names.
  KeyOrder order() const noexcept;

  std::size_t size() const noexcept { return live_; }

 private:
  // Open addressing with linear probing; a power of two of places, at most half of them used.
  struct Places {
    explicit Places(std::size_t count)
        : mask(count - 1), at(new std::atomic<KeyRecord*>[count]()) {}
    std::size_t mask;
    std::unique_ptr<std::atomic<KeyRecord*>[]> at;
  };
  struct Table {
    std::atomic<Places*> places{nullptr};  // null: nothing was ever added
    std::size_t used = 0;                  // places that are not free: records and graves
  };
  // Records on their way out together, since the epoch of `tag`.
  struct Leaving {
    std::vector<KeyRecord*> records;
    std::uint64_t tag = 0;
  };
  struct OldPlaces {
    std::unique_ptr<Places> places;
    std::uint64_t tag;
  };

  template <class Match>
  static KeyRecord* look(const Table& table, std::uint64_t hash, Match match) noexcept;
  static void place(Places& places, KeyRecord* record, std::uint64_t hash) noexcept;
  static void bury(Table& table, const KeyRecord* record, std::uint64_t hash) noexcept;
  template <class Hash>
  void widen(Table& table, std::size_t records, std::size_t added, Hash hash);

  Table by_id_;
  Table by_name_;
  std::size_t live_ = 0;  // records in by_name_
  Leaving departed_;      // out of by_name_, no tag yet
  Leaving waiting_;       // out of by_name_, tagged
  Leaving unlinked_;      // out of both, tagged
  std::vector<OldPlaces> outgrown_;
};

}  // namespace skerry

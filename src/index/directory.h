// directory.h - in which slot is the newest version of a key?
//
// Open addressing with linear probing over words of 4 bytes: an entry is the slot alone, the key is
// read from the slot's state. Erased entries leave a mark; when live entries and marks fill two
// thirds of the table a new one is made, and the old is freed when its last reader has gone.
//
// Threads: find() from any thread under an EpochGuard; the rest under the writer lock.
// Memory: 6 to 12 bytes a key.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/schedule.h"
#include "base/stable_memory.h"
#include "graph/links.h"
#include "index/slots.h"
#include "skerry/status.h"

namespace skerry {

class Directory {
 public:
  Directory() noexcept = default;
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // Makes room for `keys` in all. The only call that may fail.
  Status reserve(std::size_t keys, const SlotState* states);

  // kNoSlot when absent. `states()` is asked behind each entry: whoever meets one that was put
  // after the index grew has to look at the states it was put with.
  template <class States>
  Slot find(std::uint64_t key, States states) const noexcept {
    const Table* table = table_.load(std::memory_order_acquire);
    if (table == nullptr) return kNoSlot;
    schedule_point("directory: find");
    for (std::size_t i = hash(key) & table->mask;; i = (i + 1) & table->mask) {
      schedule_point("directory: entry");
      const Slot slot = table->entries[i].load(std::memory_order_acquire);
      if (slot == kEmpty) return kNoSlot;
      if (slot == kErased) continue;
      schedule_point("directory: states");
      if (states()[slot].key.load(std::memory_order_relaxed) == key) return slot;
    }
  }

  // Points `key` to `slot`. There is room.
  void put(std::uint64_t key, Slot slot, const SlotState* states) noexcept;

  // Forgets the key if it points to `slot`.
  void erase(std::uint64_t key, Slot slot, const SlotState* states) noexcept;

  // Takes over a table that was made by place() and saved: `entries`, a power of two, at the base
  // of `memory`; `live` of them name a slot, and at least one is empty. Before anything else.
  // out_of_memory.
  Status adopt(StableMemory memory, std::size_t entries, std::size_t live);

  // A table made elsewhere, to be saved: how many entries for so many keys, all of them kEmpty at
  // first, and where a key goes that is not there yet.
  static std::size_t entries_for(std::size_t keys) noexcept;
  static void place(std::span<Slot> entries, std::uint64_t key, Slot slot) noexcept;
  static constexpr Slot kEmpty = 0xFFFFFFFF;

  // Frees old tables that nobody reads any more.
  void reclaim() noexcept;

  std::size_t bytes() const noexcept;

 private:
  static constexpr Slot kErased = 0xFFFFFFFE;

  struct Table {
    std::size_t mask = 0;    // entries - 1
    std::size_t filled = 0;  // live entries and marks; writer
    std::size_t bytes = 0;   // of the piece of memory that this begins
    std::atomic<Slot>* entries = nullptr;
    StableMemory saved;  // the entries of a table from an image; else they follow this
  };

  // Null: no memory. With so many bytes behind it.
  static Table* allocate(std::size_t beside) noexcept;
  static Table* make(std::size_t entries) noexcept;
  static void destroy(Table* table) noexcept;
  static std::uint64_t hash(std::uint64_t key) noexcept;

  std::atomic<Table*> table_{nullptr};
  std::size_t live_ = 0;  // writer
  struct Old {
    Table* table;
    std::uint64_t tag;
  };
  std::vector<Old> old_;  // waiting for their readers; writer
};

}  // namespace skerry

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
#include <vector>

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

  // kNoSlot when absent. `states` must be loaded after the call's table: see Engine::find.
  template <class States>
  Slot find(std::uint64_t key, States states) const noexcept {
    const Table* table = table_.load(std::memory_order_acquire);
    if (table == nullptr) return kNoSlot;
    return probe(*table, key, states());
  }

  // Points `key` to `slot`. There is room.
  void put(std::uint64_t key, Slot slot, const SlotState* states) noexcept;

  // Forgets the key if it points to `slot`.
  void erase(std::uint64_t key, Slot slot, const SlotState* states) noexcept;

  // Frees old tables that nobody reads any more.
  void reclaim() noexcept;

  std::size_t bytes() const noexcept;

 private:
  static constexpr Slot kEmpty = 0xFFFFFFFF;
  static constexpr Slot kErased = 0xFFFFFFFE;

  struct Table {
    std::size_t mask = 0;    // entries - 1
    std::size_t filled = 0;  // live entries and marks; writer
    std::atomic<Slot>* entries() noexcept { return reinterpret_cast<std::atomic<Slot>*>(this + 1); }
    const std::atomic<Slot>* entries() const noexcept {
      return reinterpret_cast<const std::atomic<Slot>*>(this + 1);
    }
  };

  static Table* make(std::size_t entries) noexcept;
  static std::uint64_t hash(std::uint64_t key) noexcept;
  static Slot probe(const Table& table, std::uint64_t key, const SlotState* states) noexcept;

  std::atomic<Table*> table_{nullptr};
  std::size_t live_ = 0;  // writer
  struct Old {
    Table* table;
    std::uint64_t tag;
  };
  std::vector<Old> old_;  // waiting for their readers; writer
};

}  // namespace skerry

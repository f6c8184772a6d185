#include "index/directory.h"

#include <bit>
#include <new>
#include <utility>

#include "base/epoch.h"
#include "base/host_functions.h"

namespace skerry {

Directory::~Directory() {
  for (const Old& old : old_) destroy(old.table);
  destroy(table_.load(std::memory_order_relaxed));
}

void Directory::destroy(Table* table) noexcept {
  if (table == nullptr) return;
  const std::size_t bytes = table->bytes;
  table->~Table();
  give_lines_back(table, bytes);
}

Directory::Table* Directory::allocate(std::size_t beside) noexcept {
  const std::size_t bytes = whole_lines(sizeof(Table) + beside);
  void* const memory = take_lines(bytes);
  if (memory == nullptr) return nullptr;
  auto* table = ::new (memory) Table;
  table->bytes = bytes;
  return table;
}

Directory::Table* Directory::make(std::size_t entries) noexcept {
  Table* table = allocate(entries * sizeof(std::atomic<Slot>));
  if (table == nullptr) return nullptr;
  table->mask = entries - 1;
  table->entries = reinterpret_cast<std::atomic<Slot>*>(table + 1);
  for (std::size_t i = 0; i < entries; ++i) ::new (table->entries + i) std::atomic<Slot>(kEmpty);
  return table;
}

std::size_t Directory::entries_for(std::size_t keys) noexcept {
  return std::bit_ceil(keys * 2 + 16);
}

void Directory::place(std::span<Slot> entries, std::uint64_t key, Slot slot) noexcept {
  const std::size_t mask = entries.size() - 1;
  std::size_t at = hash(key) & mask;
  while (entries[at] != kEmpty) at = (at + 1) & mask;
  entries[at] = slot;
}

Status Directory::adopt(StableMemory memory, std::size_t entries, std::size_t live) {
  Table* const table = allocate(0);
  if (table == nullptr) return Status(Code::out_of_memory, "no memory for the key directory");
  table->mask = entries - 1;
  table->filled = live;
  table->entries = reinterpret_cast<std::atomic<Slot>*>(memory.base());
  table->saved = std::move(memory);
  live_ = live;
  table_.store(table, std::memory_order_release);
  return {};
}

std::uint64_t Directory::hash(std::uint64_t key) noexcept {
  key ^= key >> 32;
  key *= 0xD6E8FEB86659FD93ULL;
  key ^= key >> 32;
  key *= 0xD6E8FEB86659FD93ULL;
  return key ^ (key >> 32);
}

Status Directory::reserve(std::size_t keys, const SlotState* states) {
  Table* now = table_.load(std::memory_order_relaxed);
  // At most two thirds are filled, marks included.
  const std::size_t marks = now == nullptr ? 0 : now->filled - live_;
  if (now != nullptr && (keys + marks) * 3 <= (now->mask + 1) * 2) return {};
  const std::size_t entries = entries_for(keys);
  try {
    old_.reserve(old_.size() + 1);
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory for the key directory");
  }
  Table* fresh = make(entries);
  if (fresh == nullptr) return Status(Code::out_of_memory, "no memory for the key directory");
  if (now != nullptr) {
    for (std::size_t i = 0; i <= now->mask; ++i) {
      const Slot slot = now->entries[i].load(std::memory_order_relaxed);
      if (slot == kEmpty || slot == kErased) continue;
      std::size_t at = hash(states[slot].key.load(std::memory_order_relaxed)) & fresh->mask;
      while (fresh->entries[at].load(std::memory_order_relaxed) != kEmpty) {
        at = (at + 1) & fresh->mask;
      }
      fresh->entries[at].store(slot, std::memory_order_relaxed);
      ++fresh->filled;
    }
  }
  schedule_point("directory: new table");
  table_.store(fresh, std::memory_order_release);
  if (now != nullptr) old_.push_back(Old{now, epoch_tag()});
  return {};
}

void Directory::put(std::uint64_t key, Slot slot, const SlotState* states) noexcept {
  Table& table = *table_.load(std::memory_order_relaxed);
  std::size_t at = hash(key) & table.mask;
  std::size_t mark = table.mask + 1;  // the first erased entry on the way
  for (;; at = (at + 1) & table.mask) {
    const Slot there = table.entries[at].load(std::memory_order_relaxed);
    if (there == kEmpty) break;
    if (there == kErased) {
      if (mark > table.mask) mark = at;
      continue;
    }
    if (states[there].key.load(std::memory_order_relaxed) == key) {
      schedule_point("directory: replace");
      table.entries[at].store(slot, std::memory_order_release);
      return;
    }
  }
  ++live_;
  if (mark <= table.mask) {
    at = mark;
  } else {
    ++table.filled;
  }
  schedule_point("directory: put");
  table.entries[at].store(slot, std::memory_order_release);
}

void Directory::erase(std::uint64_t key, Slot slot, const SlotState* states) noexcept {
  Table& table = *table_.load(std::memory_order_relaxed);
  for (std::size_t at = hash(key) & table.mask;; at = (at + 1) & table.mask) {
    const Slot there = table.entries[at].load(std::memory_order_relaxed);
    if (there == kEmpty) return;
    if (there == kErased || states[there].key.load(std::memory_order_relaxed) != key) continue;
    if (there == slot) {
      schedule_point("directory: erase");
      table.entries[at].store(kErased, std::memory_order_release);
      --live_;
    }
    return;
  }
}

void Directory::reclaim() noexcept {
  std::size_t kept = 0;
  for (const Old& old : old_) {
    if (epoch_passed(old.tag)) {
      destroy(old.table);
    } else {
      old_[kept++] = old;
    }
  }
  old_.resize(kept);
}

std::size_t Directory::bytes() const noexcept {
  const Table* table = table_.load(std::memory_order_acquire);
  return table == nullptr ? 0 : sizeof(Table) + (table->mask + 1) * sizeof(Slot);
}

}  // namespace skerry

// key_book.cc - two hash tables over the same records, read without a lock.
#include "db/key_book.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

#include "base/epoch.h"

namespace skerry {
namespace {

constexpr std::size_t kPlacesMin = 64;

// Marks a place whose record left: a probe goes on over it.
KeyRecord* grave() noexcept {
  static KeyRecord record{};
  return &record;
}

std::uint64_t hash_of(Key id) noexcept {
  id *= 0x9E3779B97F4A7C15ULL;
  return id ^ id >> 32;
}
std::uint64_t hash_of(std::string_view name) noexcept {
  return std::hash<std::string_view>()(name);
}

bool name_before(const void* context, Key a, Key b) {
  const KeyBook& book = *static_cast<const KeyBook*>(context);
  const KeyRecord* first = book.find(a);
  const KeyRecord* second = book.find(b);
  // An id whose removal is still in the log has no name any more; it is shown to nobody.
  if (first == nullptr || second == nullptr) return a < b;
  return first->name() < second->name();  // char_traits<char> compares as unsigned bytes
}

}  // namespace

KeyRecordPtr make_key_record(Key id, std::string_view name) {
  void* memory = ::operator new(sizeof(KeyRecord) + name.size());
  KeyRecordPtr record(new (memory)
                          KeyRecord{id, hash_of(name), static_cast<std::uint16_t>(name.size())});
  std::memcpy(record.get() + 1, name.data(), name.size());
  return record;
}

KeyBook::~KeyBook() {
  const std::unique_ptr<Places> by_id(by_id_.places.load(std::memory_order_relaxed));
  const std::unique_ptr<Places> by_name(by_name_.places.load(std::memory_order_relaxed));
  for (KeyRecord* record : unlinked_.records) KeyRecordDelete()(record);
  if (by_id == nullptr) return;
  for (std::size_t i = 0; i <= by_id->mask; ++i) {
    KeyRecord* record = by_id->at[i].load(std::memory_order_relaxed);
    if (record != nullptr && record != grave()) KeyRecordDelete()(record);
  }
}

template <class Match>
KeyRecord* KeyBook::look(const Table& table, std::uint64_t hash, Match match) noexcept {
  const Places* places = table.places.load(std::memory_order_acquire);
  if (places == nullptr) return nullptr;
  for (std::size_t i = hash & places->mask;; i = (i + 1) & places->mask) {
    KeyRecord* record = places->at[i].load(std::memory_order_acquire);
    if (record == nullptr) return nullptr;
    if (record != grave() && match(*record)) return record;
  }
}

const KeyRecord* KeyBook::find(Key id) const noexcept {
  return look(by_id_, hash_of(id), [id](const KeyRecord& record) { return record.id == id; });
}

const KeyRecord* KeyBook::find(std::string_view name) const noexcept {
  const std::uint64_t hash = hash_of(name);
  return look(by_name_, hash, [&](const KeyRecord& record) {
    return record.hash == hash && record.name() == name;
  });
}

void KeyBook::place(Places& places, KeyRecord* record, std::uint64_t hash) noexcept {
  std::size_t i = hash & places.mask;
  while (places.at[i].load(std::memory_order_relaxed) != nullptr) i = (i + 1) & places.mask;
  places.at[i].store(record, std::memory_order_release);
}

void KeyBook::bury(Table& table, const KeyRecord* record, std::uint64_t hash) noexcept {
  Places& places = *table.places.load(std::memory_order_relaxed);
  std::size_t i = hash & places.mask;
  while (places.at[i].load(std::memory_order_relaxed) != record) i = (i + 1) & places.mask;
  places.at[i].store(grave(), std::memory_order_release);
}

// Makes room for `added` more records than the `records` that the table holds.
template <class Hash>
void KeyBook::widen(Table& table, std::size_t records, std::size_t added, Hash hash) {
  Places* old = table.places.load(std::memory_order_relaxed);
  if (old != nullptr && (table.used + added) * 2 <= old->mask + 1) return;
  const std::size_t count = std::max(kPlacesMin, std::bit_ceil((records + added) * 3));
  auto fresh = std::make_unique<Places>(count);
  outgrown_.reserve(outgrown_.size() + 1);
  table.used = 0;
  for (std::size_t i = 0; old != nullptr && i <= old->mask; ++i) {
    KeyRecord* record = old->at[i].load(std::memory_order_relaxed);
    if (record == nullptr || record == grave()) continue;
    place(*fresh, record, hash(*record));
    ++table.used;
  }
  table.places.store(fresh.release(), std::memory_order_release);
  if (old != nullptr) outgrown_.push_back({std::unique_ptr<Places>(old), epoch_tag()});
}

void KeyBook::reserve(std::size_t added, std::size_t removed) {
  if (added == 0 && removed == 0) return;
  const std::size_t leaving = departed_.records.size() + waiting_.records.size();
  widen(by_name_, live_, added, [](const KeyRecord& record) { return record.hash; });
  widen(by_id_, live_ + leaving, added, [](const KeyRecord& record) { return hash_of(record.id); });
  const std::size_t departed = departed_.records.size() + removed;
  if (departed > departed_.records.capacity()) {
    departed_.records.reserve(std::max(departed, 2 * departed_.records.capacity()));
  }
}

void KeyBook::add(KeyRecordPtr record) noexcept {
  KeyRecord* added = record.release();
  place(*by_id_.places.load(std::memory_order_relaxed), added, hash_of(added->id));
  place(*by_name_.places.load(std::memory_order_relaxed), added, added->hash);
  ++by_id_.used;
  ++by_name_.used;
  ++live_;
}

void KeyBook::remove(Key id) noexcept {
  KeyRecord* record =
      look(by_id_, hash_of(id), [id](const KeyRecord& other) { return other.id == id; });
  if (record == nullptr) return;
  bury(by_name_, record, record->hash);
  --live_;
  departed_.records.push_back(record);  // reserve() made room
}

void KeyBook::reclaim() noexcept {
  if (!unlinked_.records.empty() && epoch_passed(unlinked_.tag)) {
    for (KeyRecord* record : unlinked_.records) KeyRecordDelete()(record);
    unlinked_.records.clear();
  }
  if (unlinked_.records.empty() && !waiting_.records.empty() && epoch_passed(waiting_.tag)) {
    for (const KeyRecord* record : waiting_.records) bury(by_id_, record, hash_of(record->id));
    unlinked_.records.swap(waiting_.records);
    unlinked_.tag = epoch_tag();
  }
  if (waiting_.records.empty() && !departed_.records.empty()) {
    waiting_.records.swap(departed_.records);
    waiting_.tag = epoch_tag();
  }
  std::erase_if(outgrown_, [](const OldPlaces& old) { return epoch_passed(old.tag); });
}

KeyOrder KeyBook::order() const noexcept {
  return {name_before, this};
}

}  // namespace skerry

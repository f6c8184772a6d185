// links.h - who are a node's neighbours, on each level?
//
// Layer 0: `degree0` (2 M) slots a node, in one array; at M = 16 exactly two cache lines. A list
// ends at the first kNoSlot or when it is full, so there is no count to keep in step.
//
//     layer 0       | n0 n1 n2 ... kNoSlot ... |  degree0 words a slot
//     upper block   | in-links | level 1: M words | level 2: M words | ...  of a node with levels
//
// How many levels a node has depends on the seed and its slot alone (level_of), so a slot keeps its
// upper block when it is used again, and builds repeat.
//
// A list is written by one thread at a time and read by any: every word is atomic. A reader that
// meets a list in the middle of a rewrite sees some old and some new neighbours, each of which was
// in the list at some moment while the reader's epoch lasted: at worst it visits a node too few or
// too many. Entries are published with release, so what was written before (vector, code, own
// list) is seen by whoever follows the link.
//
// Levels: Malkov & Yashunin 2018, section 4.1 (arXiv 1603.09320).
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/schedule.h"

namespace skerry {

using Slot = std::uint32_t;

inline constexpr Slot kNoSlot = 0xFFFFFFFF;
inline constexpr std::uint32_t kMaxSlots = 0x7FFFFFFF;  // the pool keeps a flag in the top bit
inline constexpr std::uint32_t kMaxLevel = 24;

// 0 for most; P(level >= l) = M^-l.
inline std::uint32_t level_of(std::uint64_t seed, Slot slot, std::uint32_t M) noexcept {
  // splitmix64: every bit of the result depends on every bit of seed and slot.
  std::uint64_t x = seed + 0x9E3779B97F4A7C15ULL * (std::uint64_t{slot} + 1);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  std::uint32_t level = 0;
  // A whole number, so that every machine agrees: level rises while the hash is below 2^64 / M^l.
  std::uint64_t bar = ~std::uint64_t{0} / M;
  while (level < kMaxLevel && x < bar) {
    ++level;
    bar /= M;
  }
  return level;
}

// A view of the arrays: copy it.
class Links {
 public:
  Links() noexcept = default;
  Links(Slot* layer0, std::uint32_t* upper_offsets, Slot* upper, std::uint32_t M) noexcept
      : layer0_(layer0), upper_offsets_(upper_offsets), upper_(upper), M_(M) {}

  std::uint32_t degree(std::uint32_t level) const noexcept { return level == 0 ? 2 * M_ : M_; }

  std::size_t bytes(std::uint32_t level) const noexcept { return degree(level) * sizeof(Slot); }

  // Words of the upper block of a node with that many levels above 0.
  static std::size_t upper_words(std::uint32_t levels, std::uint32_t M) noexcept {
    return levels == 0 ? 0 : 1 + std::size_t{levels} * M;
  }

  // Copies the neighbours into `out` (degree(level) slots) and returns how many there are.
  std::size_t read(Slot slot, std::uint32_t level, Slot* out) const noexcept {
    Slot* list = list_of(slot, level);
    const std::size_t limit = degree(level);
    std::size_t count = 0;
    while (count < limit) {
      schedule_point("links: read");
      const Slot next = std::atomic_ref(list[count]).load(std::memory_order_acquire);
      if (next == kNoSlot) break;
      out[count++] = next;
    }
    return count;
  }

  // Is `neighbour` in the list? For the list's writer, when nobody else can be: plain words, which
  // the compiler compares some at a time. Behind the end of a list there is nobody.
  bool contains(Slot slot, std::uint32_t level, Slot neighbour) const noexcept {
    const Slot* list = list_of(slot, level);
    unsigned found = 0;
    for (std::uint32_t i = 0; i < degree(level); ++i) found |= list[i] == neighbour ? 1U : 0U;
    return found != 0;
  }

  // Replaces the list. One writer a list.
  void write(Slot slot, std::uint32_t level, std::span<const Slot> neighbours) const noexcept {
    Slot* list = list_of(slot, level);
    for (std::size_t i = 0; i < neighbours.size(); ++i) {
      schedule_point("links: write");
      std::atomic_ref(list[i]).store(neighbours[i], std::memory_order_release);
    }
    for (std::size_t i = neighbours.size(); i < degree(level); ++i) {
      schedule_point("links: cut");
      std::atomic_ref(list[i]).store(kNoSlot, std::memory_order_release);
    }
  }

  // Adds one at the end of a list of `count` that has room.
  void append(Slot slot, std::uint32_t level, std::size_t count, Slot neighbour) const noexcept {
    schedule_point("links: append");
    std::atomic_ref(list_of(slot, level)[count]).store(neighbour, std::memory_order_release);
  }

  // Always inlined: a function that does nothing but prefetch has no effect in the eyes of GCC 12,
  // which at -O2 dropped the calls (tools/check_prefetch.py looks).
  [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
    const auto* list = reinterpret_cast<const char*>(list_of(slot, 0));
    __builtin_prefetch(list);
    if (M_ > 8) __builtin_prefetch(list + 64);
  }

  // In-links on the upper levels of a node that has some. Under the link lock.
  std::uint32_t& upper_in_links(Slot slot) const noexcept { return upper_[upper_offsets_[slot]]; }

 private:
  Slot* list_of(Slot slot, std::uint32_t level) const noexcept {
    if (level == 0) return layer0_ + std::size_t{slot} * 2 * M_;
    return upper_ + upper_offsets_[slot] + 1 + std::size_t{level - 1} * M_;
  }

  Slot* layer0_ = nullptr;
  std::uint32_t* upper_offsets_ = nullptr;
  Slot* upper_ = nullptr;
  std::uint32_t M_ = 0;
};

}  // namespace skerry

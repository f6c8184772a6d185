// check.cc - the surveyor: every invariant of the directory, the slots and the graph.
//
//   directory   every live slot is found by its key, and live slots are counted right
//   slots       each slot is exactly one of: live, leaving, dead in the graph, retired, waiting,
//               free, unused; a live one is linked, or in the backlog
//   lists       every link points to a slot that is in the graph and has that level; none twice,
//               none to itself
//   in-links    the count kept for each node is the number of lists that name it
//   entry       it is alive and nobody has more levels
//   rows        those of a mapped image are as they were written, or mended
//   reach       how many live nodes in the graph a walk over layer 0 from the entry point does not
//   meet
#include <algorithm>
#include <new>
#include <vector>

#include "base/epoch.h"
#include "base/watch.h"
#include "index/engine.h"

namespace skerry {
namespace {

Status broken(const char* what, std::uint64_t slot) {
  return Status(Code::corruption, what, 0, slot);
}

}  // namespace

Result<CheckReport> Engine::check_invariants() const {
  Watch nobody{Control()};
  return check_invariants(nobody);
}

Result<CheckReport> Engine::check_invariants(Watch& watch) const {
  if (Status status = watch.begin(); !status.ok()) return status;
  const auto go_on = [&] { return watch.again().ok(); };
  if (Status status = verify_rows(go_on); !status.ok()) return status;
  if (!watch.status().ok()) return watch.status();
  WriterLock lock(write_mutex_);
  be_alone(lock);
  EpochGuard guard;
  const Storage& storage = writable();
  const Links links = storage.links();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  CheckReport report;
  try {
    // Slots: who is on a list of the writer's.
    constexpr std::uint8_t kLeaving = 4;
    std::vector<std::uint8_t> place(used, 0);
    const auto walk = [&](const SlotList& list, std::uint8_t mark) -> Status {
      Slot slot = list.head;
      for (std::uint64_t i = 0; i < list.count; ++i) {
        if (slot >= used) return broken("slot {b} on a free or retired list does not exist", slot);
        if (place[slot] != 0) return broken("slot {b} is on two lists", slot);
        place[slot] = mark;
        slot = storage.states[slot].link.load(std::memory_order_relaxed);
      }
      return {};
    };
    Status status = walk(free_slots_, 1);
    if (status.ok()) status = walk(retired_, 2);
    if (status.ok()) status = walk(waiting_, 3);
    if (status.ok()) status = walk(leaving_, kLeaving);
    if (!status.ok()) return status;

    std::uint64_t live = 0;
    std::uint64_t dead_linked = 0;
    for (Slot slot = 0; slot < used; ++slot) {
      const SlotState& state = storage.states[slot];
      const bool born = state.born.load(std::memory_order_relaxed) != 0;
      const bool alive = born && !state.is_dead();
      const bool linked = (storage.flags[slot] & kLinked) != 0;
      if (alive) {
        ++live;
        if (place[slot] != 0) return broken("live slot {b} is on a free or retired list", slot);
        const Key key = state.key.load(std::memory_order_relaxed);
        if (newest(key) != slot) return broken("the directory misses the key of slot {b}", slot);
        if ((storage.flags[slot] & kDead) != 0) return broken("live slot {b} is marked dead", slot);
        if (linking_ && !linked && !is_in_backlog(slot)) {
          return broken("live slot {b} is not in the graph", slot);
        }
      } else if (linked && (storage.flags[slot] & kDead) == 0) {
        if (place[slot] != kLeaving && !read_only_) {
          return broken("dead slot {b} is not marked and does not leave", slot);
        }
      } else if (linked) {
        ++dead_linked;
        if (place[slot] != 0) return broken("slot {b} is free and in the graph", slot);
      } else if (place[slot] == 0 && !read_only_) {  // a view keeps no lists
        return broken("slot {b} is lost: neither live, linked, retired nor free", slot);
      }
    }
    if (live != live_.load(std::memory_order_relaxed)) {
      return Status(Code::corruption, "{a} live slots are counted as {b}", live,
                    live_.load(std::memory_order_relaxed));
    }
    if (dead_linked != dead_linked_) {
      return Status(Code::corruption, "{a} dead nodes are counted as {b}", dead_linked,
                    dead_linked_);
    }
    report.live = live;
    report.tombstones = tombstones_.load(std::memory_order_relaxed);

    // Lists and in-links.
    std::vector<std::uint32_t> in0(used, 0);
    std::vector<std::uint32_t> in_upper(used, 0);
    std::vector<Slot> list(2 * options_.M);
    std::uint32_t highest = 0;
    for (Slot slot = 0; slot < used; ++slot) {
      if (status = watch.advance(1); !status.ok()) return status;
      if ((storage.flags[slot] & kLinked) == 0) continue;
      const std::uint32_t level = level_of(options_.seed, slot, options_.M);
      if (!storage.states[slot].is_dead()) highest = std::max(highest, level);
      for (std::uint32_t l = 0; l <= level; ++l) {
        const std::size_t count = links.read(slot, l, list.data());
        report.links += count;
        for (std::size_t i = 0; i < count; ++i) {
          const Slot to = list[i];
          if (to >= used) return broken("a link of slot {b} points beyond the end", slot);
          if (to == slot) return broken("slot {b} links to itself", slot);
          if ((storage.flags[to] & kLinked) == 0) {
            return broken("a link of slot {b} points to a node that is not in the graph", slot);
          }
          if (level_of(options_.seed, to, options_.M) < l) {
            return broken("a link of slot {b} points to a node without that level", slot);
          }
          ++(l == 0 ? in0 : in_upper)[to];
        }
        std::sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
        if (std::adjacent_find(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count)) !=
            list.begin() + static_cast<std::ptrdiff_t>(count)) {
          return broken("slot {b} links to a node twice", slot);
        }
      }
    }
    for (Slot slot = 0; slot < used; ++slot) {
      if ((storage.flags[slot] & kLinked) == 0) continue;
      if (in0[slot] != storage.states[slot].in_links) {
        return broken("the in-links of slot {b} on layer 0 are miscounted", slot);
      }
      if (level_of(options_.seed, slot, options_.M) > 0 &&
          in_upper[slot] != links.upper_in_links(slot)) {
        return broken("the in-links of slot {b} on upper layers are miscounted", slot);
      }
    }

    // Entry and reach.
    const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
    if (graph_.load(std::memory_order_relaxed) && live != 0) {
      if (entry == Storage::kNoEntry)
        return Status(Code::corruption, "the graph has no entry point");
      const auto first = static_cast<Slot>(entry);
      if (first >= used || (storage.flags[first] & (kLinked | kDead)) != kLinked) {
        return broken("the entry point {b} is not a node that leads on", first);
      }
      if (static_cast<std::uint32_t>(entry >> 32) != level_of(options_.seed, first, options_.M) ||
          static_cast<std::uint32_t>(entry >> 32) < highest) {
        return broken("the entry point {b} is not on the highest level", first);
      }
      report.levels = static_cast<std::uint32_t>(entry >> 32) + 1;
      std::vector<std::uint8_t> met(used, 0);
      std::vector<Slot> to_visit{first};
      met[first] = 1;
      while (!to_visit.empty()) {
        const Slot slot = to_visit.back();
        to_visit.pop_back();
        const std::size_t count = links.read(slot, 0, list.data());
        for (std::size_t i = 0; i < count; ++i) {
          if (met[list[i]] != 0) continue;
          met[list[i]] = 1;
          to_visit.push_back(list[i]);
        }
      }
      for (Slot slot = 0; slot < used; ++slot) {
        if (storage.flags[slot] == kLinked && !storage.states[slot].is_dead() && met[slot] == 0) {
          ++report.unreachable;
        }
      }
    }
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory to check the index");
  }
  return report;
}

}  // namespace skerry

// backlog.cc - what is visible already and has its place in the graph still to come.
//
// Opening a collection after a crash takes up what the log holds behind the image, perhaps tens of
// thousands of changes, and linking one costs what an insert costs. So they are shown at once and
// linked later (Linking::later). Until then:
//
//   arrivals   live slots in [linked_until_, backlog_until_), taken from the end and never from the
//              free ones, so that two numbers name them. A search walks the graph, and scores these
//              beside it: some four nanoseconds each for 384 bytes of codes.
//   leavers    dead slots on the list leaving_, which the graph holds as it held them alive. A walk
//              passes through, and nobody is an answer who died.
//
// The same range serves an index that is growing into its graph: there everything from
// linked_until_ on waits, and searches scan all.
//
// Why no search misses anybody: a search reads the number of what is visible, and then the range,
// whose end was set before that number. Who is below its beginning was linked before the beginning
// was moved. Who is linked in between is met twice, and the walk's marks tell.
//
// Why nobody is lost to the walk meanwhile: a leaver holds his neighbours as long as somebody leads
// to him (leads_nowhere in hold.cc), and when he is taken out they are held by others.
//
// One step is a slot that is linked or a leaver that is taken out. Whoever calls work_off_backlog()
// lets writers in between a few steps; writes work off some themselves, so that it ends even if
// nobody calls.
#include <algorithm>
#include <mutex>

#include "base/assert.h"
#include "base/watch.h"
#include "index/engine.h"

namespace skerry {
namespace {

constexpr std::uint32_t kStepsAtOnce = 16;   // with the writer lock held: some milliseconds
constexpr std::size_t kSlotsTogether = 256;  // that threads share out

}  // namespace

// Slots from `first` on have just been made, to be linked later. Before they are visible.
void Engine::join_backlog(Slot first) noexcept {
  const Slot until = backlog_until_.load(std::memory_order_relaxed);
  if (graph_.load(std::memory_order_relaxed) &&
      linked_until_.load(std::memory_order_relaxed) >= until) {
    schedule_point("backlog: begins");
    linked_until_.store(first, std::memory_order_release);
  }
  schedule_point("backlog: ends");
  backlog_until_.store(writable().used.load(std::memory_order_relaxed), std::memory_order_release);
}

// May the slot be live and not linked?
bool Engine::is_in_backlog(Slot slot) const noexcept {
  return slot >= linked_until_.load(std::memory_order_relaxed) &&
         (!graph_.load(std::memory_order_relaxed) ||
          slot < backlog_until_.load(std::memory_order_relaxed));
}

bool Engine::has_backlog_locked() const noexcept {
  return leaving_.count != 0 || (linking_ && linked_until_.load(std::memory_order_relaxed) <
                                                 backlog_until_.load(std::memory_order_relaxed));
}

bool Engine::has_backlog() const noexcept {
  const WriterLock lock(write_mutex_);
  return has_backlog_locked();
}

void Engine::work_off(std::uint64_t steps, std::uint32_t threads, LinkScratch& scratch,
                      Watch& watch) noexcept {
  Storage& storage = writable();
  const bool had_graph = graph_.load(std::memory_order_relaxed);
  const Slot until = had_graph ? backlog_until_.load(std::memory_order_relaxed)
                               : storage.used.load(std::memory_order_relaxed);
  Slot next = linked_until_.load(std::memory_order_relaxed);
  Slot slots[kSlotsTogether];
  while (linking_ && steps > 0 && next < until && watch.status().ok()) {
    std::size_t count = 0;
    for (; count < std::min<std::uint64_t>(kSlotsTogether, steps) && next < until; ++next) {
      const SlotState& state = storage.states[next];
      const bool is_live = state.born.load(std::memory_order_relaxed) != 0 && !state.is_dead();
      // One that was used again has been linked by who used it.
      if (is_live && (storage.flags[next] & kLinked) == 0) slots[count++] = next;
    }
    if (!had_graph) linked_until_.store(next, std::memory_order_relaxed);
    // All of them, whoever watches: below linked_until_ nobody is left out.
    Watch nobody{Control()};
    link_slots(std::span<const Slot>(slots, count), threads, scratch, nobody);
    static_cast<void>(watch.advance(count));
    // Searches walk to who is below it.
    schedule_point("backlog: linked");
    linked_until_.store(next, std::memory_order_release);
    steps -= count;
  }
  schedule_point("graph: made");
  if (linking_ && !had_graph && next == until) graph_.store(true, std::memory_order_release);

  std::uint32_t erased = 0;
  for (; steps > 0 && leaving_.count != 0; --steps, ++erased) {
    const Slot slot = leaving_.head;
    leaving_.head = storage.states[slot].link.load(std::memory_order_relaxed);
    if (--leaving_.count == 0) leaving_.tail = kNoSlot;
    const std::lock_guard lock(link_mutex_);
    erase_from_graph(slot);
  }
  sweep(erased);
}

void Engine::work_off_backlog(std::uint32_t threads, FunctionRef<bool()> step) noexcept {
  for (;;) {
    {
      WriterLock lock(write_mutex_);
      be_alone(lock);
      if (read_only_ || !has_backlog_locked()) return;
      Watch nobody{Control()};
      work_off(kStepsAtOnce, threads, own_scratch_, nobody);
      reclaim();
    }
    if (!step()) return;
  }
}

}  // namespace skerry

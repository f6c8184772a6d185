// shape.cc - how many levels, links and in-links have the nodes of the graph?
//
// A walk over all slots that sees what a search sees: the vectors that are visible at one number,
// and lists that are read while others write them.
#include <algorithm>
#include <new>
#include <vector>

#include "base/epoch.h"
#include "base/watch.h"
#include "index/engine.h"

namespace skerry {

Result<GraphShape> Engine::shape(Watch& watch) const {
  if (Status status = watch.begin(); !status.ok()) return status;
  const EpochGuard guard;
  const View view = this->view();
  const Storage& storage = *view.storage;
  const std::uint32_t used = storage.used.load(std::memory_order_acquire);
  GraphShape shape;
  if (graph_.load(std::memory_order_acquire)) {
    // Who is in the backlog may have no list yet.
    const Slot waiting_from = linked_until_.load(std::memory_order_acquire);
    const Slot waiting_until = backlog_until_.load(std::memory_order_acquire);
    const auto is_node = [&](Slot slot) {
      return (slot < waiting_from || slot >= waiting_until) &&
             storage.states[slot].visible(view.sequence);
    };
    const Links links = storage.links();
    try {
      std::vector<std::uint32_t> in_links(used);
      std::vector<Slot> list(links.degree(0));
      shape.out_degrees.resize(list.size() + 1);
      for (Slot slot = 0; slot < used; ++slot) {
        if (!is_node(slot)) continue;
        if (Status status = watch.advance(1); !status.ok()) return status;
        const std::uint32_t level = level_of(options_.seed, slot, options_.M);
        if (level >= shape.levels.size()) shape.levels.resize(level + 1);
        ++shape.levels[level];
        const std::size_t count = links.read(slot, 0, list.data());
        ++shape.out_degrees[count];
        ++shape.nodes;
        for (std::size_t i = 0; i < count; ++i) {
          if (list[i] < used) ++in_links[list[i]];  // a later one has come since
        }
      }
      for (Slot slot = 0; slot < used; ++slot) {
        if (!is_node(slot)) continue;
        const std::size_t degree = in_links[slot];
        if (degree >= shape.in_degrees.size()) shape.in_degrees.resize(degree + 1);
        ++shape.in_degrees[degree];
      }
    } catch (const std::bad_alloc&) {
      return Status(Code::out_of_memory, "no memory to look at the graph");
    }
  }
  if (Status status = watch.finish(); !status.ok()) return status;
  return shape;
}

}  // namespace skerry

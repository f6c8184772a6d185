// contestant.cc - see contestant.h.
#include "contestant.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "clock.h"
#include "measure.h"
#include "meter.h"
#include "stop.h"

namespace skerry::bench {

std::vector<Contestant> build_all(const std::string& bench, const Settings& settings,
                                  const Dataset& set, Lines& lines) {
  std::vector<Contestant> contestants;
  for (PeerKind& kind : present_peers(bench, settings, lines)) {
    GraphOptions graph = settings.graph;
    graph.capacity = set.base.rows;
    Contestant contestant{std::move(kind), nullptr, 0, 0};
    contestant.peer = contestant.kind.make(set, graph);
    Meter meter("building " + contestant.kind.label(), set.base.rows);
    const Stopwatch watch;
    // In pieces, so that the bar moves and Ctrl-C is heard; a piece is many times what a batch
    // needs to be worth its threads.
    const std::size_t piece = settings.build_threads == 1 ? 1 : 10'000;
    for (std::size_t row = 0; row < set.base.rows; row += piece) {
      check_stop();
      contestant.peer->add(row, std::min(piece, set.base.rows - row), settings.build_threads);
      meter.show(row);
    }
    contestant.build_s = watch.wall();
    contestant.build_cpu_s = watch.cpu();
    contestants.push_back(std::move(contestant));
  }
  return contestants;
}

}  // namespace skerry::bench

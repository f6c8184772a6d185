// contestant.h - a library that has built its index of the base and is about to be measured.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataset.h"
#include "lines.h"
#include "peer.h"
#include "settings.h"

namespace skerry::bench {

struct Contestant {
  PeerKind kind;
  std::unique_ptr<Peer> peer;
  double build_s = 0;
  double build_cpu_s = 0;
};

// All that were asked for and are here, one after the other, from the same rows in the same order.
std::vector<Contestant> build_all(const std::string& bench, const Settings& settings,
                                  const Dataset& set, Lines& lines);

}  // namespace skerry::bench

// player.h - which keys and which rows does a step of a runbook touch?
//
// Rows of the set that are not live stand in line in the runbook's order: a row that comes in is
// taken from the front, a row that goes takes its place at the end, so what comes in has been away
// for as long as can be. A key is new at every insertion and never used again; a replaced key keeps
// its name. Chance is drawn from the runbook's seed alone: every library is told the same.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <vector>

#include "dataset.h"
#include "runbook.h"

namespace skerry::bench {

struct Change {
  Step::Verb verb = Step::Verb::insert;  // insert, remove or replace
  Key key = 0;
  std::uint32_t row = 0;  // insert, replace: what comes in
};

class Player {
 public:
  // Borrows the set. O(rows log rows), for `drift` also O(rows * dimension).
  Player(const Runbook& runbook, const Dataset& set);

  // What the step changes; it has happened here when this returns. A step for which most_live()
  // did not throw. A region costs O(rows * dimension).
  std::vector<Change> play(const Step& step);

  // The row of every live key; keys ascend by age, the oldest first.
  const std::map<Key, std::uint32_t>& live() const noexcept { return live_; }

 private:
  std::vector<Key> choose(const Step& step);
  std::vector<std::uint32_t> take_rows(std::size_t count, bool near);
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  double distance_to_centre(std::uint32_t row) const;

  const Dataset& set_;
  std::mt19937_64 random_;
  std::map<Key, std::uint32_t> live_;
  std::deque<std::uint32_t> waiting_;  // rows that are not live
  Key next_key_ = 0;
  std::size_t last_removed_ = 0;
  std::uint32_t centre_ = 0;  // row about which the last region lies
};

}  // namespace skerry::bench

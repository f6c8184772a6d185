// child.h - a piece of work in a process of its own: its memory is its own, and so is its end.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lines.h"

namespace skerry::bench {

// Forks, runs `work` in the child and returns the lines that it gave. The child ends without
// unwinding anything, as a killed process would: open databases are left as they are. What it
// throws is thrown here. Call it while this process has one thread.
std::vector<Line> in_child(const std::function<std::vector<Line>()>& work);

// Resident memory of this process by kind, in bytes.
struct Resident {
  std::uint64_t anonymous = 0;
  std::uint64_t file = 0;  // mapped files, LMDB's among them; shared memory
};
Resident resident();

}  // namespace skerry::bench

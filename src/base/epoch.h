// epoch.h - may this be given back, or is somebody still reading it?
//
// Readers take no lock. They say "I am inside" by writing the number of the current epoch into a
// record of their own thread, and "I am out" by clearing it. Whoever unlinks something asks for a
// tag (which starts a new epoch) and may reuse the memory when every thread inside has entered
// after the tag: nobody who could have seen it is still there.
//
// A thread's record is made at its first guard, belongs to it until it ends and is then handed to
// the next new thread. There is no limit on threads and nothing to register. A thread for whose
// record there is no memory shares one with the others in its place until there is.
//
// Threads: everything from any thread. Guards nest.
// Cost: a guard is two atomic exchanges on the thread's own line; passed() walks the records.
// Paper: K. Fraser, "Practical lock-freedom", 2004, section 5.2.3.
#pragma once

#include <cstdint>

namespace skerry {

class EpochGuard {
 public:
  EpochGuard() noexcept;
  ~EpochGuard();
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;
};

// Is this thread inside? For assertions: whoever follows what may be unlinked has to be.
bool is_inside_epoch() noexcept;

// Call after the thing is unlinked: no guard taken from now on can reach it.
std::uint64_t epoch_tag() noexcept;

// True when every guard that was held at the time of epoch_tag() has gone. Never blocks; once true
// for a tag it stays true.
bool epoch_passed(std::uint64_t tag) noexcept;

}  // namespace skerry

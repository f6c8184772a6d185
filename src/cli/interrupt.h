// interrupt.h - Ctrl-C, once: stop when it is safe. Twice: stop.
//
// The first SIGINT or SIGTERM is noted and wakes whoever waits on stop_fd(); the second finds the
// system's default and ends the process, which is safe at any moment: the store is made for it.
#pragma once

namespace skerry::cli {

// From here on the first signal is only noted. Called by commands that ask interrupted() often.
void catch_interrupts();

bool interrupted() noexcept;

// Becomes readable at the first signal; -1 before catch_interrupts().
int stop_fd() noexcept;

}  // namespace skerry::cli

// exit_code.h - what a script may read from the number that `skerry` leaves behind.
//
// The same table stands in `skerry --help` and in docs/cli.md.
#pragma once

namespace skerry::cli {

enum ExitCode : int {
  kOk = 0,
  kNotFound = 1,       // no such database, collection, key or file
  kUsage = 2,          // what was asked for makes no sense, or collides with what is there
  kData = 3,           // a file of vectors, keys or answers is not what it should be
  kStorage = 4,        // the disk, the memory or the operating system refused
  kDamaged = 5,        // the database is damaged, or not one of ours
  kBusy = 6,           // another process has the database open
  kPromise = 7,        // demo: it ran, but a figure is not what Skerry promises
  kLost = 8,           // repair: it is done, and something could not be kept
  kInterrupted = 130,  // stopped by Ctrl-C; what was acknowledged is stored
};

inline constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0    done\n"
    "  1    no such database, collection, key or file\n"
    "  2    what was asked for makes no sense, or collides with what is there\n"
    "  3    a file of vectors, keys or answers is not what it should be\n"
    "  4    the disk, the memory or the operating system refused\n"
    "  5    the database is damaged, or not one of ours\n"
    "  6    another process has the database open\n"
    "  7    demo: it ran, but a figure is not what Skerry promises\n"
    "  8    repair: it is done, and something could not be kept\n"
    "  130  stopped by Ctrl-C; what was acknowledged is stored\n";

}  // namespace skerry::cli

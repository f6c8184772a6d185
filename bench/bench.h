// bench.h - `skerry bench`: how fast, how true, how large, and beside whom?
//
// Prints one JSON line a measurement on standard output; docs/benchmarks.md says how to read them.
#pragma once

namespace skerry::bench {

// argv[0] is the name to show in the help. Returns the exit code: 0; 2 for bad arguments; 1 for a
// failure, said on standard error; 130 after Ctrl-C, with the lines measured so far written.
int run_bench(int argc, char** argv);

}  // namespace skerry::bench

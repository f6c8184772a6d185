// main.cc - the benchmark as a program of its own.
#include "bench.h"

int main(int argc, char** argv) {
  return skerry::bench::run_bench(argc, argv);
}

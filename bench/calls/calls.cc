// calls.cc - the searches of calls.py from C++, for a program in Python to compare its own with.
//
//   skerry_calls IMAGE QUERIES
//
// IMAGE is what Index::save() wrote, QUERIES is rows of floats without a header. Each line of the
// standard input is one measurement, `single K EF` or `batch K EF THREADS`: all queries once. The
// answer is a line of microseconds a query and a number made of all keys that were found, by which
// it is seen that both have searched the same.
#include <skerry/index.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace {

using skerry::Hit;
using skerry::Index;

std::vector<float> read_floats(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<float> values(file ? static_cast<std::size_t>(file.tellg()) / sizeof(float) : 0);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

int fail(const std::string& what) {
  std::fprintf(stderr, "skerry_calls: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return fail("usage: skerry_calls IMAGE QUERIES");
  const skerry::Result<Index> loaded = Index::load(words[1]);
  if (!loaded.ok()) return fail(std::string(words[1]) + ": " + loaded.status().message());
  const Index& index = *loaded;
  const std::size_t dimension = index.options().dimension;
  const std::vector<float> values = read_floats(words[2]);
  const std::size_t queries = values.size() / dimension;
  if (queries == 0) return fail(std::string(words[2]) + ": no query in it");
  const skerry::MatrixView matrix(values, dimension);

  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream asked(line);
    std::string what;
    std::size_t k = 0;
    skerry::SearchOptions options;
    options.threads = 1;
    asked >> what >> k >> options.ef;
    if (!asked || k == 0 || (what != "single" && what != "batch")) {
      return fail("expected `single K EF` or `batch K EF THREADS`, got " + line);
    }
    asked >> options.threads;
    std::vector<Hit> hits(queries * k);
    std::vector<std::uint32_t> counts(queries);
    skerry::Status status;
    const auto began = std::chrono::steady_clock::now();
    if (what == "batch") {
      status = index.search_batch(matrix, hits, counts, options).status();
    } else {
      for (std::size_t i = 0; i < queries && status.ok(); ++i) {
        const auto found = index.search(std::span(values).subspan(i * dimension, dimension),
                                        std::span(hits).subspan(i * k, k), options);
        status = found.status();
        if (found.ok()) counts[i] = static_cast<std::uint32_t>(found->count);
      }
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - began;
    if (!status.ok()) return fail(status.message());
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < queries; ++i) {
      for (std::size_t place = 0; place < counts[i]; ++place) sum += hits[i * k + place].key;
    }
    std::printf("%.4f %llu\n", took.count() / static_cast<double>(queries),
                static_cast<unsigned long long>(sum));
    std::fflush(stdout);
  }
  return 0;
}

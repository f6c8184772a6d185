// runbook.h - what happens to a data set, step by step?
//
// The idea is that of the public streaming benchmark (NeurIPS'23, Big ANN, streaming track): a text
// says what is inserted, deleted, replaced and when is searched, and every library lives through
// the same. Theirs names ranges of rows of one data set; ours says how much and which, so that a
// runbook fits every set. docs/benchmarks.md describes the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace skerry::bench {

// "5%" of something, or "200" whatever there is.
struct Amount {
  double value = 0;
  bool is_part = false;  // value is 0 .. 1 and a part of the whole

  std::size_t of(std::size_t whole) const noexcept;
};

struct Step {
  enum class Verb : std::uint8_t { insert, remove, refill, replace, search };

  Verb verb = Verb::search;
  Amount amount;                 // insert: of the set's rows; remove, replace: of what is live
  std::optional<Amount> region;  // remove, replace: only of so many that lie about one vector
  bool is_oldest = false;        // remove: what was inserted first, and not at random
  bool is_near = false;          // refill: rows about the last region, and not the next ones
  std::size_t line = 0;          // of the file, for messages
};

// In which order do rows of the set come in?
enum class Order : std::uint8_t {
  file,    // as they lie
  random,  // shuffled
  drift,   // from one end of the set to the other: by their place along a line through it
};

struct Runbook {
  std::string path;
  std::string name;  // the file's, without its ending
  Order order = Order::random;
  std::uint64_t seed = 1;
  std::size_t fresh_every = 10;  // searches: a fresh build beside the first, each such and the last
  std::vector<Step> steps;       // with every repetition written out
};

// Throws std::runtime_error with file, line, what was expected and what was given.
Runbook read_runbook(const std::filesystem::path& path);

// The most vectors that will be live at once, of a set of `rows`. Throws std::runtime_error, naming
// the line, when a step wants more than there is: said before the hours of measuring, not after.
std::size_t most_live(const Runbook& runbook, std::size_t rows);

}  // namespace skerry::bench

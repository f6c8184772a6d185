// search_arguments.h - how a search is asked for on the command line: -k, --ef, --allow and so on.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cli/keys.h"
#include "skerry/options.h"

namespace skerry::cli {

struct SearchArguments {
  std::size_t k = 10;
  SearchOptions options;  // its filter borrows from here, once it was read

  void add_to(CLI::App& command);

  // Reads the keys that are allowed or denied. Fails (kUsage) when there are both.
  void read_filter(bool names);

 private:
  std::vector<std::string> allow_;
  std::vector<std::string> deny_;
  std::string allow_file_;
  std::string deny_file_;
  KeyList allowed_{false};
  KeyList denied_{false};
};

// "[0.1, 0.2]" into as many components as there is room for. Fails (kUsage).
void parse_vector(const std::string& text, std::span<float> vector);

}  // namespace skerry::cli

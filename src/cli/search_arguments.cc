#include "cli/search_arguments.h"

#include <fmt/core.h>

#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/output.h"

namespace skerry::cli {

void SearchArguments::add_to(CLI::App& command) {
  command.add_option("-k", k, "How many (default: 10)")->check(CLI::Range(0, 1000000));
  CLI::Option* const ef = command.add_option(
      "--ef", options.ef, "Breadth: more is slower and finds more (default: the collection's)");
  command
      .add_option("--recall-target", options.recall_target,
                  "Instead: the part of the true neighbours to find on average, as 0.95")
      ->check(CLI::Range(0.0F, 0.9999F))
      ->excludes(ef);
  command.add_flag("--exact", options.exact, "Compare with everything");
  command.add_option("--max-distance", options.max_distance, "None farther than this");
  command.add_option("--budget", options.budget, "Vectors to score at most");
  command.add_option("--allow", allow_, "Only these keys, with commas between")->delimiter(',');
  command.add_option("--deny", deny_, "None of these keys")->delimiter(',');
  command.add_option("--filter-keys", allow_file_, "Only the keys in this file, one a line");
  command.add_option("--deny-keys", deny_file_, "None of the keys in this file");
}

void SearchArguments::read_filter(bool names) {
  const bool only = !allow_.empty() || !allow_file_.empty();
  const bool except = !deny_.empty() || !deny_file_.empty();
  if (only && except) fail(kUsage, "allow some keys or deny some, not both");
  allowed_ = read_keys(names, allow_, allow_file_);
  denied_ = read_keys(names, deny_, deny_file_);
  if (only) {
    options.filter = names ? Filter::only_names(allowed_.views()) : Filter::only(allowed_.keys());
  }
  if (except) {
    options.filter = names ? Filter::except_names(denied_.views()) : Filter::except(denied_.keys());
  }
}

void parse_vector(const std::string& text, std::span<float> vector) {
  const Json parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_array()) fail(kUsage, "--vector: expected a JSON array of numbers");
  if (parsed.size() != vector.size()) {
    fail(kUsage, fmt::format("--vector: dimension {}, expected {}", parsed.size(), vector.size()));
  }
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (!parsed[i].is_number()) {
      fail(kUsage, fmt::format("--vector: component {} is not a number", i));
    }
    vector[i] = parsed[i].get<float>();
  }
}

}  // namespace skerry::cli

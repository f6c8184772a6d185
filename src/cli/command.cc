// command.cc - what every command has in common: a database, a collection, --json, an example.
#include "cli/command.h"

#include <fmt/core.h>

#include <string>

#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/long_call.h"
#include "cli/output.h"
#include "formats/format.h"

namespace skerry::cli {
namespace {

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(name_of(value));
  } else {
    return fmt::format("{}", value);
  }
}

}  // namespace

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& example, Needs needs, Place& place) {
  CLI::App* command = app.add_subcommand(name, what);
  if (needs != Needs::nothing) {
    command->add_option("database", place.database, "The database's folder")->required();
  }
  if (needs == Needs::collection) {
    command->add_option("collection", place.collection, "The collection's name")->required();
  }
  if (needs == Needs::maybe_collection) {
    command->add_option("collection", place.collection, "A collection's name (default: all)");
  }
  command->add_flag("--json", json_wanted(), "Answer with JSON, one object a line");
  command->footer("Example:\n" + example + "\n");
  return command;
}

void add_format(CLI::App& command, std::string& format) {
  command
      .add_option("--format", format,
                  fmt::format("One of {} (default: the file's extension)", formats::kFormatNames))
      ->check(CLI::Validator(
          [](const std::string& name) {
            return formats::parse_format(name).has_value() ? std::string{}
                                                           : "not a format: " + name;
          },
          ""));
}

CLI::Option* add_codes(CLI::App& command, Codes& codes) {
  return add_choice<Codes>(command, "--codes", codes,
                           {{"exact", Codes::exact},
                            {"sq8", Codes::sq8},
                            {"rot4", Codes::rot4},
                            {"auto", Codes::automatic}},
                           "What searches walk over: exact, sq8, rot4, or auto to have it chosen "
                           "(default: " +
                               std::string(name_of(codes)) + ")");
}

void CreateOptions::add_to(CLI::App& command) {
  command_ = &command;
  IndexOptions& index = options.index;
  const std::string group = "Making a collection";
  add_choice<Metric>(command, "--metric", index.metric,
                     {{"l2", Metric::l2},
                      {"ip", Metric::ip},
                      {"cosine", Metric::cosine},
                      {"hamming", Metric::hamming},
                      {"jaccard", Metric::jaccard},
                      {"haversine", Metric::haversine}},
                     "l2, ip, cosine, hamming, jaccard or haversine (default: l2)")
      ->group(group);
  add_choice<Scalar>(command, "--scalar", index.scalar,
                     {{"f32", Scalar::f32},
                      {"f16", Scalar::f16},
                      {"bf16", Scalar::bf16},
                      {"i8", Scalar::i8},
                      {"u8", Scalar::u8},
                      {"b1", Scalar::b1}},
                     "How vectors are kept: f32, f16, bf16, i8, u8 or b1 (default: f32)")
      ->group(group);
  add_codes(command, index.codes)->group(group);
  add_choice<Vectors>(command, "--vectors", index.vectors,
                      {{"memory", Vectors::memory}, {"disk", Vectors::disk}},
                      "Where exact vectors are, beside codes: memory or disk (default: memory)")
      ->group(group);
  command.add_option("-M,--M", index.M, "Links a node keeps (default: 16)")->group(group);
  command
      .add_option("--ef-construction", index.ef_construction,
                  "Breadth of the search that an insert makes (default: 200)")
      ->group(group);
  command.add_option("--default-ef", index.ef, "Breadth of a search that names none (default: 64)")
      ->group(group);
  command
      .add_option("--flat-below", index.flat_below,
                  "Up to this many vectors there is no graph (default: 1024)")
      ->group(group);
  command.add_option("--seed", index.seed, "Of the graph's levels")->group(group);
  command.add_flag("--byte-keys", options.byte_keys, "Keys are names instead of numbers")
      ->group(group);
}

bool CreateOptions::given() const {
  for (const char* name :
       {"--metric", "--scalar", "--codes", "--vectors", "--M", "--ef-construction", "--default-ef",
        "--flat-below", "--seed", "--byte-keys"}) {
    if (given(name)) return true;
  }
  return false;
}

bool CreateOptions::given(const char* option) const {
  return command_->count(option) > 0;
}

void CreateOptions::take_over(const IndexOptions& other) {
  if (!given("--metric")) options.index.metric = other.metric;
  if (!given("--scalar")) options.index.scalar = other.scalar;
  if (!given("--M")) options.index.M = other.M;
  if (!given("--ef-construction")) options.index.ef_construction = other.ef_construction;
}

void CreateOptions::check_against(const CollectionOptions& there, const std::string& name) const {
  const auto same = [&](const char* option, const auto& wanted, const auto& found) {
    if (!given(option) || wanted == found) return;
    fail(kUsage, fmt::format("collection {} is there with {} {}, not {}", name, option,
                             text_of(found), text_of(wanted)));
  };
  same("--metric", options.index.metric, there.index.metric);
  same("--scalar", options.index.scalar, there.index.scalar);
  same("--codes", options.index.codes, there.index.codes);
  same("--vectors", options.index.vectors, there.index.vectors);
  same("--M", options.index.M, there.index.M);
  same("--ef-construction", options.index.ef_construction, there.index.ef_construction);
  same("--default-ef", options.index.ef, there.index.ef);
  same("--flat-below", options.index.flat_below, there.index.flat_below);
  same("--seed", options.index.seed, there.index.seed);
  same("--byte-keys", options.byte_keys, there.byte_keys);
}

Database open_database(const Place& place, bool create, Durability durability) {
  DatabaseOptions options;
  options.create_if_missing = create;
  options.durability = durability;
  return take(Database::open(place.database, options), place.database);
}

Database open_to_read(const Place& place) {
  DatabaseOptions options;
  options.read_only = true;
  return take(Database::open(place.database, options), place.database);
}

// A collection without a good image is rebuilt when it is opened.
Result<Collection> open_watched(Database& database, const std::string& name) {
  LongCall call("rebuilding " + name);
  return database.open_collection(name, call.control());
}

Collection open_collection(Database& database, const Place& place) {
  return take(open_watched(database, place.collection), "collection " + place.collection);
}

}  // namespace skerry::cli

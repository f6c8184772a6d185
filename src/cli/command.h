// command.h - what every command has in common: a database, a collection, --json, an example.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "skerry/database.h"

namespace skerry::cli {

// Where the command works.
struct Place {
  std::string database;
  std::string collection;
};

enum class Needs { nothing, database, collection, maybe_collection };

// A subcommand with its arguments for the place, --json, and an example that works.
CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& example, Needs needs, Place& place);

// --metric cosine and so on, for what makes a collection.
struct CreateOptions {
  CollectionOptions options;

  void add_to(CLI::App& command);

  // Whether any of them was, after parsing; or one, as "--metric".
  bool given() const;
  bool given(const char* option) const;

  // What was not given becomes as it is here: metric, scalar, M and ef_construction.
  void take_over(const IndexOptions& other);

  // Fails when an option that was given differs from those of a collection that is there.
  void check_against(const CollectionOptions& there, const std::string& name) const;

 private:
  CLI::App* command_ = nullptr;
};

// Fails (kNotFound) when there is none, unless `create`.
Database open_database(const Place& place, bool create = false,
                       Durability durability = Durability::commit);
// For commands that only read: they work beside a running writer and keep nobody out.
Database open_to_read(const Place& place);
Collection open_collection(Database& database, const Place& place);
// With a bar while its index is rebuilt; from here on Ctrl-C is only noted (interrupt.h).
Result<Collection> open_watched(Database& database, const std::string& name);

// An option whose words are those of an enum; the value may be optional.
template <class Enum, class Value>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Value& value,
                        const std::map<std::string, Enum>& words, const std::string& what) {
  return command.add_option(name, value, what)
      ->transform(CLI::CheckedTransformer(words, CLI::ignore_case).description(""));
}

// --codes; what `codes` is stands as the default.
CLI::Option* add_codes(CLI::App& command, Codes& codes);

// --format, one of the formats' names.
void add_format(CLI::App& command, std::string& format);

// Each adds itself; its work is done in the callback.
void add_create(CLI::App& app);
void add_import(CLI::App& app);
void add_search(CLI::App& app);
void add_tune(CLI::App& app);
void add_explain(CLI::App& app);
void add_report(CLI::App& app);
void add_get(CLI::App& app);
void add_remove(CLI::App& app);
void add_rename(CLI::App& app);
void add_clone(CLI::App& app);
void add_export(CLI::App& app);
void add_stats(CLI::App& app);
void add_verify(CLI::App& app);
void add_compact(CLI::App& app);
void add_backup(CLI::App& app);
void add_restore(CLI::App& app);
void add_repair(CLI::App& app);
void add_bench(CLI::App& app);
void add_demo(CLI::App& app);

}  // namespace skerry::cli

// create.cc - `skerry create`: a database, and a collection in it.
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Create {
  Place place;
  CreateOptions create;
  bool if_missing = false;

  void run() {
    if (!place.collection.empty() && create.options.index.dimension == 0) {
      fail(kUsage, "a collection needs --dimension");
    }
    Database database = open_database(place, true);
    if (!place.collection.empty()) {
      Result<Collection> made = if_missing
                                    ? database.open_or_create(place.collection, create.options)
                                    : database.create(place.collection, create.options);
      // Other options than those asked for: the caller's move, nothing is damaged.
      if (made.status().code() == Code::incompatible) {
        fail(kUsage, fmt::format("collection {}: {}", place.collection, made.status().message()));
      }
      check(made.status(), "collection " + place.collection);
    }
    check(database.close(), place.database);
    if (json_wanted()) {
      Json answer{{"database", place.database}};
      if (!place.collection.empty()) answer["collection"] = place.collection;
      print_json(answer);
    } else if (place.collection.empty()) {
      fmt::print("{}: ready\n", place.database);
    } else {
      fmt::print("{}: collection {} is ready: dimension {}, {}\n", place.database, place.collection,
                 create.options.index.dimension, name_of(create.options.index.metric));
    }
  }
};

}  // namespace

void add_create(CLI::App& app) {
  auto self = std::make_shared<Create>();
  CLI::App* command =
      add_command(app, "create", "Make a database, and a collection in it",
                  "  skerry create my.skerry docs --dimension 384 --metric cosine --codes sq8\n"
                  "  skerry create my.skerry            # only the database",
                  Needs::maybe_collection, self->place);
  command->get_option("collection")->description("The collection's name (default: none)");
  command->add_option("-d,--dimension", self->create.options.index.dimension,
                      "Components of a vector, 1 to 65,535");
  command->add_flag("--if-missing", self->if_missing,
                    "Succeed when it is there already, with the same options");
  self->create.add_to(*command);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

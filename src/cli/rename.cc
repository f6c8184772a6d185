// rename.cc - `skerry rename`: another name for a collection, which stays as it is.
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Rename {
  Place place;
  std::string to;

  void run() const {
    Database database = open_database(place);
    check(database.rename(place.collection, to), "collection " + place.collection);
    check(database.close(), place.database);
    if (json_wanted()) return print_json({{"collection", to}, {"was", place.collection}});
    fmt::print("{} is now {}\n", place.collection, to);
  }
};

}  // namespace

void add_rename(CLI::App& app) {
  auto self = std::make_shared<Rename>();
  CLI::App* command = add_command(app, "rename", "Give a collection another name",
                                  "  skerry rename my.skerry docs docs-2024\n\n"
                                  "Programs that have it open go on with it.",
                                  Needs::collection, self->place);
  command->add_option("to", self->to, "Its new name, 1 to 255 bytes")->required();
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

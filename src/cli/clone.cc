// clone.cc - `skerry clone`: a second collection with what the first one holds at this moment.
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/long_call.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Clone {
  Place place;
  std::string to;

  void run() const {
    Database database = open_database(place);
    const Collection clone = [&] {
      LongCall call("clone");
      return take(database.clone(place.collection, to, call.control()), place.collection);
    }();
    const std::uint64_t rows = clone.size();
    check(database.close(), place.database);
    if (json_wanted()) {
      return print_json({{"collection", to}, {"from", place.collection}, {"live", rows}});
    }
    fmt::print("{}: {} vectors of {}\n", to, with_commas(rows), place.collection);
  }
};

}  // namespace

void add_clone(CLI::App& app) {
  auto self = std::make_shared<Clone>();
  CLI::App* command = add_command(app, "clone", "Copy a collection inside its database",
                                  "  skerry clone my.skerry docs docs-before-the-import\n\n"
                                  "Vectors, keys, payloads and options, as of one moment.",
                                  Needs::collection, self->place);
  command->add_option("to", self->to, "The copy's name, 1 to 255 bytes")->required();
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

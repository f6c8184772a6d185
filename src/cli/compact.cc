// compact.cc - `skerry compact`: gives the space of what was removed back to the file system.
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/long_call.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Compact {
  Place place;

  void run() {
    Database database = open_database(place);
    const std::uint64_t before = take(database.stats(), place.database).store_disk_bytes;
    {
      LongCall call("compact");
      check(database.compact(call.control()), place.database);
    }
    const std::uint64_t after = take(database.stats(), place.database).store_disk_bytes;
    check(database.close(), place.database);
    if (json_wanted()) {
      return print_json({{"database", place.database},
                         {"disk_bytes_before", before},
                         {"disk_bytes_after", after}});
    }
    fmt::print("{}: {} before, {} now\n", place.database, human_bytes(before), human_bytes(after));
  }
};

}  // namespace

void add_compact(CLI::App& app) {
  auto self = std::make_shared<Compact>();
  CLI::App* command = add_command(app, "compact", "Give free space back to the file system",
                                  "  skerry compact my.skerry", Needs::database, self->place);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

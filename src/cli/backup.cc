// backup.cc - `skerry backup`: a consistent copy in a new folder.
#include <fmt/core.h>

#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/long_call.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Backup {
  Place place;
  std::string folder;

  void run() {
    Database database = open_to_read(place);
    const bool was_there = std::filesystem::exists(folder);
    {
      LongCall call("backup");
      const Status copied = database.backup(folder, call.control());
      std::error_code ignored;
      if (!copied.ok() && !was_there) std::filesystem::remove(folder, ignored);  // it is empty
      check(copied, folder);
    }
    check(database.close(), place.database);
    if (json_wanted()) {
      return print_json({{"database", place.database}, {"backup", folder}});
    }
    fmt::print("{}: copied to {}\n", place.database, folder);
  }
};

}  // namespace

void add_backup(CLI::App& app) {
  auto self = std::make_shared<Backup>();
  CLI::App* command = add_command(app, "backup", "Copy a database into a new folder",
                                  "  skerry backup my.skerry my-copy.skerry\n\n"
                                  "The copy is a database like any other.",
                                  Needs::database, self->place);
  command->add_option("folder", self->folder, "The new folder")->required();
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

// restore.cc - `skerry restore`: a backup becomes a database again, and is looked at before it is
// trusted.
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

struct Restore {
  Place place;  // of the backup
  std::string folder;

  void run() {
    const bool was_there = std::filesystem::exists(folder);
    // Half a database is none, and neither is one that fails its check.
    const auto discard = [this, was_there] {
      std::error_code ignored;
      if (!was_there) std::filesystem::remove_all(folder, ignored);
    };
    std::uint64_t vectors = 0;
    try {
      copy();
      vectors = verify();
    } catch (...) {
      discard();
      throw;
    }
    if (json_wanted()) {
      return print_json({{"backup", place.database},
                         {"database", folder},
                         {"vectors", vectors},
                         {"verify", "clean"}});
    }
    fmt::print("{}: restored to {}, {} vectors\nverify: clean\n", place.database, folder,
               with_commas(vectors));
  }

  // A backup is a database, and a restored one is a backup of it.
  void copy() const {
    DatabaseOptions options;
    options.create_if_missing = false;
    options.read_only = true;
    Database backup = take(Database::open(place.database, options), place.database);
    LongCall call("restore");
    check(backup.backup(folder, call.control()), folder);
    check(backup.close(), place.database);
  }

  std::uint64_t verify() const {
    Place restored;
    restored.database = folder;
    Database database = open_database(restored);
    std::uint64_t vectors = 0;
    for (const std::string& name : take(database.list(), folder)) {
      const Collection collection = take(open_watched(database, name), name);
      LongCall call("verify " + name);
      const VerifyReport report = take(collection.verify({.control = call.control()}), name);
      if (report.index.unreachable > 0) fail(kDamaged, name + ": vectors that no search meets");
      vectors += report.vectors_compared;
    }
    check(database.close(), folder);
    return vectors;
  }
};

}  // namespace

void add_restore(CLI::App& app) {
  auto self = std::make_shared<Restore>();
  CLI::App* command = add_command(
      app, "restore", "Make a database of a backup, and verify it",
      "  skerry restore my-copy.skerry my.skerry\n\n"
      "The folder must be new or empty; the backup is only read. Leaves with 5 when the\n"
      "copy is damaged, and then leaves no folder behind.",
      Needs::database, self->place);
  command->add_option("folder", self->folder, "The new folder")->required();
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

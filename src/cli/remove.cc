// remove.cc - `skerry remove`: vectors go, and are never found again.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace skerry::cli {
namespace {

struct Remove {
  Place place;
  KeyArguments wanted;
  std::size_t batch = 1000;

  void run() {
    catch_interrupts();
    wanted.require();
    Database database = open_database(place);
    Collection collection = open_collection(database, place);
    const CollectionOptions options = take(collection.options(), place.collection);
    KeyList keys = wanted.read(options.byte_keys);
    const auto names = keys.views();
    std::uint64_t removed = 0;
    std::size_t done = 0;
    Progress progress("remove", keys.size());
    while (done < keys.size() && !interrupted()) {
      const std::size_t count = std::min(batch, keys.size() - done);
      removed += take(keys.names() ? collection.remove(names.subspan(done, count))
                                   : collection.remove(keys.keys().subspan(done, count)),
                      place.collection);
      done += count;
      progress.update(done);
    }
    check(database.close(), place.database);
    if (json_wanted()) {
      print_json({{"collection", place.collection},
                  {"keys", done},
                  {"removed", removed},
                  {"interrupted", done < keys.size()}});
    } else if (done == keys.size()) {
      fmt::print("{} removed, {} were not there\n", with_commas(removed),
                 with_commas(done - removed));
    }
    if (done < keys.size()) {
      fmt::print(stderr,
                 "skerry: interrupted: {} of {} keys are done; the rest may be given again\n",
                 with_commas(done), with_commas(keys.size()));
      fail(kInterrupted, "");
    }
  }
};

}  // namespace

void add_remove(CLI::App& app) {
  auto self = std::make_shared<Remove>();
  CLI::App* command = add_command(app, "remove", "Remove vectors by their keys",
                                  "  skerry remove my.skerry docs 7 8\n"
                                  "  skerry remove my.skerry docs --keys gone.txt\n\n"
                                  "A key that is not there is no error.",
                                  Needs::collection, self->place);
  self->wanted.add_to(*command);
  command->add_option("--batch", self->batch, "Keys a commit (default: 1000)")
      ->check(CLI::Range(1, 1000000));
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

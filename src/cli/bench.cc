// bench.cc - `skerry bench`, when it is in this build, is dispatched by main(); this is its line in
// the help, and its answer when it is not.
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"

namespace skerry::cli {

void add_bench(CLI::App& app) {
  auto place = std::make_shared<Place>();
  CLI::App* command =
      add_command(app, "bench", "How fast, how true, how large? (skerry bench --help)",
                  "  skerry bench search --data base.fbin --queries q.fbin --truth gt.ibin",
                  Needs::nothing, *place);
  command->allow_extras();
  command->callback([place] {
    fail(kUsage, "this build has no bench: configure it with -DSKERRY_BUILD_BENCH=ON");
  });
}

}  // namespace skerry::cli

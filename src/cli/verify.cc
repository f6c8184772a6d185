// verify.cc - `skerry verify`: is the graph whole, and does it say what the store says?
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Verify {
  Place place;

  void run() {
    const LeaveOnInterrupt leave([] {});
    Database database = open_database(place);
    const auto names = place.collection.empty() ? take(database.list(), place.database)
                                                : std::vector<std::string>{place.collection};
    bool clean = true;
    Json collections = Json::array();
    Table table({"collection", "verify", "live", "compared", "links", "levels"});
    for (const std::string& name : names) {
      // One damaged collection does not hide the state of the others.
      const Result<Collection> collection = database.open_collection(name);
      if (collection.status().code() == Code::not_found) {
        check(collection.status(), "collection " + name);
      }
      const Result<VerifyReport> report =
          collection.ok() ? collection->verify() : Result<VerifyReport>(collection.status());
      if (!report.ok()) {
        if (exit_code_of(report.status().code()) != kDamaged) check(report.status(), name);
        clean = false;
        collections.push_back({{"collection", name}, {"verify", report.status().message()}});
        table.add({name, report.status().message()});
        continue;
      }
      // A live vector that no walk meets would be lost to searches: that is not clean.
      const bool whole = report->index.unreachable == 0;
      clean = clean && whole;
      const std::string word =
          whole ? "clean" : fmt::format("{} unreachable", report->index.unreachable);
      collections.push_back({{"collection", name},
                             {"verify", word},
                             {"live", report->index.live},
                             {"tombstones", report->index.tombstones},
                             {"links", report->index.links},
                             {"unreachable", report->index.unreachable},
                             {"levels", report->index.levels},
                             {"vectors_compared", report->vectors_compared},
                             {"payloads", report->payloads}});
      table.add({name, word, with_commas(report->index.live), with_commas(report->vectors_compared),
                 with_commas(report->index.links), std::to_string(report->index.levels)});
    }
    check(database.close(), place.database);
    if (json_wanted()) {
      print_json({{"verify", clean ? "clean" : "damaged"}, {"collections", collections}});
    } else {
      table.print();
      fmt::print("verify: {}\n", clean ? "clean" : "damaged");
    }
    if (!clean) fail(kDamaged, "");
  }
};

}  // namespace

void add_verify(CLI::App& app) {
  auto self = std::make_shared<Verify>();
  CLI::App* command = add_command(
      app, "verify", "Walk every link and compare every vector with the store",
      "  skerry verify my.skerry\n"
      "  skerry verify my.skerry docs --json\n\n"
      "Ends with \"verify: clean\" and 0, or with \"verify: damaged\" and 5. Changes nothing.",
      Needs::maybe_collection, self->place);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

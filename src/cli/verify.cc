// verify.cc - `skerry verify`: is the graph whole, and does it say what the store says?
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/long_call.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Verify {
  Place place;
  VerifyOptions options;

  void run() {
    Database database = open_to_read(place);
    const auto names = place.collection.empty() ? take(database.list(), place.database)
                                                : std::vector<std::string>{place.collection};
    bool clean = true;
    Json collections = Json::array();
    std::vector<std::string> header{"collection", "verify", "live"};
    if (options.level != VerifyLevel::quick) {
      header.insert(header.end(), {"compared", "links", "levels"});
    }
    if (options.level == VerifyLevel::recall) header.push_back("recall@10");
    Table table(header);
    for (const std::string& name : names) {
      // One damaged collection does not hide the state of the others.
      const Result<Collection> collection = open_watched(database, name);
      if (collection.status().code() == Code::not_found) {
        check(collection.status(), "collection " + name);
      }
      LongCall call("verify " + name);
      options.control = call.control();
      const Result<VerifyReport> report =
          collection.ok() ? collection->verify(options) : Result<VerifyReport>(collection.status());
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
      Json answer{{"collection", name}, {"verify", word}, {"live", report->index.live}};
      std::vector<std::string> cells{name, word, with_commas(report->index.live)};
      if (options.level != VerifyLevel::quick) {
        answer["tombstones"] = report->index.tombstones;
        answer["links"] = report->index.links;
        answer["unreachable"] = report->index.unreachable;
        answer["levels"] = report->index.levels;
        answer["vectors_compared"] = report->vectors_compared;
        answer["payloads"] = report->payloads;
        cells.push_back(with_commas(report->vectors_compared));
        cells.push_back(with_commas(report->index.links));
        cells.push_back(std::to_string(report->index.levels));
      }
      if (options.level == VerifyLevel::recall) {
        answer["samples"] = report->samples;
        answer["samples_lost"] = report->samples_lost;
        answer["recall_at_10"] = report->recall_at_10;
        cells.push_back(fmt::format("{:.4f} of {}", report->recall_at_10, report->samples));
      }
      collections.push_back(std::move(answer));
      table.add(cells);
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
      "  skerry verify my.skerry docs --level recall --json\n\n"
      "quick compares counts; full walks and compares everything; recall also searches for\n"
      "stored vectors and compares with brute force.\n"
      "Ends with \"verify: clean\" and 0, or with \"verify: damaged\" and 5. Changes nothing.",
      Needs::maybe_collection, self->place);
  add_choice<VerifyLevel>(
      *command, "--level", self->options.level,
      {{"quick", VerifyLevel::quick}, {"full", VerifyLevel::full}, {"recall", VerifyLevel::recall}},
      "quick, full or recall (default: full)");
  command->add_option("--samples", self->options.samples,
                      "Vectors that recall asks for (default: 200)");
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

// tune.cc - `skerry tune`: what does how much recall cost in this collection?
#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/entry.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/recall_meter.h"

namespace skerry::cli {
namespace {

struct Tune {
  Place place;
  formats::InputOptions input;
  std::string format;
  std::size_t k = 10;
  std::size_t samples = 200;

  void run() {
    catch_interrupts();
    if (!format.empty()) input.format = formats::parse_format(format);
    input.stop_fd = stop_fd();
    Database database = open_to_read(place);
    const Collection collection = open_collection(database, place);
    RecallMeter meter(collection, place.collection, k);
    if (input.path.empty()) {
      const bool names = take(collection.options(), place.collection).byte_keys;
      meter.take_own(all_keys(collection, names), samples);
    } else {
      meter.read(input, samples);
    }
    if (meter.queries() == 0) fail(kData, "there is nothing to search for");
    measure(meter);
    check(database.close(), place.database);
  }

  void measure(RecallMeter& meter) const {
    Progress progress("tune", meter.queries() * (1 + kRecallTargets.size() + kBreadths.size()));
    std::uint64_t done = 0;
    const auto step = [&] {
      if (interrupted()) fail(kInterrupted, "interrupted");
      progress.update(++done);
    };
    meter.find_truth(step);
    Table table({"asked for", "recall", "visited", "p50 us", "p99 us"});
    const auto tell = [&](const char* what, double value, const Price& price) {
      if (json_wanted()) {
        return print_json({{"collection", place.collection},
                           {"queries", meter.queries()},
                           {"own_vectors", meter.are_own()},
                           {"k", k},
                           {what, value},
                           {"recall", price.recall()},
                           {"visited", price.visited()},
                           {"p50_us", price.microseconds(0.5)},
                           {"p99_us", price.microseconds(0.99)}});
      }
      table.add({fmt::format("{} {:g}", what, value), fmt::format("{:.4f}", price.recall()),
                 with_commas(price.visited()), fmt::format("{:.1f}", price.microseconds(0.5)),
                 fmt::format("{:.1f}", price.microseconds(0.99))});
    };
    for (const float target : kRecallTargets) {
      tell("recall_target", shortest(target), meter.price_of({.recall_target = target}, step));
    }
    for (const std::uint32_t ef : kBreadths) tell("ef", ef, meter.price_of({.ef = ef}, step));
    if (!json_wanted()) table.print();
  }
};

}  // namespace

void add_tune(CLI::App& app) {
  auto self = std::make_shared<Tune>();
  CLI::App* command =
      add_command(app, "tune", "What does how much recall cost? Measures it, changes nothing",
                  "  skerry tune my.skerry docs\n"
                  "  skerry tune my.skerry docs --queries queries.fbin -k 20 --json",
                  Needs::collection, self->place);
  command->add_option("--queries", self->input.path,
                      "A file of queries; - is standard input (default: stored vectors)");
  add_format(*command, self->format);
  command->add_option("-k", self->k, "How many neighbours (default: 10)")
      ->check(CLI::Range(1, 1000000));
  command->add_option("--samples", self->samples, "Queries at most (default: 200)")
      ->check(CLI::Range(1, 1000000));
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

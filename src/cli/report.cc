// report.cc - `skerry report`: a collection as a page one can look at.
//
// Looks at the graph, measures with stored vectors what recall costs, and lays some vectors out on
// a plane. The page is one file that needs nothing else; it appears when it is whole.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/entry.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/long_call.h"
#include "cli/output.h"
#include "cli/plane.h"
#include "cli/progress.h"
#include "cli/report_page.h"
#include "formats/sink.h"

namespace skerry::cli {
namespace {

// Of the vectors that are laid out: 32 MB of floats, which take a second or two.
constexpr std::size_t kComponentsMax = std::size_t{1} << 23;
constexpr std::size_t kPointsMin = 100;

struct Report {
  std::string output;
  std::size_t samples = 200;
  std::size_t points = 2000;
  ReportFacts facts;

  void run() {
    catch_interrupts();
    if (json_wanted() && output == "-") {
      fail(kUsage, "--json answers on standard output, which the page takes");
    }
    const Place& place = facts.place;
    Database database = open_to_read(place);
    const Collection collection = open_collection(database, place);
    facts.options = take(collection.options(), place.collection);
    facts.stats = take(collection.stats(), place.collection);
    facts.database = take(database.stats(), place.database);
    {
      LongCall call("looking at the graph");
      facts.shape = take(collection.shape(call.control()), place.collection);
    }
    const KeyList keys = all_keys(collection, facts.options.byte_keys);
    lay_out(collection, keys);
    measure(collection, keys);
    check(database.close(), place.database);
    const std::string html = report_page(facts);
    std::unique_ptr<formats::Sink> sink;
    check(formats::Sink::open(output, sink));
    check(sink->write(html));
    check(sink->finish());
    if (output != "-") tell(html.size());
  }

  static void heed() {
    if (interrupted()) fail(kInterrupted, "interrupted");
  }

  void measure(const Collection& collection, const KeyList& keys) {
    RecallMeter meter(collection, facts.place.collection, facts.k);
    meter.take_own(keys, samples);
    facts.queries = meter.queries();
    if (facts.queries == 0) return;
    const bool walks = facts.shape.nodes > 0;
    const std::size_t ways = walks ? kRecallTargets.size() + kBreadths.size() : 0;
    Progress progress("searching", meter.queries() * (ways + 2));
    std::uint64_t done = 0;
    const auto step = [&] {
      heed();
      progress.update(++done);
    };
    meter.find_truth(step);
    if (walks) {
      for (const float target : kRecallTargets) {
        facts.by_target.push_back(
            {shortest(target), meter.price_of({.recall_target = target}, step)});
      }
      for (const std::uint32_t ef : kBreadths) {
        facts.by_breadth.push_back({static_cast<double>(ef), meter.price_of({.ef = ef}, step)});
      }
    }
    // Last: by now memory is warm, and what is slow is slow by itself.
    facts.usual = meter.price_of({}, step);
    for (std::size_t i = 0; i < facts.queries; ++i)
      facts.query_keys.push_back(key_text(meter.key(i)));
  }

  void lay_out(const Collection& collection, const KeyList& keys) {
    const std::uint32_t dimension = facts.options.index.dimension;
    const std::size_t most = std::max(kPointsMin, kComponentsMax / dimension);
    const std::size_t count = std::min({points, most, keys.size()});
    PayloadColours colours(facts.field);
    std::vector<float> rows;
    std::vector<std::string> texts;
    Entry entry;
    for (const std::size_t at : drawn(count, keys.size())) {
      heed();
      if (!read_entry(collection, keys, at, dimension, true, entry)) continue;
      if (facts.options.index.metric == Metric::cosine) give_length_1(entry.vector);
      rows.insert(rows.end(), entry.vector.begin(), entry.vector.end());
      colours.add(entry.payload);
      texts.push_back("key " + key_text(keys.text(at)));
    }
    facts.legend = colours.settle();
    facts.fields = colours.fields();
    facts.with_field = colours.found();
    facts.is_globe = facts.options.index.metric == Metric::haversine;
    Plane plane;
    if (facts.is_globe) {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        plane.places.push_back({rows[2 * i + 1], rows[2 * i]});
      }
    } else {
      plane = flatten(rows, dimension);
    }
    facts.x_share = plane.x_share;
    facts.y_share = plane.y_share;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string field = colours.text(i);
      facts.dots.push_back({plane.places[i].x, plane.places[i].y, colours.colour(i),
                            texts[i] + (field.empty() ? "" : ", ") + field});
    }
  }

  // Which of `total`, ascending, the same ones each time. Not at equal steps: what repeats with the
  // keys, a topic in turn, would be seen in part or not at all.
  static std::vector<std::size_t> drawn(std::size_t count, std::size_t total) {
    std::vector<std::size_t> some;
    std::mt19937_64 random(1);
    for (std::size_t at = 0; some.size() < count; ++at) {
      // As many as are still wanted, of as many as are left (Knuth, vol. 2, algorithm S).
      if (random() % (total - at) < count - some.size()) some.push_back(at);
    }
    return some;
  }

  static void give_length_1(std::vector<float>& vector) {
    double square = 0;
    for (const float component : vector) square += double{component} * component;
    if (square == 0) return;
    const auto length = static_cast<float>(std::sqrt(square));
    for (float& component : vector) component /= length;
  }

  // A name that is no text is told as base64.
  std::string key_text(const std::string& key) const {
    Json one;
    add_key(one, facts.options.byte_keys, key);
    if (one.contains("key")) return facts.options.byte_keys ? key : one["key"].dump();
    return one["key_base64"].get<std::string>() + " (base64)";
  }

  void tell(std::size_t bytes) const {
    if (json_wanted()) {
      return print_json({{"collection", facts.place.collection},
                         {"file", output},
                         {"bytes", bytes},
                         {"queries", facts.queries},
                         {"points", facts.dots.size()},
                         {"recall", facts.usual.recall()}});
    }
    fmt::print("{}: {} written\n", output, human_bytes(bytes));
  }
};

}  // namespace

void add_report(CLI::App& app) {
  auto self = std::make_shared<Report>();
  self->facts.k = 10;
  CLI::App* command = add_command(
      app, "report", "A page to look at: counts, sizes, graph, recall, map, slowest queries",
      "  skerry report my.skerry docs -o docs.html\n"
      "  skerry report my.skerry docs -o docs.html --color topic --points 5000",
      Needs::collection, self->facts.place);
  command->add_option("-o,--output", self->output, "The page's file; - is standard output")
      ->required();
  command->add_option("--color", self->facts.field,
                      "A field that colours the map, of payloads that are JSON objects");
  command->add_option("-k", self->facts.k, "How many neighbours a search is for (default: 10)")
      ->check(CLI::Range(1, 1000000));
  command->add_option("--samples", self->samples, "Stored vectors to search for (default: 200)")
      ->check(CLI::Range(1, 1000000));
  command->add_option("--points", self->points, "Vectors on the map at most (default: 2000)")
      ->check(CLI::Range(1, 100000));
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

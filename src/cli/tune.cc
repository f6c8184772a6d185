// tune.cc - `skerry tune`: what does how much recall cost in this collection?
//
// Queries are searched exactly, and then at each recall target and each ef. They are those of a
// file, or the collection's own vectors, each of which is not its own answer. Own vectors are in
// the graph, so a walk finds its way to them a little more easily than to a stranger.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/entry.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/vectors.h"
#include "formats/reader.h"

namespace skerry::cli {
namespace {

constexpr std::array kTargets = {0.9F, 0.95F, 0.98F, 0.99F, 0.995F, 0.999F};
constexpr std::array<std::uint32_t, 6> kBreadths = {16, 32, 64, 128, 256, 512};

std::string_view key_of(const NamedHit& hit) noexcept {
  return hit.name.view();
}
Key key_of(const Hit& hit) noexcept {
  return hit.key;
}

struct Tune {
  Place place;
  formats::InputOptions input;
  std::string format;
  std::size_t k = 10;
  std::size_t samples = 200;

  CollectionOptions collection_options;
  formats::Batch queries;
  VectorConverter converter{IndexOptions{}};
  MatrixView rows;     // the queries as the collection wants them
  KeyList own{false};  // the key of each query, when it is a stored vector

  void run() {
    catch_interrupts();
    if (!format.empty()) input.format = formats::parse_format(format);
    input.stop_fd = stop_fd();
    Database database = open_to_read(place);
    const Collection collection = open_collection(database, place);
    collection_options = take(collection.options(), place.collection);
    converter = VectorConverter(collection_options.index);
    if (input.path.empty()) {
      take_own(collection);
    } else {
      read_queries();
    }
    if (queries.rows == 0) fail(kData, "there is nothing to search for");
    check(converter.convert(input.path, queries, rows));
    if (collection_options.byte_keys) {
      measure<NamedHit>(collection);
    } else {
      measure<Hit>(collection);
    }
    check(database.close(), place.database);
  }

  // Of all keys in order, some at equal steps.
  void take_own(const Collection& collection) {
    const KeyList keys = all_keys(collection, collection_options.byte_keys);
    own = KeyList(keys.names());
    queries.dimension = collection_options.index.dimension;
    Entry entry;
    const std::size_t count = std::min(samples, keys.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * keys.size() / count;
      if (!read_entry(collection, keys, at, queries.dimension, false, entry)) continue;
      if (keys.names()) {
        own.add_name(keys.name(at));
      } else {
        own.add_key(keys.keys()[at]);
      }
      const auto bytes = std::as_bytes(std::span(entry.vector));
      queries.vectors.insert(queries.vectors.end(), bytes.begin(), bytes.end());
      ++queries.rows;
    }
  }

  void read_queries() {
    std::unique_ptr<formats::VectorReader> reader;
    check(formats::open_reader(input, reader));
    check_dimension(reader->name(), reader->shape(), collection_options.index);
    check(reader->next(samples, queries));
  }

  // What a way of searching found of the truth, and its price.
  struct Price {
    std::uint64_t right = 0;
    std::uint64_t wanted = 0;
    std::uint64_t visited = 0;
    std::vector<double> seconds;  // of each query

    double recall() const {
      return wanted == 0 ? 1 : static_cast<double>(right) / static_cast<double>(wanted);
    }
    // Nearest rank.
    double microseconds(double part) const {
      std::vector<double> sorted = seconds;
      std::sort(sorted.begin(), sorted.end());
      const auto rank = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
      return sorted[std::min(rank, sorted.size() - 1)] * 1e6;
    }
  };

  // The k nearest of a query but itself.
  template <class AnyHit>
  SearchResult search(const Collection& collection, std::size_t query, const SearchOptions& options,
                      std::vector<AnyHit>& hits) const {
    hits.resize(k + (own.size() != 0 ? 1 : 0));
    const SearchResult result =
        take(collection.search(rows.row(query), hits, options), place.collection);
    hits.resize(result.count);
    if (own.size() == 0) return result;
    std::erase_if(hits, [&](const AnyHit& hit) {
      if constexpr (std::is_same_v<AnyHit, NamedHit>) {
        return key_of(hit) == own.name(query);
      } else {
        return key_of(hit) == own.keys()[query];
      }
    });
    hits.resize(std::min(hits.size(), k));
    return result;
  }

  template <class AnyHit>
  void measure(const Collection& collection) {
    Progress progress("tune", queries.rows * (1 + kTargets.size() + kBreadths.size()));
    std::uint64_t done = 0;
    const auto step = [&] {
      if (interrupted()) fail(kInterrupted, "interrupted");
      progress.update(++done);
    };
    std::vector<AnyHit> hits;
    std::vector<float> farthest(queries.rows);  // that a right hit may be
    std::vector<std::size_t> wanted(queries.rows);
    for (std::size_t q = 0; q < queries.rows; ++q) {
      search(collection, q, {.exact = true}, hits);
      wanted[q] = hits.size();
      if (!hits.empty()) farthest[q] = hits.back().distance;
      step();
    }
    const auto price_of = [&](const SearchOptions& options) {
      Price price;
      for (std::size_t q = 0; q < queries.rows; ++q) {
        const auto begin = std::chrono::steady_clock::now();
        const SearchResult result = search(collection, q, options, hits);
        price.seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        price.visited += result.visited;
        price.wanted += wanted[q];
        price.right += static_cast<std::uint64_t>(
            std::count_if(hits.begin(), hits.end(),
                          [&](const AnyHit& hit) { return hit.distance <= farthest[q]; }));
        step();
      }
      return price;
    };
    Table table({"asked for", "recall", "visited", "p50 us", "p99 us"});
    const auto tell = [&](const char* what, double value, const Price& price) {
      const std::uint64_t visited = price.visited / queries.rows;
      if (json_wanted()) {
        return print_json({{"collection", place.collection},
                           {"queries", queries.rows},
                           {"own_vectors", own.size() != 0},
                           {"k", k},
                           {what, value},
                           {"recall", price.recall()},
                           {"visited", visited},
                           {"p50_us", price.microseconds(0.5)},
                           {"p99_us", price.microseconds(0.99)}});
      }
      table.add({fmt::format("{} {:g}", what, value), fmt::format("{:.4f}", price.recall()),
                 with_commas(visited), fmt::format("{:.1f}", price.microseconds(0.5)),
                 fmt::format("{:.1f}", price.microseconds(0.99))});
    };
    for (const float target : kTargets) {
      tell("recall_target", shortest(target), price_of({.recall_target = target}));
    }
    for (const std::uint32_t ef : kBreadths) tell("ef", ef, price_of({.ef = ef}));
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

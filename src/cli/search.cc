// search.cc - `skerry search`: the nearest of one vector, of a stored one, or of a file of queries.
#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/search_arguments.h"
#include "cli/vectors.h"
#include "formats/reader.h"
#include "formats/truth.h"

namespace skerry::cli {
namespace {

using formats::Batch;
using formats::Outcome;

constexpr std::size_t kQueriesAtOnce = 256;  // between two looks at Ctrl-C

// One answer, whatever the kind of key.
struct Found {
  std::string key;
  float distance;
};

struct Search {
  Place place;
  formats::InputOptions input;
  std::string format;
  std::string vector_text;
  std::string like;
  std::string truth_file;
  SearchArguments arguments;
  std::uint64_t first_key = 0;

  CollectionOptions collection_options;
  SearchResult cost;  // of all queries: what they visited, and the rest of it
  double seconds = 0;

  void run() {
    catch_interrupts();
    const int ways = !input.path.empty() + !vector_text.empty() + !like.empty();
    if (ways != 1) fail(kUsage, "say what to search for: a file of queries, --vector or --like");
    if (!truth_file.empty() && input.path.empty()) {
      fail(kUsage, "--truth needs a file of queries");
    }
    if (!format.empty()) input.format = formats::parse_format(format);
    input.stop_fd = stop_fd();
    Database database = open_to_read(place);
    Collection collection = open_collection(database, place);
    collection_options = take(collection.options(), place.collection);
    const bool names = collection_options.byte_keys;
    arguments.read_filter(names);
    if (!truth_file.empty()) {
      measure(collection);
    } else if (!input.path.empty()) {
      search_file(collection);
    } else {
      search_one(collection, names);
    }
    check(database.close(), place.database);
  }

  // A query that was typed, or the vector of a stored key (which is then not its own answer).
  void search_one(const Collection& collection, bool names) {
    Batch query;
    query.dimension = collection_options.index.dimension;
    std::vector<float> vector(query.dimension);
    if (like.empty()) {
      parse_vector(vector_text, vector);
    } else {
      if (const std::string why = why_no_key(like, names); !why.empty()) fail(kUsage, why);
      check(names ? collection.get(like, vector) : collection.get(*parse_key(like), vector),
            "key " + like);
    }
    const auto bytes = std::as_bytes(std::span(vector));
    query.vectors.assign(bytes.begin(), bytes.end());
    query.rows = 1;
    auto found = search(collection, query, "--vector", arguments.k + !like.empty());
    std::vector<Found>& hits = found[0];
    if (!like.empty()) {
      std::erase_if(hits, [&](const Found& hit) { return hit.key == like; });
      if (hits.size() > arguments.k) hits.pop_back();
    }
    print(0, hits);
  }

  void search_file(const Collection& collection) {
    std::unique_ptr<formats::VectorReader> reader = open_queries();
    for (Batch batch; !interrupted();) {
      check(reader->next(kQueriesAtOnce, batch));
      if (batch.rows == 0) return;
      const auto found = search(collection, batch, reader->name(), arguments.k);
      for (std::size_t i = 0; i < found.size(); ++i) print(batch.first_row + i, found[i]);
    }
    fail(kInterrupted, "interrupted");
  }

  // Recall: how many of the true k nearest are among the k found? A hit also counts when it lies
  // as near as the true k-th: between equal distances there is no right one.
  void measure(const Collection& collection) {
    formats::Truth truth;
    check(formats::read_truth(truth_file, truth));
    if (truth.k < arguments.k) {
      fail(kData, fmt::format("{}: {} answers a query, expected at least {}", truth_file, truth.k,
                              arguments.k));
    }
    if (collection_options.byte_keys) fail(kUsage, "--truth needs a collection with number keys");
    const Metric metric = collection_options.index.metric;
    const bool comparable =
        !truth.distances.empty() && (metric == Metric::l2 || metric == Metric::cosine);
    std::unique_ptr<formats::VectorReader> reader = open_queries();
    Progress progress("search", reader->shape().rows);
    std::uint64_t right = 0;
    std::uint64_t wanted = 0;
    std::uint64_t queries = 0;
    for (Batch batch;;) {
      if (interrupted()) fail(kInterrupted, "interrupted");
      check(reader->next(kQueriesAtOnce, batch));
      if (batch.rows == 0) break;
      if (queries + batch.rows > truth.queries) {
        fail(kData, fmt::format("{}: answers to {} queries, {} has more", truth_file, truth.queries,
                                reader->name()));
      }
      const auto found = search(collection, batch, reader->name(), arguments.k);
      for (std::size_t i = 0; i < found.size(); ++i) {
        const auto rows = truth.rows_of(queries + i).first(arguments.k);
        const auto present = std::find(rows.begin(), rows.end(), -1) - rows.begin();
        wanted += present;
        const float farthest =
            comparable && present == static_cast<std::ptrdiff_t>(arguments.k)
                ? truth.distances[(queries + i) * truth.k + arguments.k - 1] * (1 + 1e-6F)
                : -std::numeric_limits<float>::infinity();
        for (const Found& hit : found[i]) {
          const std::int64_t row = static_cast<std::int64_t>(*parse_key(hit.key) - first_key);
          right +=
              hit.distance <= farthest || std::find(rows.begin(), rows.end(), row) != rows.end();
        }
      }
      queries += batch.rows;
      progress.update(queries);
    }
    const double recall =
        wanted == 0 ? 1.0
                    : static_cast<double>(std::min(right, wanted)) / static_cast<double>(wanted);
    const double qps = seconds > 0 ? static_cast<double>(queries) / seconds : 0;
    const auto each = [&](std::uint64_t all) { return queries == 0 ? 0 : all / queries; };
    if (json_wanted()) {
      return print_json({{"queries", queries},
                         {"k", arguments.k},
                         {"recall", recall},
                         {"qps", qps},
                         {"visited", each(cost.visited)},
                         {"hops", each(cost.hops)},
                         {"reranked", each(cost.reranked)},
                         {"bytes", each(cost.bytes)}});
    }
    print_pairs({{"queries", with_commas(queries)},
                 {fmt::format("recall@{}", arguments.k), fmt::format("{:.4f}", recall)},
                 {"queries/s", with_commas(static_cast<std::uint64_t>(qps))}});
  }

  std::unique_ptr<formats::VectorReader> open_queries() const {
    std::unique_ptr<formats::VectorReader> reader;
    check(formats::open_reader(input, reader));
    check_dimension(reader->name(), reader->shape(), collection_options.index);
    return reader;
  }

  // All queries of the batch at once; the time of the searches alone is added up.
  std::vector<std::vector<Found>> search(const Collection& collection, const Batch& batch,
                                         const std::string& file, std::size_t count) {
    VectorConverter converter(collection_options.index);
    MatrixView queries;
    check(converter.convert(file, batch, queries));
    std::vector<std::uint32_t> counts(batch.rows);
    std::vector<std::vector<Found>> found(batch.rows);
    const auto search_into = [&](auto& hits, auto text) {
      const auto begin = std::chrono::steady_clock::now();
      const auto result =
          take(collection.search_batch(queries, hits, counts, arguments.options), place.collection);
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      cost += result;
      for (std::size_t i = 0; i < batch.rows; ++i) {
        for (std::size_t j = 0; j < counts[i]; ++j) {
          const auto& hit = hits[i * count + j];
          found[i].push_back({text(hit), hit.distance});
        }
      }
    };
    if (collection_options.byte_keys) {
      std::vector<NamedHit> hits(batch.rows * count);
      search_into(hits, [](const NamedHit& hit) { return std::string(hit.name.view()); });
    } else {
      std::vector<Hit> hits(batch.rows * count);
      search_into(hits, [](const Hit& hit) { return std::to_string(hit.key); });
    }
    return found;
  }

  void print(std::uint64_t query, const std::vector<Found>& hits) const {
    if (json_wanted()) {
      Json answer{{"query", query}, {"hits", Json::array()}};
      for (const Found& found : hits) {
        Json hit;
        add_key(hit, collection_options.byte_keys, found.key);
        hit["distance"] = shortest(found.distance);
        answer["hits"].push_back(hit);
      }
      return print_json(answer);
    }
    Table table({"rank", "key", "distance"});
    for (std::size_t i = 0; i < hits.size(); ++i) {
      table.add({std::to_string(i + 1), hits[i].key, fmt::format("{:.6f}", hits[i].distance)});
    }
    if (!input.path.empty()) fmt::print("query {}\n", query);
    table.print();
  }
};

}  // namespace

void add_search(CLI::App& app) {
  auto self = std::make_shared<Search>();
  CLI::App* command = add_command(
      app, "search", "Find the nearest vectors",
      "  skerry search my.skerry docs --like 7 -k 5\n"
      "  skerry search my.skerry docs --vector '[0.1, 0.2, 0.3]' --json\n"
      "  skerry search my.skerry docs queries.fbin --truth truth.ibin --ef 100   # recall\n"
      "  skerry search my.skerry docs queries.fbin --filter-keys allowed.txt --threads 0",
      Needs::collection, self->place);
  command->add_option("queries", self->input.path, "A file of queries; - is standard input");
  add_format(*command, self->format);
  command->add_option("--key-column", self->input.key_column,
                      "csv: name or number of the key's column, or none (default: key, else 0)");
  command->add_option("--vector", self->vector_text, "One query, as a JSON array");
  command->add_option("--like", self->like, "The vector of this key; the key itself is left out");
  self->arguments.add_to(*command);
  command->add_option("--threads", self->arguments.options.threads,
                      "For a file of queries; 0: one a core (default: 1)");
  command->add_option("--truth", self->truth_file,
                      "Exact answers (.ibin or .ivecs): print the recall instead of the hits");
  command->add_option("--first-key", self->first_key, "--truth: the key of row 0");
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

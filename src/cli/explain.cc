// explain.cc - `skerry explain`: why did a search return a key, or why not?
//
// For the person who was told that something is missing: first what became of the key and what
// would help, then how the search went.
#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/search_arguments.h"
#include "cli/vectors.h"
#include "formats/reader.h"

namespace skerry::cli {
namespace {

struct Explain {
  static constexpr std::size_t kRowsAtOnce = 1024;

  Place place;
  formats::InputOptions input;
  std::string format;
  std::uint64_t row = 0;
  std::string vector_text;
  std::string key;
  SearchArguments arguments;
  std::size_t hops_shown = 20;

  CollectionOptions collection_options;
  Explanation why;
  float farthest_hit = 0;
  std::uint64_t rank_without_filter = 0;  // of a key that does not pass

  void run() {
    catch_interrupts();
    if (input.path.empty() == vector_text.empty()) {
      fail(kUsage, "say what is searched for: --query or --vector");
    }
    if (arguments.k == 0) fail(kUsage, "-k: expected at least 1");
    if (!format.empty()) input.format = formats::parse_format(format);
    input.stop_fd = stop_fd();
    Database database = open_to_read(place);
    const Collection collection = open_collection(database, place);
    collection_options = take(collection.options(), place.collection);
    const bool names = collection_options.byte_keys;
    if (const std::string problem = why_no_key(key, names); !problem.empty()) {
      fail(kUsage, problem);
    }
    arguments.read_filter(names);
    formats::Batch query;
    const std::size_t at = read_query(query);
    VectorConverter converter(collection_options.index);
    MatrixView rows;
    check(converter.convert(input.path, query, rows));
    if (names) {
      explain<NamedHit, NamedHop>(collection, std::string_view(key), rows.row(at));
    } else {
      explain<Hit, Hop>(collection, *parse_key(key), rows.row(at));
    }
    check(database.close(), place.database);
  }

  // Into a batch; returns which of its rows is the query.
  std::size_t read_query(formats::Batch& query) {
    if (!vector_text.empty()) {
      std::vector<float> vector(collection_options.index.dimension);
      parse_vector(vector_text, vector);
      const auto bytes = std::as_bytes(std::span(vector));
      query.dimension = collection_options.index.dimension;
      query.vectors.assign(bytes.begin(), bytes.end());
      query.rows = 1;
      return 0;
    }
    std::unique_ptr<formats::VectorReader> reader;
    check(formats::open_reader(input, reader));
    check_dimension(reader->name(), reader->shape(), collection_options.index);
    for (std::uint64_t rows = 0;; rows = query.first_row + query.rows) {
      if (interrupted()) fail(kInterrupted, "interrupted");
      check(reader->next(kRowsAtOnce, query));
      if (query.rows == 0) {
        fail(kData, fmt::format("{}: row {}: there are {} rows, counted from 0", reader->name(),
                                row, rows));
      }
      if (row < query.first_row + query.rows) return row - query.first_row;
    }
  }

  template <class AnyHit, class AnyHop, class AnyKey>
  void explain(const Collection& collection, AnyKey wanted, VectorView query) {
    std::vector<AnyHit> hits(arguments.k);
    std::vector<AnyHop> hops(hops_shown);
    const auto go_on = [](std::uint64_t, std::uint64_t) { return !interrupted(); };
    SearchOptions options = arguments.options;
    options.control = Control::watched_by(go_on);
    auto result = collection.explain(query, wanted, hits, hops, options);
    if (interrupted()) fail(kInterrupted, "interrupted");
    why = take(std::move(result), place.collection);
    hops.resize(std::min<std::uint64_t>(hops.size(), why.result.hops));
    if (why.result.count > 0) farthest_hit = hits[why.result.count - 1].distance;
    if (why.fate == Fate::filtered) {
      // Its rank is one among those that pass, and it is none of them: where would it be otherwise?
      options.filter = {};
      options.exact = true;
      std::vector<AnyHit> nearest(1);
      const auto all = collection.explain(query, wanted, nearest, {}, options);
      if (interrupted()) fail(kInterrupted, "interrupted");
      check(all.status(), place.collection);
      rank_without_filter = all->rank;
    }
    if (json_wanted()) {
      print_as_json(hops);
    } else {
      print_for_people(hops);
    }
  }

  static std::string text_of(const Hop& hop) { return std::to_string(hop.key); }
  static std::string text_of(const NamedHop& hop) { return std::string(hop.name.view()); }
  static std::string cost_text(double ns) {
    return ns < 10'000 ? fmt::format("{:.2f} us", ns / 1000)
                       : with_commas(static_cast<std::uint64_t>(ns / 1000)) + " us";
  }
  static std::string short_text(double number) { return fmt::format("{:.6g}", number); }

  // What became of the key, and what would help.
  std::string story() const {
    const std::uint64_t count = why.result.count;
    switch (why.fate) {
      case Fate::absent:
        return "The collection has no such key: it was never stored, or it was removed.";
      case Fate::filtered:
        return fmt::format(
            "It is stored, but the filter does not let it pass. Without the filter it would be\n"
            "number {} by distance.",
            with_commas(rank_without_filter));
      case Fate::returned:
        return fmt::format("It is number {} of {} that were returned.", why.place, count);
      case Fate::beyond_max_distance:
        return fmt::format("It is {} away, beyond the --max-distance of {}.",
                           short_text(why.distance), short_text(arguments.options.max_distance));
      case Fate::beyond_k:
        return fmt::format("{} others are nearer, and only {} were asked for: -k {} reaches it.",
                           with_commas(why.rank - 1), arguments.k, why.rank);
      case Fate::lost_in_rerank:
        return fmt::format(
            "The walk met it, but its code puts it {} away where it is {}: it stood behind\n"
            "those that were ranked again on their vectors. A larger -k ranks more of them again;\n"
            "finer codes (--codes sq8, or exact) tell better who is near.",
            short_text(why.code_distance), short_text(why.distance));
      case Fate::dropped_from_pool:
        return fmt::format(
            "The walk met it and dropped it: by its code it is {} away, and the pool, which\n"
            "keeps {}, reached no farther than {} in the end.\n"
            "A larger --ef or --recall-target keeps more.",
            short_text(why.code_distance),
            why.stretch > 0 ? "those within its stretch"
                            : fmt::format("the {} nearest that were met", why.ef),
            short_text(why.bar_at_end));
      case Fate::budget:
        return "The search ended before it came by: its --budget was spent.";
      case Fate::deadline:
        return "The search ended before it came by: its time was over.";
      case Fate::never_met:
        return fmt::format(
            "The walk never met it: {} nodes link to it, {} of them were met, and none was near\n"
            "enough to be asked. A larger --ef or --recall-target asks more.",
            why.in_links, why.in_links_met);
    }
    return "";
  }

  std::string way_text() const {
    switch (why.way) {
      case SearchWay::scan:
        return "a scan of every vector that passes";
      case SearchWay::look_up:
        return "every key of the list, one by one";
      case SearchWay::walk:
        return "a walk of the graph";
      case SearchWay::gated_walk:
        return "a walk of the graph that admits what passes";
      case SearchWay::probe:
        return "a walk of the graph, to see whether what passes is near";
    }
    return "";
  }

  std::string fallback_text() const {
    switch (why.fallback) {
      case Fallback::none:
        break;
      case Fallback::gave_up:
        return "a scan: too few of those that it met passed";
      case Fallback::too_few:
        return "a scan: it ended with fewer hits than there may be";
      case Fallback::too_late:
        return "a scan: much was removed while it went on";
    }
    return "";
  }

  bool has_walked() const { return why.way != SearchWay::scan && why.way != SearchWay::look_up; }

  template <class AnyHop>
  void print_for_people(const std::vector<AnyHop>& hops) const {
    const SearchResult& cost = why.result;
    fmt::print("key {}: {}\n\n{}\n\n", key, name_of(why.fate), story());
    std::vector<std::pair<std::string, std::string>> pairs;
    const auto tell = [&](const char* what, std::string value) {
      pairs.emplace_back(what, std::move(value));
    };
    if (why.rank != 0) {
      tell("true rank",
           fmt::format("{} of {} that pass", with_commas(why.rank), with_commas(why.passing)));
    }
    if (why.is_live) {
      tell("distance", cost.count == 0
                           ? short_text(why.distance)
                           : fmt::format("{}, the hits reach to {}", short_text(why.distance),
                                         short_text(farthest_hit)));
    }
    tell("way", way_text());
    if (why.fallback != Fallback::none) tell("after it", fallback_text());
    if (why.walk_cost_ns > 0) {
      tell("expected", fmt::format("{} for a walk, {} for {}", cost_text(why.walk_cost_ns),
                                   cost_text(why.scan_cost_ns),
                                   why.way == SearchWay::look_up ? "the list" : "a scan"));
    }
    if (arguments.options.filter.kind() != Filter::Kind::none) {
      tell("filter", fmt::format("{} pass; about {:.2g} % were thought to when the way was chosen",
                                 with_commas(why.passing), why.share * 100));
    }
    if (has_walked()) {
      tell("breadth", why.stretch > 0
                          ? fmt::format("stretch {:.3f}, ef {} on average", why.stretch, why.ef)
                          : fmt::format("ef {}", why.ef));
    }
    tell("cost",
         fmt::format("{} vectors scored, {} nodes asked, {} ranked again, {} read{}",
                     with_commas(cost.visited), with_commas(cost.hops), with_commas(cost.reranked),
                     human_bytes(cost.bytes), cost.exhausted ? "; ended early" : ""));
    if (why.was_met) {
      tell("met", fmt::format("{}, {} away by its code; the pool reached to {} then, {} in the end",
                              why.met_at_hop == 0 ? "beside the walk"
                                                  : fmt::format("at hop {}", why.met_at_hop),
                              short_text(why.code_distance), short_text(why.bar_when_met),
                              short_text(why.bar_at_end)));
    }
    if (why.is_live && has_walked()) {
      tell("in-links", fmt::format("{}, of which {} were met and {} asked", why.in_links,
                                   why.in_links_met, why.in_links_asked));
    }
    print_pairs(pairs);
    if (hops.empty()) return;
    fmt::print("\n");
    Table table({"hop", "level", "key", "distance", ""});
    for (std::size_t i = 0; i < hops.size(); ++i) {
      table.add({std::to_string(i + 1), std::to_string(hops[i].level), text_of(hops[i]),
                 fmt::format("{:.6f}", hops[i].distance), hops[i].is_live ? "" : "(removed)"});
    }
    table.print();
    if (hops.size() < cost.hops) {
      fmt::print("... and {} more: --hops {} shows all\n", with_commas(cost.hops - hops.size()),
                 cost.hops);
    }
  }

  template <class AnyHop>
  void print_as_json(const std::vector<AnyHop>& hops) const {
    Json answer;
    add_key(answer, collection_options.byte_keys, key);
    answer["fate"] = name_of(why.fate);
    answer["is_live"] = why.is_live;
    answer["passes"] = why.passes;
    answer["distance"] = shortest(why.distance);
    answer["rank"] = why.rank;
    answer["passing"] = why.passing;
    if (why.fate == Fate::filtered) answer["rank_without_filter"] = rank_without_filter;
    answer["place"] = why.place;
    answer["way"] = name_of(why.way);
    answer["fallback"] = name_of(why.fallback);
    answer["share"] = why.share;
    answer["walk_cost_ns"] = why.walk_cost_ns;
    answer["scan_cost_ns"] = why.scan_cost_ns;
    answer["ef"] = why.ef;
    answer["stretch"] = shortest(why.stretch);
    answer["was_met"] = why.was_met;
    answer["met_at_hop"] = why.met_at_hop;
    answer["code_distance"] = shortest(why.code_distance);
    answer["bar_when_met"] = shortest(why.bar_when_met);
    answer["bar_at_end"] = shortest(why.bar_at_end);
    answer["was_reranked"] = why.was_reranked;
    answer["in_links"] = why.in_links;
    answer["in_links_met"] = why.in_links_met;
    answer["in_links_asked"] = why.in_links_asked;
    answer["count"] = why.result.count;
    answer["exact"] = why.result.exact;
    answer["exhausted"] = why.result.exhausted;
    answer["visited"] = why.result.visited;
    answer["hops"] = why.result.hops;
    answer["reranked"] = why.result.reranked;
    answer["bytes"] = why.result.bytes;
    Json& path = answer["path"] = Json::array();
    for (const AnyHop& hop : hops) {
      Json one{{"level", hop.level}};
      add_key(one, collection_options.byte_keys, text_of(hop));
      one["distance"] = shortest(hop.distance);
      one["is_live"] = hop.is_live;
      path.push_back(one);
    }
    print_json(answer);
  }
};

}  // namespace

void add_explain(CLI::App& app) {
  auto self = std::make_shared<Explain>();
  CLI::App* command = add_command(
      app, "explain", "Why did a search return a key, or why not? Changes nothing",
      "  skerry explain my.skerry docs --key 4711 --query queries.fbin --row 3 --ef 50\n"
      "  skerry explain my.skerry docs --key 4711 --vector '[0.1, 0.2, 0.3]' --hops 100 --json",
      Needs::collection, self->place);
  command->add_option("--key", self->key, "The key in question")->required();
  command->add_option("--query", self->input.path,
                      "A file with the query in it; - is standard input");
  command->add_option("--row", self->row, "Which row of it, counted from 0 (default: 0)");
  add_format(*command, self->format);
  command->add_option("--key-column", self->input.key_column,
                      "csv: name or number of the key's column, or none (default: key, else 0)");
  command->add_option("--vector", self->vector_text, "The query, as a JSON array");
  self->arguments.add_to(*command);
  command->add_option("--hops", self->hops_shown, "Of the walk, so many nodes (default: 20)")
      ->check(CLI::Range(0, 10000000));
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli

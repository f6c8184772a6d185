// bench.cc - the command line of `skerry bench`.
#include "bench.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <exception>
#include <thread>

#include "durable_store.h"
#include "measure.h"
#include "report.h"
#include "stop.h"

namespace skerry::bench {
namespace {

// Where the lines go, and how options that are words become settings.
struct Words {
  std::string metric = "l2";
  std::vector<std::string> threads = {"1"};
  std::string build_threads = "1";
  std::vector<std::string> durability = {"commit"};
  std::vector<std::string> collections;
  std::string json = "-";
  std::string html;
};

unsigned all_threads() {
  return std::max(1u, std::thread::hardware_concurrency());
}

unsigned parse_threads(const std::string& option, const std::string& text) {
  if (text == "all") return all_threads();
  unsigned threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc() || end != text.data() + text.size() || threads == 0 || threads > 1024) {
    throw CLI::ValidationError(option, "expected 1 to 1024, or all; given " + text);
  }
  return threads;
}

Metric parse_metric(const std::string& text) {
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    if (name_of(metric) == text) return metric;
  }
  throw CLI::ValidationError("--metric", "expected l2, ip or cosine; given " + text);
}

Durability parse_durability(const std::string& option, const std::string& text) {
  for (const Durability durability : {Durability::commit, Durability::interval, Durability::none}) {
    if (name_of(durability) == text) return durability;
  }
  throw CLI::ValidationError(option, "expected commit, interval or none; given " + text);
}

void add_output(CLI::App& app, Words& words) {
  app.add_option("--json", words.json, "File for the JSON lines; - is standard output")
      ->capture_default_str();
  app.add_option("--html", words.html, "Writes a page with plots as well (no scripts, one file)");
}

void add_metric(CLI::App& app, Words& words) {
  app.add_option("--metric", words.metric, "l2, ip or cosine")->capture_default_str();
}

void add_data(CLI::App& app, Settings& settings, Words& words) {
  auto* data = app.add_option("--data", settings.data.data,
                              "Vectors to search, by extension: fbin u8bin f16bin fvecs npy ...");
  app.add_option("--generate", settings.data.generate,
                 "Searches a generated set instead: lid24-384 (clustered, cosine)")
      ->excludes(data);
  app.add_option("--queries", settings.data.queries,
                 "Queries; without it NAME.query.fbin beside NAME.base.*");
  app.add_option("--truth", settings.data.truth,
                 "Exact neighbours (.ibin); without it NAME.gt.ibin, or found by brute force");
  add_metric(app, words);
  app.add_option("-n,--n", settings.data.limit, "Takes only the first N rows of the base");
  app.add_option("--query-limit", settings.data.query_limit, "Takes only the first N queries");
}

void add_index(CLI::App& app, Settings& settings, bool foreign) {
  app.add_option("--M", settings.graph.M, "Links a node; twice as many at the base")
      ->capture_default_str();
  app.add_option("--ef-construction", settings.graph.ef_construction, "Breadth of an insert")
      ->capture_default_str();
  app.add_option("--skerry-ef-construction", settings.choice.ef_constructions,
                 "Skerry's, where it is to be another; 0: the same")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--scalar", settings.choice.scalars,
                 "How Skerry keeps vectors: f32,f16,bf16,i8,u8")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--codes", settings.choice.codes, "What Skerry walks over: exact,sq8,rot4,auto")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--vectors", settings.choice.vectors,
                 "Where Skerry has exact vectors beside codes: memory,disk")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--flat-below", settings.choice.flat_below,
                 "Skerry scans up to so many vectors; 0: always a graph")
      ->capture_default_str();
  if (foreign) {
    app.add_option("--peers", settings.choice.peers,
                   fmt::format("Beside Skerry: {}; one mode of one: usearch:bf16, faiss:sq8",
                               fmt::join(kPeerNames, ",")))
        ->delimiter(',');
  }
}

void add_sweep(CLI::App& app, Settings& settings, const std::string& ef) {
  app.add_option("--ef", settings.ef, "Breadths of a search, ascending")
      ->delimiter(',')
      ->default_str(ef);
  app.add_option("-k,--k", settings.k, "Neighbours asked for")
      ->check(CLI::Range(1u, static_cast<unsigned>(kMostHits)))
      ->capture_default_str();
}

void add_recall_targets(CLI::App& app, Settings& settings) {
  app.add_option("--recall-targets", settings.recall_targets,
                 "Ask Skerry for these recalls too, ascending: 0.9,0.95,0.99")
      ->check(CLI::Range(0.0, 0.9999))
      ->delimiter(',');
}

void add_build_threads(CLI::App& app, Words& words) {
  app.add_option("--build-threads", words.build_threads, "Threads that build; 1 keeps the order")
      ->capture_default_str();
}

void add_runs(CLI::App& app, Settings& settings, const std::string& seconds) {
  app.add_option("--runs", settings.runs, "Runs, taking turns; medians are reported")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "Length of one measured stretch")
      ->check(CLI::PositiveNumber)
      ->default_str(seconds);
}

void add_dimensions(CLI::App& app, Settings& settings, const std::string& what,
                    const std::string& usual) {
  app.add_option("--dimensions", settings.dimensions, what)
      ->delimiter(',')
      ->check(CLI::Range(1u, static_cast<unsigned>(kMaxDimension)))
      ->default_str(usual);
}

void add_folder(CLI::App& app, Settings& settings) {
  app.add_option("--folder", settings.folder,
                 "Where databases are made and removed again; else where temporary files go");
}

void add_collections(CLI::App& app, Words& words, const std::string& usual) {
  app.add_option("--collection", words.collections,
                 "Skerry's Collection beside its Index, by durability: commit,interval,none")
      ->delimiter(',')
      ->default_str(usual);
}

// What a word's own defaults are, where they differ.
void set_defaults(const CLI::App& bench, Settings& settings) {
  const auto is_left_out = [&](const char* word, const char* option) {
    const CLI::App* app = bench.get_subcommand(word);
    return app->parsed() && app->get_option(option)->empty();
  };
  if (is_left_out("update", "--ef") || is_left_out("churn", "--ef")) settings.ef = {40, 80};
  if (is_left_out("filter", "--ef")) {
    settings.ef.insert(settings.ef.end(), {800, 1600});
  }
  if (is_left_out("mixed", "--ef") || is_left_out("crossover", "--ef")) settings.ef = {80};
  if (is_left_out("mixed", "--collection")) {
    settings.collections = {Durability::commit, Durability::none};
  }
  if (is_left_out("crossover", "--sizes")) settings.sizes = {1000, 3000, 10'000, 30'000};
  if (is_left_out("crossover", "--batches")) settings.batches = {1, 100, 10'000};
  if (is_left_out("crossover", "--threads")) settings.threads = {all_threads()};
  if (is_left_out("crossover", "--query-limit")) settings.data.query_limit = 200;
  if (is_left_out("churn", "--seconds")) settings.seconds = 0.1;
  if (is_left_out("durable", "--seconds")) settings.seconds = 3;
  if (is_left_out("disk", "--batches")) settings.batches = {256};
  if (is_left_out("probe", "--dimensions")) settings.dimensions = {100, 128, 384, 784};
  if (is_left_out("probe", "--seconds")) settings.seconds = 0.03;
}

// One word after `bench`.
struct Command {
  CLI::App* app;
  void (*measure)(const Settings&, Lines&);
};

std::vector<Command> add_commands(CLI::App& bench, Settings& settings, Words& words) {
  std::vector<Command> commands;
  const auto add_bare = [&](const char* name, const char* text, auto* measure) -> CLI::App& {
    commands.push_back({bench.add_subcommand(name, text), measure});
    add_output(*commands.back().app, words);
    return *commands.back().app;
  };
  const auto add = [&](const char* name, const char* text, auto* measure) -> CLI::App& {
    CLI::App& app = add_bare(name, text, measure);
    add_data(app, settings, words);
    return app;
  };

  CLI::App& search = add("search", "Recall against speed over a sweep of ef", &measure_search);
  add_index(search, settings, true);
  add_sweep(search, settings, "[10,16,24,32,40,56,80,120,180,280,400]");
  add_recall_targets(search, settings);
  search.add_option("--threads", words.threads, "Threads that search: 1,all")
      ->delimiter(',')
      ->capture_default_str();
  add_build_threads(search, words);
  add_runs(search, settings, "0.3");
  add_folder(search, settings);

  CLI::App& filter = add("filter", "Recall against speed with filters", &measure_filter);
  add_index(filter, settings, true);
  add_sweep(filter, settings, "[10,16,24,32,40,56,80,120,180,280,400,800,1600]");
  filter.add_option("--shares", settings.shares, "Parts of the rows that pass, each in turn")
      ->check(CLI::Range(0.0, 1.0))
      ->delimiter(',')
      ->capture_default_str();
  add_build_threads(filter, words);
  add_runs(filter, settings, "0.3");

  CLI::App& build =
      add("build", "Inserting one by one, in batches, and rebuilding", &measure_build);
  add_index(build, settings, true);
  build.add_option("--sizes", settings.sizes, "Numbers of vectors, ascending")
      ->delimiter(',')
      ->capture_default_str();
  build.add_option("--batch", settings.batch, "Vectors inserted at each size")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  build.add_option("--threads", words.threads, "Threads that build: 1,all")
      ->delimiter(',')
      ->capture_default_str();

  CLI::App& crossover =
      add("crossover", "Inserting one by one, as a batch, or building anew", &measure_crossover);
  add_index(crossover, settings, true);
  crossover.add_option("--sizes", settings.sizes, "Vectors that are there before")
      ->delimiter(',')
      ->default_str("[1000,3000,10000,30000]");
  crossover.add_option("--batches", settings.batches, "Vectors that come")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->default_str("[1,100,10000]");
  add_sweep(crossover, settings, "[80]");
  crossover.add_option("--threads", words.threads, "Threads of a batch and of a rebuild: 2,all")
      ->default_str("[all]");

  CLI::App& update = add("update", "Updates, removals and re-insertions, and the recall after them",
                         &measure_update);
  add_index(update, settings, true);
  add_sweep(update, settings, "[40,80]");
  update.add_option("--rounds", settings.rounds, "Rounds of changes")->capture_default_str();
  update.add_option("--fraction", settings.fraction, "Part of the keys that a round changes")
      ->check(CLI::Range(0.0, 0.5))
      ->capture_default_str();
  add_build_threads(update, words);

  CLI::App& churn = add(
      "churn", "A runbook of changes: recall, speed and size beside a fresh build", &measure_churn);
  churn.add_option("--runbook", settings.runbook, "What happens: one of bench/runbooks/*.yaml")
      ->required();
  add_index(churn, settings, true);
  add_sweep(churn, settings, "[40,80]");
  add_collections(churn, words, "");
  add_runs(churn, settings, "0.1");
  add_folder(churn, settings);

  CLI::App& mixed = add("mixed", "What a reader feels of a writer beside it", &measure_mixed);
  add_index(mixed, settings, true);
  add_sweep(mixed, settings, "[80]");
  add_collections(mixed, words, "[commit,none]");
  add_build_threads(mixed, words);
  add_runs(mixed, settings, "0.3");
  add_folder(mixed, settings);

  CLI::App& durable =
      add("durable", "Durable upserts a second by size of the commit", &measure_durable);
  add_index(durable, settings, false);
  durable.add_option("--batches", settings.batches, "Upserts a commit")
      ->delimiter(',')
      ->capture_default_str();
  durable.add_option("--writers", settings.writers, "Threads that commit at once")
      ->delimiter(',')
      ->capture_default_str();
  durable.add_option("--durability", words.durability, "commit,interval,none")
      ->delimiter(',')
      ->capture_default_str();
  durable.add_option("--prefill", settings.prefill, "Vectors that are there before the clock runs")
      ->capture_default_str();
  durable.add_flag("--updates", settings.updates, "Changes present keys, in random order");
  add_build_threads(durable, words);
  add_runs(durable, settings, "3");
  add_folder(durable, settings);

  CLI::App& open = add("open", "Time to open and to answer the first query", &measure_open);
  add_index(open, settings, true);
  open.add_option("--runs", settings.runs, "Openings of each kind; the median is reported")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_build_threads(open, words);
  add_folder(open, settings);

  CLI::App& memory = add("memory", "Memory and disk a vector", &measure_memory);
  add_index(memory, settings, true);
  add_build_threads(memory, words);
  add_folder(memory, settings);

  CLI::App& disk =
      add_bare("disk", "Disk a vector: loaded, in the middle of life, turned over", &measure_disk);
  add_dimensions(disk, settings, "Of the vectors, which are floats",
                 "[100,128,384,512,768,1024,1536,4096]");
  disk.add_option("--rows", settings.rows, "Vectors, as far as they are 128 MB")
      ->check(CLI::Range(100, 100'000'000))
      ->capture_default_str();
  disk.add_option("--batches", settings.batches, "Changes a commit")
      ->delimiter(',')
      ->default_str("[256]");
  disk.add_option("--turnovers", settings.turnovers, "Times that every vector is replaced")
      ->capture_default_str();
  add_folder(disk, settings);

  CLI::App& tenants = add_bare(
      "tenants", "Many small collections in one database, beside a large one", &measure_tenants);
  tenants.add_option("-n,--n", settings.tenants, "Small collections")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  tenants.add_option("--each", settings.each, "Vectors in each of them")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  tenants
      .add_option("--beside", settings.beside, "Vectors of the large collection; 0: there is none")
      ->capture_default_str();
  tenants.add_option("-k,--k", settings.k, "Neighbours asked for")
      ->check(CLI::Range(1u, static_cast<unsigned>(kMostHits)))
      ->capture_default_str();
  add_folder(tenants, settings);

  CLI::App& probe = add_bare(
      "probe", "What the machine can do: records a second, ns a row of each code", &measure_probe);
  probe.add_option("--arena-mb", settings.arena_mb, "Memory that records are drawn from")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_dimensions(probe, settings, "Of the vectors whose rows are scored", "[100,128,384,784]");
  add_metric(probe, words);
  probe.add_option("--seed", settings.seed, "Of what is drawn")->capture_default_str();
  add_runs(probe, settings, "0.03");

  return commands;
}

void check_data(const Settings& settings) {
  if (settings.data.data.empty() == settings.data.generate.empty()) {
    throw CLI::ValidationError("--data", "either --data or --generate is needed");
  }
}

}  // namespace

int run_bench(int argc, char** argv) {
  CLI::App app(
      "Measures Skerry, alone or beside other libraries. Prints a line of JSON a measurement.",
      argv[0]);
  Settings settings;
  Words words;
  app.require_subcommand(1);
  const std::vector<Command> commands = add_commands(app, settings, words);
  std::string lines_path;
  CLI::App* report = app.add_subcommand("report", "Makes the page with plots from JSON lines");
  report->add_option("lines", lines_path, "File of JSON lines that another word wrote")->required();
  report->add_option("--html", words.html, "The page")->required();

  try {
    app.parse(argc, argv);
    std::sort(settings.ef.begin(), settings.ef.end());
    std::sort(settings.recall_targets.begin(), settings.recall_targets.end());
    settings.data.metric = parse_metric(words.metric);
    settings.data.threads = all_threads();
    settings.build_threads = parse_threads("--build-threads", words.build_threads);
    settings.threads.clear();
    for (const std::string& text : words.threads) {
      settings.threads.push_back(parse_threads("--threads", text));
    }
    settings.durability.clear();
    for (const std::string& text : words.durability) {
      settings.durability.push_back(parse_durability("--durability", text));
    }
    for (const std::string& text : words.collections) {
      settings.collections.push_back(parse_durability("--collection", text));
    }
    set_defaults(app, settings);
    settings.graph.threads =
        std::max(settings.build_threads,
                 *std::max_element(settings.threads.begin(), settings.threads.end()));
    if (!report->parsed() && !app.got_subcommand("disk") && !app.got_subcommand("tenants") &&
        !app.got_subcommand("probe")) {
      check_data(settings);
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  const StopSignals signals;
  int code = 0;
  try {
    if (report->parsed()) {
      write_report(read_lines(lines_path), words.html);
      return 0;
    }
    Lines lines(words.json);
    try {
      for (const Command& command : commands) {
        if (command.app->parsed()) command.measure(settings, lines);
      }
    } catch (const Stopped&) {
      code = 130;
    }
    if (!words.html.empty()) write_report(lines.all(), words.html);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
  return code;
}

}  // namespace skerry::bench

// The whole benchmark through its front door, on data so small that its figures mean nothing: what
// is tested is that the lines are there, complete and true where truth is known.
#include "bench.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "lines.h"
#include "page/test_page.h"
#include "report.h"

namespace skerry::bench {
namespace {

namespace fs = std::filesystem;

class BenchTest : public testing::Test {
 protected:
  BenchTest() {
    std::string name = (fs::temp_directory_path() / "skerry-bench-test-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~BenchTest() override { fs::remove_all(folder_); }

  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "skerry bench");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return run_bench(static_cast<int>(argv.size()), argv.data());
  }

  // Runs with the lines in a file and returns them.
  std::vector<Line> lines_of(std::vector<std::string> words) {
    const std::string path = (folder_ / "lines.jsonl").string();
    words.insert(words.end(), {"--json", path});
    EXPECT_EQ(run(words), 0);
    return read_lines(path);
  }

  std::vector<Line> only(const std::vector<Line>& lines, const std::string& bench) {
    std::vector<Line> found;
    for (const Line& line : lines) {
      if (line["bench"] == bench && !line.contains("missing")) found.push_back(line);
    }
    return found;
  }

  static void expect_fields(const Line& line, std::initializer_list<const char*> more) {
    for (const char* field : {"bench", "impl", "scalar", "codes", "data", "d", "metric", "M",
                              "ef_construction", "commit", "target"}) {
      EXPECT_TRUE(line.contains(field)) << field << " of " << line.dump();
    }
    for (const char* field : more) EXPECT_TRUE(line.contains(field)) << field << line.dump();
  }

  fs::path folder_;
  const std::string glove_ = std::string(SKERRY_DATA) + "/glove6b-100-cos.base.fbin";
  const std::string clothes_ = std::string(SKERRY_DATA) + "/fashion-mnist-5k-784-l2.base.u8bin";
};

TEST_F(BenchTest, SearchWritesALineAPointAndASummaryWithTheRatio) {
  const auto lines =
      lines_of({"search",  "--data",        glove_,   "--metric",     "cosine",    "--n",
                "1500",    "--query-limit", "40",     "--codes",      "exact,sq8", "--peers",
                "hnswlib", "--ef",          "200,10", "--runs",       "2",         "--seconds",
                "0.01",    "--threads",     "1,2",    "--flat-below", "0"});
  const auto points = only(lines, "search");
  const bool has_rival = std::any_of(points.begin(), points.end(),
                                     [](const Line& line) { return line["impl"] == "hnswlib"; });
  EXPECT_EQ(points.size(), (has_rival ? 3u : 2u) * 2 * 2);
  for (const Line& line : points) {
    expect_fields(line, {"n", "threads", "ef", "recall_at_10", "qps", "qps_cpu", "p50_us", "p99_us",
                         "bytes_per_vector", "build_s", "runs"});
    EXPECT_EQ(line["n"], 1500);
    EXPECT_EQ(line["data"], "glove6b-100-cos");
    EXPECT_GT(line["qps"].get<double>(), 0);
    if (line["ef"] == 200) {
      EXPECT_GE(line["recall_at_10"].get<double>(), 0.98) << line.dump();
    }
  }
  const auto summaries = only(lines, "search_summary");
  EXPECT_EQ(summaries.size(), (has_rival ? 3u : 2u) * 3 * 2);
  for (const Line& line : summaries) expect_fields(line, {"recall", "reached"});
}

TEST_F(BenchTest, SearchTakesTheTruthOfTheFileWhenTheBaseIsWhole) {
  const auto lines = lines_of({"search", "--data", clothes_, "--query-limit", "20", "--scalar",
                               "u8", "--ef", "100", "--runs", "1", "--seconds", "0.01"});
  const auto points = only(lines, "search");
  ASSERT_EQ(points.size(), 1u);
  EXPECT_GE(points[0]["recall_at_10"].get<double>(), 0.99);
  EXPECT_LT(points[0]["bytes_per_vector"].get<double>(), 784 * 4);
}

TEST_F(BenchTest, SearchByRecallTargetIsASeriesOfItsOwn) {
  const std::string page = (folder_ / "page.html").string();
  const auto lines =
      lines_of({"search",   "--data",        glove_, "--metric",  "cosine", "--n",
                "3000",     "--query-limit", "100",  "--ef",      "10,150", "--recall-targets",
                "0.99,0.9", "--runs",        "1",    "--seconds", "0.01",   "--flat-below",
                "0",        "--html",        page});
  std::map<double, double> recall_of;
  for (const Line& line : only(lines, "search")) {
    if (line["by"] == "ef") continue;
    EXPECT_EQ(line["by"], "recall_target");
    EXPECT_FALSE(line.contains("ef"));
    recall_of[line["recall_target"].get<double>()] = line["recall_at_10"].get<double>();
  }
  ASSERT_EQ(recall_of.size(), 2u);
  EXPECT_GE(recall_of[0.9], 0.88);
  EXPECT_GE(recall_of[0.99], 0.975);
  EXPECT_EQ(only(lines, "search_summary").size(), 2u * 3);
  std::ifstream html(page);
  EXPECT_NE(std::string(std::istreambuf_iterator<char>(html), {}).find("by recall"),
            std::string::npos);
}

TEST_F(BenchTest, ASearchOfSkerryIsToldBesideWhatTheMachineAllows) {
  const auto lines = lines_of(
      {"search",  "--data",        glove_,       "--metric",         "cosine",    "--n",
       "1500",    "--query-limit", "40",         "--codes",          "exact,sq8", "--peers",
       "hnswlib", "--ef",          "20,60,1500", "--recall-targets", "0.9",       "--runs",
       "1",       "--seconds",     "0.01"});
  constexpr double kList = 128, kVector = 448, kCode = 128;  // bytes at M 16 and 100 components
  std::map<std::string, double> evaluations;                 // at the last ef, by codes
  std::size_t told = 0;
  for (const Line& line : only(lines, "search")) {
    const bool is_skerry = line["impl"] == "skerry";
    EXPECT_EQ(line.contains("evaluations"), is_skerry) << line.dump();
    if (!is_skerry) {
      EXPECT_FALSE(line.contains("bound_us"));
      continue;
    }
    expect_fields(line, {"hops", "evaluations", "reranks", "bytes_touched"});
    const bool is_scan = line["ef"] == 1500;  // as many as there are
    EXPECT_EQ(line.contains("bound_us"), !is_scan) << line.dump();
    if (is_scan) {
      EXPECT_EQ(line["evaluations"], 1500);
      EXPECT_EQ(line["hops"], 0);
      continue;
    }
    ++told;
    expect_fields(line, {"compute_us", "memory_us", "bound_us", "bound_by", "share_of_bound"});
    const double scored = line["evaluations"], again = line["reranks"];
    const bool is_exact = line["codes"] == "exact";
    EXPECT_EQ(again == 0, is_exact) << line.dump();
    const double most = line["hops"].get<double>() * kList + again * kVector +
                        scored * (is_exact ? kVector : kCode);
    EXPECT_LE(line["bytes_touched"].get<double>(), most * 1.001) << line.dump();
    EXPECT_GE(line["bytes_touched"].get<double>(), most * 0.95) << line.dump();
    const double compute = line["compute_us"], memory = line["memory_us"];
    EXPECT_EQ(line["bound_us"].get<double>(), std::max(compute, memory));
    EXPECT_EQ(line["bound_by"], compute > memory ? "compute" : "memory");
    EXPECT_GT(compute, 0);
    EXPECT_GT(memory, 0);
    const double cpu_us = 1e6 / line["qps_cpu"].get<double>();
    EXPECT_NEAR(line["share_of_bound"].get<double>() * cpu_us, line["bound_us"].get<double>(),
                0.01 + 0.0006 * cpu_us);
    if (line["by"] != "ef") continue;
    EXPECT_GT(scored, evaluations[line["codes"]]) << line.dump();
    evaluations[line["codes"]] = scored;
  }
  EXPECT_EQ(told, 2u * 3);
}

TEST_F(BenchTest, ProbeTellsRecordsOfEverySizeAndRowsOfEveryCode) {
  const auto lines = lines_of({"probe", "--arena-mb", "2", "--dimensions", "100,384", "--metric",
                               "cosine", "--runs", "2", "--seconds", "0.0005", "--seed", "3"});
  std::set<std::pair<std::size_t, std::string>> records;
  std::set<std::string> rows;
  for (const Line& line : only(lines, "probe")) {
    for (const char* field : {"what", "bytes", "ns", "ns_least", "target", "commit"}) {
      EXPECT_TRUE(line.contains(field)) << field << line.dump();
    }
    EXPECT_EQ(line["runs"], 2);
    EXPECT_EQ(line["seed"], 3);
    EXPECT_GT(line["ns"].get<double>(), 0) << line.dump();
    if (line["what"] == "record") {
      EXPECT_EQ(line["arena_mb"], 2);
      const double bytes = line["bytes"];
      EXPECT_NEAR(line["bytes_per_s"].get<double>() * line["ns"].get<double>(), bytes * 1e9,
                  bytes * 1e9 * 0.05);
      records.emplace(line["bytes"], line["way"]);
      continue;
    }
    EXPECT_EQ(line["what"], "row");
    EXPECT_EQ(line["metric"], line["scalar"] == "b1" ? "hamming" : "cosine");
    rows.insert(line["d"].dump() + " " + line["scalar"].get<std::string>() + " " +
                line["codes"].get<std::string>());
  }
  EXPECT_EQ(records.size(), 7u * 3);
  for (const char* row : {"100 f32 exact", "100 f32 sq8", "384 f32 rot4", "384 u8 exact"}) {
    EXPECT_TRUE(rows.contains(row)) << row;
  }
  EXPECT_EQ(rows.size(), 2u * 8);
  EXPECT_EQ(run({"probe", "--arena-mb", "0"}), 2);
  EXPECT_EQ(run({"probe", "--dimensions", "0"}), 2);
  EXPECT_EQ(run({"probe", "--metric", "manhattan"}), 2);
}

TEST_F(BenchTest, FilterAsksOfRowsAnywhereNearAndFar) {
  const auto lines = lines_of({"filter",
                               "--data",
                               glove_,
                               "--metric",
                               "cosine",
                               "--n",
                               "2000",
                               "--query-limit",
                               "100",
                               "--codes",
                               "sq8",
                               "--peers",
                               "hnswlib,usearch:f32",
                               "--shares",
                               "0.3,0.01",
                               "--ef",
                               "10,200",
                               "--runs",
                               "1",
                               "--seconds",
                               "0.01",
                               "--flat-below",
                               "0"});
  std::set<std::string> libraries;
  std::set<std::string> ways;
  for (const Line& line : only(lines, "filter")) {
    expect_fields(line, {"share", "passes", "ef", "recall_at_10", "qps", "qps_cpu", "p99_us"});
    libraries.insert(line["impl"]);
    ways.insert(line["passes"]);
    if (line["impl"] == "skerry" || line["ef"] == 200) {
      EXPECT_GE(line["recall_at_10"].get<double>(), line["ef"] == 200 ? 0.95 : 0.7) << line.dump();
    }
  }
  EXPECT_TRUE(libraries.contains("skerry"));
  EXPECT_EQ(ways, (std::set<std::string>{"any", "near", "far"}));
  EXPECT_EQ(only(lines, "filter").size(), libraries.size() * 2 * 3 * 2);
  const auto summaries = only(lines, "filter_summary");
  EXPECT_EQ(summaries.size(), libraries.size() * 2 * 3);
  for (const Line& line : summaries) EXPECT_TRUE(line["reached"].get<bool>()) << line.dump();
}

TEST_F(BenchTest, BuildTellsEverySize) {
  const auto lines =
      lines_of({"build", "--generate", "lid24-384", "--sizes", "50,300", "--batch", "10"});
  for (const Line& line : only(lines, "build")) {
    expect_fields(line, {"n", "mode", "threads", "build_s", "inserts_per_s", "bytes_per_vector"});
  }
  EXPECT_EQ(only(lines, "build").size(), 4u);   // one by one and as a batch, at two sizes
  EXPECT_EQ(only(lines, "insert").size(), 4u);  // the same
}

TEST_F(BenchTest, CrossoverTellsEveryWayAndWhichIsBest) {
  const auto lines = lines_of({"crossover", "--generate", "lid24-384", "--sizes", "100,400",
                               "--batches", "1,50", "--query-limit", "20"});
  const auto ways = only(lines, "crossover");
  ASSERT_EQ(ways.size(), 2u * 2 * 4);
  for (const Line& line : ways) {
    expect_fields(line, {"n", "batch", "way", "threads", "seconds", "us_per_vector"});
    EXPECT_GT(line["seconds"].get<double>(), 0);
    EXPECT_GE(line["recall_at_10"].get<double>(), 0.9) << line.dump();
  }
  const auto summaries = only(lines, "crossover_summary");
  ASSERT_EQ(summaries.size(), 4u);
  for (const Line& line : summaries) {
    const double ratio = line["default_s"].get<double>() / line["best_s"].get<double>();
    EXPECT_NEAR(line["default_over_best"].get<double>(), ratio, 0.001 + 1e-4 * ratio);
  }
}

TEST_F(BenchTest, UpdateKeepsTheRecallAndTellsEveryPhase) {
  const auto lines =
      lines_of({"update", "--data", glove_, "--metric", "cosine", "--n", "1300", "--query-limit",
                "30", "--flat-below", "0", "--rounds", "2", "--ef", "150"});
  const auto points = only(lines, "update");
  ASSERT_EQ(points.size(), 6u);
  std::set<std::string> phases;
  for (const Line& line : points) {
    expect_fields(line, {"round", "phase", "changes_per_s", "recall_before", "recall_after"});
    phases.insert(line["phase"]);
    EXPECT_GE(line["recall_after"].get<double>(), 0.95) << line.dump();
  }
  EXPECT_EQ(phases, (std::set<std::string>{"update", "remove", "reinsert"}));
}

TEST_F(BenchTest, ChurnPlaysTheSameRunbookToAllAndTellsWhatAFreshBuildWouldBe) {
  const std::string runbook = (folder_ / "small.yaml").string();
  const std::string page = (folder_ / "page.html").string();
  std::ofstream(runbook) << "fresh_every: 3\nsteps:\n  - insert: 50%\n  - search\n  - repeat: 4\n"
                            "    steps:\n      - delete: 10%\n      - refill: next\n"
                            "      - replace: 10%\n        region: 20%\n      - search\n";
  const auto lines = lines_of({"churn",
                               "--runbook",
                               runbook,
                               "--data",
                               glove_,
                               "--metric",
                               "cosine",
                               "--n",
                               "1200",
                               "--query-limit",
                               "20",
                               "--flat-below",
                               "0",
                               "--ef",
                               "60,150",
                               "--peers",
                               "hnswlib,usearch:bf16,faiss:exact",
                               "--collection",
                               "none",
                               "--runs",
                               "1",
                               "--seconds",
                               "0.005",
                               "--folder",
                               folder_.string(),
                               "--html",
                               page});
  const auto points = only(lines, "churn");
  std::map<std::string, std::size_t> count;
  for (const Line& line : points) {
    expect_fields(line, {"runbook", "round", "step", "live", "changes", "k", "ef", "recall_at_10",
                         "qps", "p99_us", "bytes_per_vector", "tombstones", "unreachable"});
    ++count[line["impl"]];
    EXPECT_EQ(line["runbook"], "small");
    EXPECT_EQ(line["live"], 600);
    const auto round = line["round"].get<int>();
    EXPECT_EQ(line.contains("recall_fresh"), round % 3 == 0 || round == 4) << line.dump();
    EXPECT_EQ(line.contains("disk_bytes_per_vector"), line["impl"] == "skerry-none");
    if (round > 0) {
      EXPECT_EQ(line["changes"], 60 + 60 + 12);
    }
    if (line["ef"] == 150) {
      EXPECT_GE(line["recall_at_10"].get<double>(), 0.95) << line.dump();
    }
    if (line["impl"] == "skerry") {
      EXPECT_EQ(line["unreachable"], 0);
    }
    if (line["impl"] == "usearch") {
      EXPECT_TRUE(line["unreachable"].is_null());
    }
  }
  EXPECT_EQ(count["skerry"], 2u * 5);
  EXPECT_EQ(count["skerry-none"], 2u * 5);
  for (const char* peer : {"hnswlib", "usearch"}) {
    if (count.contains(peer)) {
      EXPECT_EQ(count[peer], 2u * 5) << peer;
    }
  }
  EXPECT_FALSE(count.contains("faiss"));  // it can do none of this, and a line says so
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const Line& line) {
                            return line["impl"] == "faiss" && line.contains("missing");
                          }),
            1);
  const auto summaries = only(lines, "churn_summary");
  EXPECT_EQ(summaries.size(), count.size() * 2);
  for (const Line& line : summaries) {
    expect_fields(line, {"searches", "recall_first", "recall_least", "recall_last", "recall_fresh",
                         "qps_ratio_to_fresh", "bytes_ratio_to_fresh"});
    EXPECT_EQ(line.contains("disk_ratio_to_fresh"), line["impl"] == "skerry-none");
  }
  std::ostringstream html;
  html << std::ifstream(page).rdbuf();
  page::expect_well_formed(html.str());
  EXPECT_NE(html.str().find("Recall over the rounds"), std::string::npos);
  EXPECT_NE(html.str().find("Speed over the rounds"), std::string::npos);
  EXPECT_EQ(html.str().find(">-0<"), std::string::npos);
}

TEST_F(BenchTest, ChurnSaysWhatIsWrongWithARunbookBeforeItBuildsAnything) {
  const std::string runbook = (folder_ / "wrong.yaml").string();
  std::ofstream(runbook) << "steps:\n  - insert: 70%\n  - search\n  - replace: 80%\n";
  const std::string path = (folder_ / "lines.jsonl").string();
  EXPECT_EQ(run({"churn", "--runbook", runbook, "--data", clothes_, "--json", path}), 1);
  EXPECT_TRUE(read_lines(path).empty());
  EXPECT_EQ(run({"churn", "--data", clothes_}), 2);
  EXPECT_EQ(run({"churn", "--runbook", runbook, "--data", clothes_, "--collection", "soon"}), 2);
}

TEST_F(BenchTest, MixedTellsWhatAReaderFeelsOfAWriter) {
  const std::string page = (folder_ / "page.html").string();
  const auto lines = lines_of({"mixed",
                               "--data",
                               glove_,
                               "--metric",
                               "cosine",
                               "--n",
                               "1200",
                               "--query-limit",
                               "20",
                               "--flat-below",
                               "0",
                               "--ef",
                               "150",
                               "--peers",
                               "hnswlib,usearch:bf16,faiss:exact",
                               "--runs",
                               "2",
                               "--seconds",
                               "0.01",
                               "--folder",
                               folder_.string(),
                               "--html",
                               page});
  std::map<std::string, std::set<std::string>> seen;  // what, by library
  for (const Line& line : only(lines, "mixed")) {
    expect_fields(line, {"what", "live", "cores", "k", "ef", "recall_at_10", "recall_after",
                         "p50_idle_us", "p99_idle_us", "p99_mixed_us", "p99_ratio", "qps_idle",
                         "qps_mixed", "qps_ratio", "upserts_per_s", "runs"});
    seen[line["impl"]].insert(line["what"]);
    EXPECT_GE(line["recall_at_10"].get<double>(), 0.95) << line.dump();
    EXPECT_GE(line["recall_after"].get<double>(), 0.95) << line.dump();
    EXPECT_GT(line["upserts_per_s"].get<double>(), 0) << line.dump();
    EXPECT_EQ(line.contains("note"), !line["impl"].get<std::string>().starts_with("skerry"));
  }
  using Whats = std::set<std::string>;
  EXPECT_EQ(seen["skerry"], (Whats{"insert", "update"}));
  for (const char* impl : {"skerry-commit", "skerry-none"}) {
    EXPECT_EQ(seen[impl], (Whats{"insert", "update", "image", "compact"}));
  }
  for (const char* peer : {"hnswlib", "usearch"}) {
    if (seen.contains(peer)) {
      EXPECT_EQ(seen[peer], Whats{"insert"}) << peer;
    }
  }
  EXPECT_FALSE(seen.contains("faiss"));
  std::ostringstream html;
  html << std::ifstream(page).rdbuf();
  page::expect_well_formed(html.str());
  EXPECT_NE(html.str().find("percentile, beside a writer"), std::string::npos);
}

TEST_F(BenchTest, DurableStandsBesideLmdbAndLeavesNothingBehind) {
  const auto lines = lines_of({"durable", "--data", clothes_, "--n", "600", "--query-limit", "1",
                               "--batches", "1,16", "--writers", "1,2", "--prefill", "20", "--runs",
                               "1", "--seconds", "0.05", "--folder", folder_.string()});
  const auto points = only(lines, "durable");
  EXPECT_EQ(points.size(), 8u);
  for (const Line& line : points) {
    expect_fields(line, {"batch", "writers", "durability", "upserts_per_s", "p50_us"});
    EXPECT_GT(line["upserts_per_s"].get<double>(), 0) << line.dump();
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(BenchTest, DurableUpdatesKeysThatArePresent) {
  const auto lines = lines_of({"durable", "--data", clothes_, "--n", "300", "--query-limit", "1",
                               "--batches", "16", "--updates", "--runs", "1", "--seconds", "0.05",
                               "--folder", folder_.string()});
  const auto points = only(lines, "durable");
  ASSERT_EQ(points.size(), 2u);
  for (const Line& line : points) EXPECT_EQ(line["what"], "update");
  expect_fields(points[0], {"ratio_to_lmdb"});
}

TEST_F(BenchTest, DiskIsLittleMoreThanTheVectors) {
  const auto lines = lines_of({"disk", "--dimensions", "384,1024", "--rows", "1500", "--batches",
                               "32", "--turnovers", "3", "--folder", folder_.string()});
  const auto points = only(lines, "disk");
  ASSERT_EQ(points.size(), 8u);
  std::set<std::string> ages;
  for (const Line& line : points) {
    ages.insert(line["what"]);
    const auto raw = line["raw_bytes_per_vector"].get<double>();
    EXPECT_EQ(raw, line["d"].get<double>() * 4);
    EXPECT_LE(line["used_bytes_per_vector"].get<double>(), 1.15 * raw) << line.dump();
    EXPECT_LE(line["ratio_to_load"].get<double>(), 1.3) << line.dump();
  }
  EXPECT_EQ(ages, (std::set<std::string>{"load", "random_load", "life", "turnovers"}));
}

TEST_F(BenchTest, TenantsAreMadeFilledSearchedAndDropped) {
  const auto lines = lines_of(
      {"tenants", "-n", "60", "--each", "5", "--beside", "100", "--folder", folder_.string()});
  const auto points = only(lines, "tenants");
  std::vector<std::string> parts;
  for (const Line& line : points) parts.push_back(line["what"]);
  EXPECT_EQ(parts, (std::vector<std::string>{"create", "create", "create", "fill", "open", "large",
                                             "search", "idle", "search", "search", "large", "drop",
                                             "drop"}));
  expect_fields(points[2], {"durability", "collections_a_commit", "collections_per_s"});
  expect_fields(points[4], {"open_ms", "list_with_counts_ms", "stats_us"});
  expect_fields(points[6], {"collection", "p50_us", "p99_us"});
  expect_fields(points[7], {"opened_and_searched_per_s", "bytes_per_collection"});
  EXPECT_GE(points[12]["returned_to_raw"].get<double>(), 1) << points[12].dump();
}

TEST_F(BenchTest, OpenFindsTheImageThenTheLogThenNothing) {
  const auto lines = lines_of({"open", "--data", clothes_, "--n", "1200", "--query-limit", "5",
                               "--flat-below", "100", "--runs", "2", "--folder", folder_.string()});
  const auto points = only(lines, "open");
  ASSERT_EQ(points.size(), 3u);
  for (const Line& line : points) expect_fields(line, {"open_ms", "first_query_ms"});
  EXPECT_EQ(points[0]["opened"], "image");
  EXPECT_EQ(points[0]["replayed"], 0);
  EXPECT_EQ(points[1]["opened"], "image");
  EXPECT_EQ(points[1]["replayed"], 12);
  EXPECT_EQ(points[2]["opened"], "rebuilt_absent");
}

TEST_F(BenchTest, MemoryTellsIndexAndDatabase) {
  const auto lines = lines_of({"memory", "--data", clothes_, "--n", "2000", "--query-limit", "5",
                               "--folder", folder_.string()});
  const auto points = only(lines, "memory");
  ASSERT_EQ(points.size(), 2u);
  for (const Line& line : points) {
    expect_fields(line, {"what", "bytes_per_vector", "rss_bytes_per_vector"});
    EXPECT_GT(line["rss_bytes_per_vector"].get<double>(), 784 * 4) << line.dump();
  }
  EXPECT_GT(points[1]["disk_bytes_per_vector"].get<double>(), 784 * 4);
  EXPECT_EQ(points[1]["raw_bytes_per_vector"], 784 * 4);
}

TEST_F(BenchTest, MemoryTellsVectorsOnDiskApart) {
  const auto lines =
      lines_of({"memory", "--data", clothes_, "--n", "2000", "--query-limit", "5", "--codes",
                "rot4", "--vectors", "disk", "--folder", folder_.string()});
  const auto points = only(lines, "memory");
  ASSERT_EQ(points.size(), 2u);
  for (const Line& line : points) {
    EXPECT_EQ(line["vectors"], "disk");
    expect_fields(line, {"rss_anon_bytes_per_vector", "rss_file_bytes_per_vector"});
    EXPECT_LT(line["bytes_per_vector"].get<double>(), 784 * 4) << line.dump();
    EXPECT_GT(line["rss_file_bytes_per_vector"].get<double>(), 784 * 2) << line.dump();
  }
}

TEST(Report, IsWellFormedWhateverTheTextsSay) {
  Line line = {
      {"bench", "search"}, {"impl", "a<b> & \"c\""}, {"scalar", "f32"}, {"codes", "exact"}};
  line["data"] = "<script>";
  line["threads"] = 1;
  line["k"] = 10;
  std::vector<Line> lines;
  for (const int ef : {10, 20}) {
    line["ef"] = ef;
    line["recall_at_10"] = 0.9 + ef * 0.002;
    line["qps"] = 1000.0 / ef;
    line["bytes_per_vector"] = 100;
    lines.push_back(line);
  }
  lines.push_back({{"bench", "search"}, {"impl", "absent"}, {"missing", "not found"}});
  const std::string html = report_page(lines);
  page::expect_well_formed(html);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(html.find("<polyline"), std::string::npos);
  EXPECT_EQ(html.find("http://", html.find("</head>")), html.find("http://www.w3.org/2000/svg"));
  EXPECT_EQ(html.find("nan"), std::string::npos);
  page::expect_well_formed(report_page({}));
}

TEST_F(BenchTest, ThePageComesFromTheRunOrFromItsLines) {
  const std::string lines = (folder_ / "lines.jsonl").string();
  const std::string page = (folder_ / "page.html").string();
  const std::string again = (folder_ / "again.html").string();
  ASSERT_EQ(run({"build", "--generate", "lid24-384", "--sizes", "40,80", "--batch", "5", "--json",
                 lines, "--html", page}),
            0);
  ASSERT_EQ(run({"report", lines, "--html", again}), 0);
  const auto text_of = [](const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  };
  EXPECT_EQ(text_of(page), text_of(again));
  page::expect_well_formed(text_of(page));
  EXPECT_NE(text_of(page).find("Build rate against size"), std::string::npos);
}

TEST_F(BenchTest, CtrlCKeepsTheLinesAndSaysSo) {
  const std::string path = (folder_ / "lines.jsonl").string();
  std::atomic<bool> ended{false};
  std::thread finger([&] {
    while (!ended && (!fs::exists(path) || fs::file_size(path) == 0)) std::this_thread::yield();
    if (!ended) kill(getpid(), SIGINT);
  });
  const int code = run({"update", "--data", glove_, "--metric", "cosine", "--n", "300",
                        "--query-limit", "5", "--rounds", "1000000", "--json", path});
  ended = true;
  finger.join();
  EXPECT_EQ(code, 130);
  EXPECT_FALSE(only(read_lines(path), "update").empty());
}

TEST_F(BenchTest, MistakesHaveAnExitCodeEach) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"search"}), 2);
  EXPECT_EQ(run({"search", "--data", clothes_, "--metric", "manhattan"}), 2);
  EXPECT_EQ(run({"search", "--data", clothes_, "--threads", "0"}), 2);
  EXPECT_EQ(run({"search", "--data", (folder_ / "absent.fbin").string(), "--queries", clothes_}),
            1);
  EXPECT_EQ(run({"search", "--data", clothes_, "--metric", "ip"}), 1);  // the truth is l2's
  EXPECT_EQ(run({"search", "--generate", "nothing"}), 1);
  EXPECT_EQ(run({"report", (folder_ / "absent").string(), "--html", "x"}), 1);
  EXPECT_EQ(run({"--help"}), 0);
}

}  // namespace
}  // namespace skerry::bench

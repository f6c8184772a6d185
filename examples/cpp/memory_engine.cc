// memory_engine.cc - the memories of many agents, kept in LMDB and changed all day.
//
// Each agent has a namespace: a collection of its own, cheap to make and to have. A memory is a
// text under a name; its embedding is searched, the text is the payload. Remembering something
// again replaces it in one step. When a call returns, what it wrote survives kill -9 and power
// loss; nothing has to be saved or flushed. One shared collection, the knowledge of all, is large:
// there the search walks over codes of one byte a component in memory, and the exact vectors, half
// a float a component, stay in files.
//
// The program below writes from a process that is killed in the middle of it, opens what is left,
// checks that nothing that was acknowledged is missing, and prints what things cost on this
// machine.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <skerry/database.h>

#include "check.h"

namespace {

namespace fs = std::filesystem;
using skerry::Collection;
using skerry::Database;
using skerry::NamedHit;

constexpr std::uint32_t kDimension = 256;
using Embedding = std::array<float, kDimension>;

// A stand-in for a model: each word gives a direction by its hash, a text the sum of its words.
// Texts that share words are near each other, which is all that the example needs.
Embedding embed(std::string_view text) {
  Embedding sum = {};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::uint64_t state = 0xCBF29CE484222325;
    for (const char c : text.substr(0, end)) {
      state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
    for (float& component : sum) {
      state = state * 6364136223846793005 + 1442695040888963407;
      component += static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return sum;
}

skerry::Payload payload_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Named, half precision, by cosine: the length of a text does not matter.
skerry::CollectionOptions memories() {
  return {.index = {.dimension = kDimension,
                    .metric = skerry::Metric::cosine,
                    .scalar = skerry::Scalar::f16},
          .byte_keys = true};
}

// The large one: codes in memory, exact vectors in files.
skerry::CollectionOptions knowledge() {
  skerry::CollectionOptions options = memories();
  options.index.codes = skerry::Codes::sq8;
  options.index.vectors = skerry::Vectors::disk;
  return options;
}

std::string namespace_of(unsigned agent) {
  return "agent-" + std::to_string(agent);
}

void remember(Collection& memory, std::string_view name, std::string_view text) {
  check(memory.upsert(name, embed(text), payload_of(text)), "remember");
}

std::string recall_text(const Collection& memory, std::string_view name) {
  std::string text(200, ' ');
  text.resize(take(memory.get_payload(name, std::as_writable_bytes(std::span(text))), "payload"));
  return text;
}

std::vector<std::string> recall(const Collection& memory, std::string_view cue, std::size_t k) {
  std::vector<NamedHit> hits(k);
  const auto found = take(memory.search(embed(cue), hits), "recall");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < found.count; ++i) names.emplace_back(hits[i].name.view());
  return names;
}

// -- what there is to remember
// -----------------------------------------------------------------------

constexpr std::array kThings = {"boat",   "lamp",   "letter", "garden",
                                "bridge", "kettle", "violin", "map"};
constexpr std::array kDoings = {"found",  "mended", "painted", "lost",
                                "bought", "sold",   "carried", "forgot"};
constexpr std::array kPlaces = {"harbour", "attic",  "station", "kitchen",
                                "forest",  "market", "library", "island"};

std::string fact(std::uint64_t number) {
  return std::string(kDoings[number % 8]) + " the " + kThings[number / 8 % 8] + " in the " +
         kPlaces[number / 64 % 8] + " on day " + std::to_string(number / 512) + " with friend" +
         std::to_string(number % 97);
}

constexpr unsigned kAgents = 100;
constexpr std::uint64_t kMemories = 3;  // of each, that change all day
constexpr std::uint64_t kRound = kAgents * kMemories;
constexpr std::uint64_t kFacts = 10'000;

void fill(const fs::path& folder) {
  Database database = take(Database::open(folder), "open");
  const Clock naming;
  std::vector<std::string> names;
  for (unsigned agent = 0; agent < kAgents; ++agent) names.push_back(namespace_of(agent));
  const std::vector<std::string_view> views(names.begin(), names.end());
  check(database.create(views, memories()), "create");
  std::printf("%u namespaces made in one commit: %.1f ms\n", kAgents, naming.seconds() * 1e3);

  // A thousand facts a commit: one wait for the disk for all of them.
  Collection shared = take(database.open_or_create("knowledge", knowledge()), "create");
  const Clock filling;
  constexpr std::uint64_t kBatch = 1000;
  for (std::uint64_t first = 0; first < kFacts; first += kBatch) {
    std::vector<std::string> facts, ids;
    std::vector<float> rows;
    for (std::uint64_t number = first; number < first + kBatch; ++number) {
      facts.push_back(fact(number));
      ids.push_back("fact-" + std::to_string(number));
      const Embedding embedding = embed(facts.back());
      rows.insert(rows.end(), embedding.begin(), embedding.end());
    }
    const std::vector<std::string_view> keys(ids.begin(), ids.end());
    std::vector<skerry::Payload> payloads;
    for (const std::string& text : facts) payloads.push_back(payload_of(text));
    check(shared.upsert(keys, skerry::MatrixView(rows, kDimension), payloads), "upsert");
  }
  std::printf("%llu facts, durable: %.0f a second\n", static_cast<unsigned long long>(kFacts),
              static_cast<double>(kFacts) / filling.seconds());

  const skerry::CollectionStats stats = take(shared.stats(), "stats");
  const auto each = [&](std::uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(stats.index.live);
  };
  const double in_memory =
      each(stats.index.vector_bytes - stats.index.vector_disk_bytes + stats.index.code_bytes +
           stats.index.link_bytes + stats.index.other_bytes);
  std::printf(
      "a fact takes %.0f bytes of memory (%.0f of codes, %.0f of links); as f32 its vector "
      "alone is %u\n",
      in_memory, each(stats.index.code_bytes), each(stats.index.link_bytes), kDimension * 4);
  expect(stats.index.vector_disk_bytes > 0, "the exact vectors are in a file");
  check(database.close(), "close");
}

// -- all day
// ---------------------------------------------------------------------------------------------

// Writes, and says on the pipe what has been acknowledged, until it is killed.
[[noreturn]] void write_until_killed(const fs::path& folder, int acknowledged) {
  Database database = take(Database::open(folder), "open");
  for (std::uint64_t step = 0;; ++step) {
    Collection memory =
        take(database.open_collection(namespace_of(static_cast<unsigned>(step % kAgents))), "open");
    const std::string name = "memory-" + std::to_string(step / kAgents % kMemories);
    remember(memory, name, fact(step));
    expect(::write(acknowledged, &step, sizeof(step)) == sizeof(step), "the pipe takes a number");
  }
}

// Steps that were acknowledged before the writer was killed.
std::uint64_t run_and_kill_writer(const fs::path& folder) {
  int ends[2];
  expect(::pipe(ends) == 0, "there is a pipe");
  const pid_t writer = ::fork();
  if (writer == 0) write_until_killed(folder, ends[1]);
  ::close(ends[1]);
  std::uint64_t step = 0, steps = 0;
  while (steps < kRound + 50 && ::read(ends[0], &step, sizeof(step)) == sizeof(step)) ++steps;
  ::kill(writer, SIGKILL);
  while (::read(ends[0], &step, sizeof(step)) == sizeof(step)) ++steps;  // what it said before
  ::close(ends[0]);
  int ended = 0;
  ::waitpid(writer, &ended, 0);
  expect(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL, "the writer was killed");
  return steps;
}

// Every memory is that of the last acknowledged step that wrote it, or of the one that was under
// way.
void expect_nothing_lost(Database& database, std::uint64_t steps) {
  for (std::uint64_t step = steps > kRound ? steps - kRound : 0; step < steps; ++step) {
    const Collection memory =
        take(database.open_collection(namespace_of(static_cast<unsigned>(step % kAgents))), "open");
    const std::string name = "memory-" + std::to_string(step / kAgents % kMemories);
    const std::string text = recall_text(memory, name);
    const bool is_under_way = step + kRound == steps && text == fact(steps);
    expect(text == fact(step) || is_under_way, "what was acknowledged is there");
    Embedding stored;
    check(memory.get(name, stored), "get");
    const Embedding expected = embed(text);
    for (std::size_t i = 0; i < kDimension; ++i) {
      expect(std::abs(stored[i] - expected[i]) <= std::abs(expected[i]) / 1024,
             "a memory's vector is that of its text");
    }
  }
}

void look_back(const fs::path& folder, std::uint64_t steps) {
  const Clock opening;
  Database database = take(Database::open(folder), "open");
  Collection shared = take(database.open_collection("knowledge"), "open");
  std::printf("opened after the kill in %.1f ms: %llu steps were acknowledged\n",
              opening.seconds() * 1e3, static_cast<unsigned long long>(steps));
  expect_nothing_lost(database, steps);
  check(shared.verify().status(), "verify");

  // Recalled by its own words, a fact is the first.
  const Clock recalling;
  constexpr std::uint64_t kCues = 500;
  std::uint64_t first = 0;
  for (std::uint64_t cue = 0; cue < kCues; ++cue) {
    const std::uint64_t number = cue * 19 % kFacts;
    const auto names = recall(shared, fact(number), 5);
    first += !names.empty() && names[0] == "fact-" + std::to_string(number) ? 1 : 0;
  }
  std::printf("a recall among %llu facts: %.0f us; %llu of %llu found first\n",
              static_cast<unsigned long long>(shared.size()), recalling.seconds() * 1e6 / kCues,
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(kCues));
  expect(first >= kCues * 98 / 100, "facts are found by their own words");

  // An agent changes its mind fifty times.
  Collection own = take(database.open_collection(namespace_of(7)), "open");
  const Clock changing;
  constexpr int kChanges = 50;
  for (int change = 0; change < kChanges; ++change) {
    remember(own, "promise", "return the violin to friend" + std::to_string(change));
  }
  std::printf("a memory replaced, durable: %.2f ms\n", changing.seconds() * 1e3 / kChanges);
  expect(recall_text(own, "promise") == "return the violin to friend49", "the last word counts");

  // Its own memories and what all know are searched together: the nearest of both, in one order.
  const std::array<Collection, 2> both = {own, shared};
  std::array<skerry::NamedUnionHit, 5> nearest;
  const auto found =
      take(database.search_union(both, embed("return the violin"), nearest), "union");
  expect(found.count == nearest.size(), "there is enough to remember");
  expect(nearest[0].collection == 0 && nearest[0].name.view() == "promise",
         "its own promise first");

  // Forgotten is forgotten, at once.
  expect(take(own.remove("promise"), "forget") == 1, "it was there");
  const auto after = recall(own, "return the violin", 10);
  expect(std::find(after.begin(), after.end(), "promise") == after.end(), "it is not recalled");
  check(database.drop(namespace_of(8)), "drop");
  expect(take(database.list(), "list").size() == kAgents, "one agent less, and the knowledge");
  check(database.close(), "close");
}

}  // namespace

int main() {
  std::string pattern = (fs::temp_directory_path() / "skerry-memory-engine-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  fill(folder);
  std::fflush(stdout);
  const std::uint64_t steps = run_and_kill_writer(folder);
  look_back(folder, steps);
  fs::remove_all(folder);
  return 0;
}

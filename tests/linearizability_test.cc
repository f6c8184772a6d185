// linearizability_test.cc - does every key behave as if its calls came one after the other?
//
// Contract: "read after write", "upsert of a present key: in one visible step", "insert of a
// present key: already_exists", "remove: the count says how many existed", "a removed key". Several
// threads write and read a few keys; each call is noted, and support/history.h looks for an order
// that explains all answers (support/caller.h tells how an answer tells which write it saw).
//
// The seed is printed; SKERRY_SEED repeats the choice of calls, not the moments of the threads.

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "skerry/index.h"
#include "support/caller.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/threads.h"

namespace skerry::testing {
namespace {

constexpr std::size_t kThreads = 6;
constexpr std::size_t kOthers = 300;

// Fills the target with others, lets the threads loose on it, and looks for the order.
template <class Target>
void expect_linearizable(Target& target, std::size_t calls, std::uint64_t seed) {
  SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed));
  ASSERT_LE(kThreads * calls, Numbered::kNumbers);
  Random random(seed);
  const std::vector<Numbered::Vector> others = Numbered::others(random, kOthers);
  for (std::size_t i = 0; i < kOthers; ++i) {
    ASSERT_OK(target.insert(Numbered::kKeys + i, others[i]));
  }
  Clock clock;
  std::vector<Caller<Target>> callers;
  for (std::size_t i = 0; i < kThreads; ++i) {
    callers.emplace_back(target, clock, others, random(), i * calls, SearchOptions{.ef = 100});
  }
  together(kThreads, [&](std::size_t i) {
    for (std::size_t call = 0; call < calls; ++call) callers[i].call();
  });
  EXPECT_EQ(Caller<Target>::why_not_explained(callers), "");
}

// Whichever door the calls go through.
enum class Where : std::uint8_t { index, unsynced_collection, durable_collection };

struct Form {
  Where where = Where::index;
  Codes codes = Codes::exact;
};

std::string name_of(const Form& form) {
  static constexpr const char* kNames[] = {"index", "unsynced_collection", "durable_collection"};
  return kNames[static_cast<std::size_t>(form.where)] + std::string("_") +
         std::string(skerry::name_of(form.codes));
}

class Linearizability : public ::testing::TestWithParam<Form> {
 protected:
  void run(const IndexOptions& options, std::size_t calls) {
    const char* given = std::getenv("SKERRY_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    if (GetParam().where == Where::index) {
      Result<Index> index = Index::create(options);
      ASSERT_OK(index);
      expect_linearizable(*index, calls, seed);
      const Result<CheckReport> report = index->check();
      ASSERT_OK(report);
      EXPECT_EQ(report->unreachable, 0u);
      return;
    }
    const bool durable = GetParam().where == Where::durable_collection;
    TempDir folder;
    Result<Database> database = Database::open(
        folder / "db", {.durability = durable ? Durability::commit : Durability::none});
    ASSERT_OK(database);
    Result<Collection> vectors = database->create("vectors", {.index = options});
    ASSERT_OK(vectors);
    expect_linearizable(*vectors, durable ? calls / 4 : calls, seed);
    EXPECT_OK(vectors->verify());
  }

  IndexOptions options() const {
    return {.dimension = Numbered::kDimension,
            .codes = GetParam().codes,
            .M = 8,
            .ef_construction = 60};
  }
};

INSTANTIATE_TEST_SUITE_P(, Linearizability,
                         ::testing::Values(Form{Where::index, Codes::exact},
                                           Form{Where::index, Codes::sq8},
                                           Form{Where::index, Codes::rot4},
                                           Form{Where::unsynced_collection, Codes::exact},
                                           Form{Where::durable_collection, Codes::exact}),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(Linearizability, EveryKeyBehavesAsIfItsCallsCameOneAfterTheOtherWhenSearchesWalk) {
  IndexOptions walking = options();
  walking.flat_below = 0;
  run(walking, scaled(1000, 2));
}

TEST_P(Linearizability, EveryKeyBehavesAsIfItsCallsCameOneAfterTheOtherWhenSearchesScan) {
  IndexOptions scanning = options();
  scanning.flat_below = 1'000'000;
  run(scanning, scaled(1000, 2));
}

}  // namespace
}  // namespace skerry::testing

// linearizability_test.cc - does every key behave as if its calls came one after the other?
//
// Contract: "read after write", "upsert of a present key: in one visible step", "insert of a
// present key: already_exists", "remove: the count says how many existed", "a removed key". Several
// threads write and read a few keys; each call is noted, and support/history.h looks for an order
// that explains all answers. A vector tells which write it came from: every write has a number of
// its own, and the vector of number n lies n steps from its key's place, where searches ask. So the
// distance of a hit is the number. Other vectors are farther off, and there are enough of them that
// a search walks.
//
// The seed is printed; SKERRY_SEED repeats the choice of calls, not the moments of the threads.

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "skerry/index.h"
#include "support/history.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/threads.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

using Act = Operation::Act;

constexpr std::uint32_t kDimension = 4;
constexpr std::size_t kThreads = 6;
constexpr std::size_t kKeys = 3;
constexpr std::size_t kOthers = 300;
constexpr float kStep = 1.0F / 64;  // a number times this is exact

// Whichever door the calls go through.
enum class Where : std::uint8_t { index, unsynced_collection, durable_collection };

using Vector = std::array<float, kDimension>;

Vector vector_of(Key key, std::uint64_t number) {
  return {1000 * static_cast<float>(key), kStep * static_cast<float>(number)};
}

// Which number's vector lies so far from the key's place.
std::uint64_t number_at(float distance) {
  return static_cast<std::uint64_t>(std::lround(std::sqrt(distance) / kStep));
}

// One thread's calls, by key. `Target` is an Index or a Collection.
template <class Target>
class Caller {
 public:
  using Histories = std::array<std::vector<Operation>, kKeys>;

  Caller(Target& target, Clock& clock, std::uint64_t seed, std::uint64_t first_number)
      : target_(target), clock_(clock), random_(seed), number_(first_number) {}

  void call() {
    const Key key = below(random_, kKeys);
    switch (below(random_, 16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        note(key, {Act::upsert, ++number_},
             [&](Operation&) { return target_.upsert(key, vector_of(key, number_)).ok(); });
        break;
      case 4:
      case 5:
        note(key, {Act::insert, ++number_}, [&](Operation& call) {
          const Status status = target_.insert(key, vector_of(key, number_));
          call.done = status.ok();
          return status.ok() || status.code() == Code::already_exists;
        });
        break;
      case 6:
      case 7:
        note(key, {Act::remove}, [&](Operation& call) {
          const Result<std::uint64_t> removed = target_.remove(key);
          call.done = removed.ok() && *removed == 1;
          return removed.ok() && *removed <= 1;
        });
        break;
      case 8:
      case 9:
        note(key, {Act::read, Operation::kNothing, true, 0, 0, "get"}, [&](Operation& call) {
          Vector got = {};
          const Status status = target_.get(key, got);
          if (status.ok()) call.value = number_at(got[1] * got[1]);
          return (status.ok() && got == vector_of(key, call.value)) ||
                 status.code() == Code::not_found;
        });
        break;
      case 10:
        note(key, {Act::contains}, [&](Operation& call) {
          call.done = target_.contains(key);
          return true;
        });
        break;
      case 11:
        note(key, {Act::read, Operation::kNothing, true, 0, 0, "exact search"},
             [&](Operation& call) { return search(key, {.exact = true}, call); });
        break;
      case 12:
        note(key, {Act::read, Operation::kNothing, true, 0, 0, "search of one key"},
             [&](Operation& call) {
               return search(key, {.filter = Filter::only(std::span(&key, 1))}, call);
             });
        break;
      default:
        note(key, {Act::read, Operation::kNothing, true, 0, 0, "search"},
             [&](Operation& call) { return search(key, {.ef = 100}, call); });
    }
  }

  const Histories& histories() const { return histories_; }
  const std::string& trouble() const { return trouble_; }

 private:
  // make(call): false when the answer is none that the call may give.
  template <class Make>
  void note(Key key, Operation call, Make make) {
    call.began = clock_.now();
    const bool lawful = make(call);
    call.returned = clock_.now();
    if (!lawful && trouble_.empty()) trouble_ = "an answer like no other: " + call.text();
    histories_[key].push_back(call);
  }

  // The key is the nearest to its place if it is there, and it is there once.
  bool search(Key key, const SearchOptions& options, Operation& call) {
    const Vector place = vector_of(key, 0);
    std::array<Hit, 8> hits;
    const Result<SearchResult> found = target_.search(place, hits, options);
    if (!found.ok()) return false;
    for (std::uint32_t i = 0; i < found->count; ++i) {
      if (hits[i].key != key) continue;
      if (call.value != Operation::kNothing) return false;
      call.value = number_at(hits[i].distance);
    }
    return true;
  }

  Target& target_;
  Clock& clock_;
  Random random_;
  std::uint64_t number_;
  Histories histories_;
  std::string trouble_;
};

// Fills the target with others, lets the threads loose on it, and looks for the order.
template <class Target>
void expect_linearizable(Target& target, std::size_t calls, std::uint64_t seed) {
  SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed));
  Random random(seed);
  for (Key key = kKeys; key < kKeys + kOthers; ++key) {
    Vector other = {};
    for (float& number : other) number = static_cast<float>(uniform(random, 0, 2000));
    other[2] += 100;  // beyond every number's vector
    ASSERT_OK(target.insert(key, other));
  }
  Clock clock;
  std::vector<Caller<Target>> callers;
  for (std::size_t i = 0; i < kThreads; ++i) {
    callers.emplace_back(target, clock, random(), i * calls);
  }
  together(kThreads, [&](std::size_t i) {
    for (std::size_t call = 0; call < calls; ++call) callers[i].call();
  });
  for (std::size_t key = 0; key < kKeys; ++key) {
    std::vector<Operation> history;
    for (const Caller<Target>& caller : callers) {
      const std::vector<Operation>& own = caller.histories()[key];
      history.insert(history.end(), own.begin(), own.end());
    }
    EXPECT_EQ(why_not_linearizable(history), "") << "of key " << key;
  }
  for (const Caller<Target>& caller : callers) EXPECT_EQ(caller.trouble(), "");
}

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
  // Of the numbers' vectors the farthest is nearer than any other's.
  static constexpr std::size_t kCallsMost = 1000;
  static_assert(kStep * kThreads * kCallsMost < 100);

  void run(const IndexOptions& options, std::size_t calls) {
    const char* given = std::getenv("SKERRY_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    ASSERT_LE(calls, kCallsMost);
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
    return {.dimension = kDimension, .codes = GetParam().codes, .M = 8, .ef_construction = 60};
  }
};

INSTANTIATE_TEST_SUITE_P(, Linearizability,
                         ::testing::Values(Form{Where::index, Codes::exact},
                                           Form{Where::index, Codes::sq8},
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

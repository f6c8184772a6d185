// history_test.cc - does the checker of histories know a good one from a bad one?
//
// linearizability_test believes it; here it is asked about histories whose answer is known, and,
// about thousands of small ones that chance makes, compared with trying every order.

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "support/history.h"
#include "support/scale.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

using Act = Operation::Act;
constexpr std::uint64_t kNothing = Operation::kNothing;

Operation upsert(std::uint64_t value, std::uint64_t began, std::uint64_t returned) {
  return {Act::upsert, value, true, began, returned};
}
Operation insert(std::uint64_t value, bool done, std::uint64_t began, std::uint64_t returned) {
  return {Act::insert, value, done, began, returned};
}
Operation removal(bool done, std::uint64_t began, std::uint64_t returned) {
  return {Act::remove, kNothing, done, began, returned};
}
Operation read(std::uint64_t value, std::uint64_t began, std::uint64_t returned) {
  return {Act::read, value, true, began, returned};
}
Operation contains(bool done, std::uint64_t began, std::uint64_t returned) {
  return {Act::contains, kNothing, done, began, returned};
}

bool is_linearizable(const std::vector<Operation>& history, std::uint64_t held = kNothing) {
  return why_not_linearizable(history, held).empty();
}

// By trying every order of the calls in which none comes before one that had returned when it
// began.
bool some_order_explains(const std::vector<Operation>& history) {
  std::vector<std::size_t> order(history.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    std::uint64_t held = kNothing;
    bool good = true;
    for (std::size_t i = 0; good && i < order.size(); ++i) {
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        good = good && history[order[j]].returned > history[order[i]].began;
      }
      std::uint64_t after = kNothing;
      good = good && history[order[i]].follows(held, after);
      held = after;
    }
    if (good) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(History, OneCallAfterTheOtherIsExplainedByItself) {
  EXPECT_TRUE(is_linearizable({}));
  EXPECT_TRUE(is_linearizable({read(kNothing, 1, 2), upsert(5, 3, 4), read(5, 5, 6),
                               insert(6, false, 7, 8), removal(true, 9, 10), removal(false, 11, 12),
                               contains(false, 13, 14), insert(7, true, 15, 16), read(7, 17, 18)}));
}

TEST(History, DuringAWriteTheOldOrTheNewMayBeReadAndOnceTheNewNeverTheOld) {
  EXPECT_TRUE(is_linearizable({upsert(2, 1, 10), read(1, 2, 3), read(2, 4, 5)}, 1));
  EXPECT_FALSE(is_linearizable({upsert(2, 1, 10), read(2, 2, 3), read(1, 4, 5)}, 1));
}

TEST(History, TwoWritesAtOnceMayLandInEitherOrder) {
  EXPECT_TRUE(is_linearizable({upsert(1, 1, 4), upsert(2, 2, 3), read(1, 5, 6)}));
  EXPECT_TRUE(is_linearizable({upsert(1, 1, 4), upsert(2, 2, 3), read(2, 5, 6)}));
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 4), upsert(2, 2, 3), read(1, 5, 6), read(2, 7, 8)}));
}

TEST(History, AStaleReadAfterAReturnedWriteIsRefused) {
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 2), upsert(2, 3, 4), read(1, 5, 6)}));
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 2), read(kNothing, 3, 4)}));
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 2), removal(true, 3, 4), read(1, 5, 6)}));
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 2), contains(false, 3, 4)}));
}

TEST(History, ALostUpdateIsRefused) {
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 2), upsert(2, 3, 6), upsert(3, 4, 5), read(1, 7, 8)}));
  EXPECT_FALSE(is_linearizable({insert(1, true, 1, 3), insert(2, true, 2, 4)}));
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 2), removal(true, 3, 5), removal(true, 4, 6)}));
  EXPECT_FALSE(is_linearizable({insert(1, false, 1, 2)}));
}

TEST(History, AValueThatWasNeverWrittenIsRefused) {
  EXPECT_FALSE(is_linearizable({upsert(1, 1, 4), read(3, 2, 3)}));
  EXPECT_FALSE(is_linearizable({upsert(1, 3, 4), read(1, 1, 2)}));  // not yet
}

TEST(History, OldAndNewAtOnceOrNeitherDuringAnUpdateIsRefused) {
  // One search that met both is two reads at one time, of which a third call tells the order.
  EXPECT_FALSE(is_linearizable({upsert(2, 1, 10), read(2, 2, 3), read(1, 4, 5), read(2, 4, 5)}, 1));
  EXPECT_FALSE(is_linearizable({upsert(2, 1, 10), read(kNothing, 2, 3)}, 1));
}

TEST(History, TheReasonNamesTheCall) {
  Operation search = read(3, 2, 3);
  search.how = "search";
  const std::string why = why_not_linearizable(std::vector{upsert(1, 1, 4), search});
  EXPECT_NE(why.find("read(search) 3 [2, 3]"), std::string::npos) << why;
  EXPECT_NE(why.find("upsert 1 [1, 4]"), std::string::npos) << why;
}

TEST(History, OfSmallHistoriesItSaysWhatTryingEveryOrderSays) {
  const std::uint64_t seed = std::random_device{}();
  Random random(seed);
  std::size_t good = 0;
  const std::size_t rounds = scaled(4000);
  for (std::size_t round = 0; round < rounds; ++round) {
    // Three threads, two calls each, with few values: their numbers are shuffled, but each thread's
    // are in order.
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < 12; ++i) numbers.push_back(i % 3);
    std::shuffle(numbers.begin(), numbers.end(), random);
    std::vector<std::uint64_t> of_thread[3];
    for (std::uint64_t i = 0; i < 12; ++i) of_thread[numbers[i]].push_back(i);
    std::vector<Operation> history;
    for (const auto& at : of_thread) {
      for (const std::size_t first : {0, 2}) {
        const auto act = static_cast<Act>(below(random, 5));
        const std::uint64_t value = below(random, 3);
        const bool reads_nothing = act == Act::read && value == 2;
        history.push_back({act, reads_nothing ? kNothing : value, below(random, 2) == 0, at[first],
                           at[first + 1]});
      }
    }
    const bool expected = some_order_explains(history);
    good += expected ? 1 : 0;
    ASSERT_EQ(is_linearizable(history), expected) << "seed " << seed << ", round " << round;
  }
  EXPECT_GT(good, rounds / 100);
  EXPECT_LT(good, rounds - rounds / 100);
}

TEST(History, ALongOneOfEightThreadsIsQuick) {
  // Eight calls at once, again and again: seven reads beside a write, each of the old or the new.
  std::vector<Operation> history;
  Random random(7);
  std::uint64_t held = kNothing;
  for (std::uint64_t wave = 0; wave < scaled(2000, 10); ++wave) {
    const std::uint64_t at = wave * 100;
    history.push_back(upsert(wave, at, at + 90));
    for (std::uint64_t i = 1; i < 8; ++i) {
      const bool late = below(random, 2) == 0;
      history.push_back(read(late ? wave : held, at + i, at + (late ? 91 : 81) + i));
    }
    held = wave;
  }
  EXPECT_EQ(why_not_linearizable(history), "");
}

}  // namespace
}  // namespace skerry::testing

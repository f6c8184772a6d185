// schedules_test.cc - would a protocol that is broken be found?
//
// The library is broken on purpose, one way at a time (Fault in base/schedule.h), and the scenarios
// must notice within a number of rounds that takes a second or two. Not broken, they must not. In
// children, as a broken library may do anything.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "schedules/scenarios.h"
#include "schedules/scheduler.h"
#include "support/scale.h"
#include "torture/run.h"

namespace skerry::testing {
namespace {

// How many rounds until the fault is noticed; `limit` when it is not.
std::uint64_t rounds_until_found(Fault fault, std::uint64_t limit) {
  torture::Shared<std::uint64_t> round;
  torture::Child child([&] {
    Scheduler::break_by(fault);
    for (; *round < limit; ++*round) {
      if (!play_round(*round).trouble.empty()) return 1;
    }
    return 0;
  });
  child.wait();
  ::testing::Test::RecordProperty("rounds", std::to_string(*round));
  return *round;
}

TEST(Schedules, FindMemoryThatIsUsedAgainTooEarly) {
  EXPECT_LT(rounds_until_found(Fault::epochs_pass_at_once, 3000), 3000u);
}

TEST(Schedules, FindAWriteThatIsShownBeforeItIsWritten) {
  EXPECT_LT(rounds_until_found(Fault::shown_before_written, 3000), 3000u);
}

TEST(Schedules, FindASearchThatMissesWhoHasDeparted) {
  EXPECT_LT(rounds_until_found(Fault::departed_are_not_seen, 3000), 3000u);
}

TEST(Schedules, FindTwoWritesOfAKeyThatMeet) {
  EXPECT_LT(rounds_until_found(Fault::writes_of_a_key_meet, 3000), 3000u);
}

TEST(Schedules, FindNothingWhereNothingIsBroken) {
  const std::uint64_t rounds = scaled(60);  // torture_schedules plays thousands
  EXPECT_EQ(rounds_until_found(Fault::none, rounds), rounds);
}

TEST(Schedules, RepeatFromTheirSeed) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const RoundReport once = play_round(seed);
    const RoundReport again = play_round(seed);
    EXPECT_EQ(once.steps, again.steps) << once.scenario << ", seed " << seed;
  }
}

TEST(Scheduler, RunsOneBodyAtATimeInTheOrderOfItsSeed) {
  const auto order_of = [](std::uint64_t seed) {
    std::vector<int> order;
    std::vector<std::function<void()>> bodies;
    for (int body = 0; body < 3; ++body) {
      bodies.emplace_back([&order, body] {
        for (int i = 0; i < 20; ++i) {
          order.push_back(body);
          schedule_point("a step");
        }
      });
    }
    Scheduler(seed).run(bodies);
    return order;
  };
  EXPECT_EQ(order_of(1).size(), 60u);
  EXPECT_EQ(order_of(1), order_of(1));
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 10; ++seed)
    differs = differs || order_of(seed) != order_of(1);
  EXPECT_TRUE(differs);
}

TEST(Scheduler, AMutexHandsTheBatonOnInsteadOfWaiting) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Mutex mutex;
    int inside = 0;
    int most = 0;
    std::vector<std::function<void()>> bodies(4, [&] {
      for (int i = 0; i < 5; ++i) {
        const std::lock_guard lock(mutex);
        most = std::max(most, ++inside);
        schedule_point("inside");
        --inside;
      }
    });
    Scheduler(seed).run(bodies);
    EXPECT_EQ(most, 1);
  }
}

}  // namespace
}  // namespace skerry::testing

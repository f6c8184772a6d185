#include "runbook.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>

#include "player.h"
#include "small_set.h"

namespace skerry::bench {
namespace {

namespace fs = std::filesystem;

class RunbookTest : public testing::Test {
 protected:
  RunbookTest()
      : path_(testing::TempDir() + "skerry_runbook_" + std::to_string(getpid()) + ".yaml") {}
  ~RunbookTest() override { fs::remove(path_); }

  Runbook read(const std::string& text) {
    std::ofstream(path_) << text;
    return read_runbook(path_);
  }

  // What is said of it, without the path before it.
  template <class Call>
  std::string failure(const Call& call) {
    try {
      call();
    } catch (const std::runtime_error& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.rfind(path_, 0), 0u) << text;
      return text.substr(path_.size() + 2);
    }
    return "";
  }
  std::string refusal(const std::string& text) {
    return failure([&] { read(text); });
  }
  std::string shortage(const std::string& text, std::size_t rows) {
    const Runbook runbook = read(text);
    return failure([&] { most_live(runbook, rows); });
  }

  const std::string path_;
};

Dataset test_set() {
  return small_set({.dimension = 12, .latent = 4, .clusters = 8}, 400, 5);
}

TEST_F(RunbookTest, SaysWhatHappensWithRepetitionsWrittenOut) {
  const Runbook book = read(
      "order: drift\nseed: 9\nfresh_every: 3\nsteps:\n  - insert: 50%\n  - search\n  - repeat: 2\n"
      "    steps:\n      - delete: 20\n        which: oldest\n      - refill: next\n"
      "  - replace: 50%\n    region: 10%\n  - refill: near\n");
  EXPECT_EQ(book.order, Order::drift);
  EXPECT_EQ(book.seed, 9u);
  EXPECT_EQ(book.fresh_every, 3u);
  using Verb = Step::Verb;
  std::vector<Verb> verbs;
  for (const Step& step : book.steps) verbs.push_back(step.verb);
  EXPECT_EQ(verbs, (std::vector<Verb>{Verb::insert, Verb::search, Verb::remove, Verb::refill,
                                      Verb::remove, Verb::refill, Verb::replace, Verb::refill}));
  EXPECT_EQ(book.steps[0].amount.of(301), 151u);
  EXPECT_EQ(book.steps[2].amount.of(301), 20u);
  EXPECT_TRUE(book.steps[2].is_oldest);
  EXPECT_EQ(book.steps[2].line, 9u);
  EXPECT_FALSE(book.steps[3].is_near);
  EXPECT_EQ(book.steps[6].region->of(400), 40u);
  EXPECT_TRUE(book.steps[7].is_near);
  EXPECT_EQ(most_live(book, 400), 220u);
}

TEST_F(RunbookTest, AMistakeIsNamedWithItsLineWhatWasExpectedAndWhatWasGiven) {
  EXPECT_EQ(refusal("steps: []\n"), "line 1: expected a list of steps; given a list");
  EXPECT_EQ(refusal("seed: 3\n"), "line 1: expected a list `steps`; given none");
  EXPECT_EQ(refusal("order: file\nspeed: 3\nsteps: [search]\n"),
            "line 2: expected one of order, seed, fresh_every, steps; given speed");
  EXPECT_EQ(refusal("order: sideways\nsteps: [search]\n"),
            "line 1: expected one of file, random, drift; given sideways");
  EXPECT_EQ(refusal("steps:\n  - insert: 5\n  - insert: 120%\n"),
            "line 3: expected a count from 1, or a part such as 5%; given 120%");
  EXPECT_EQ(refusal("steps:\n  - insert: half\n"),
            "line 2: expected a count from 1, or a part such as 5%; given half");
  for (const char* amount : {"inf", "nan%", "1e300", "2.5", "0", "-3", "5 %"}) {
    EXPECT_EQ(
        refusal(std::string("steps:\n  - insert: ") + amount + "\n"),
        std::string("line 2: expected a count from 1, or a part such as 5%; given ") + amount);
  }
  EXPECT_EQ(refusal("steps:\n  - replace: 5%\n    which: oldest\n"),
            "line 3: expected one of replace, region; given which");
  EXPECT_EQ(refusal("steps:\n  - look\n"),
            "line 2: expected search, or a map with one of insert, delete, refill, replace, "
            "repeat; given look");
  EXPECT_EQ(refusal("steps:\n  - repeat: 3\n"),
            "line 2: expected a list `steps` beside `repeat`; given none");
  EXPECT_EQ(refusal("steps:\n  - repeat: 0\n    steps: [search]\n"),
            "line 2: expected a whole number from 1; given 0");
  EXPECT_EQ(refusal("steps:\n  - refill: soon\n"),
            "line 2: expected one of next, near; given soon");
  EXPECT_EQ(refusal("seed: 1\nseed: 2\nsteps: [search]\n"),
            "line 2: expected one `seed`; given two");
  EXPECT_EQ(refusal("steps:\n  - delete: 5%\n    which: oldest\n    region: 5%\n"),
            "line 4: expected no region beside `which: oldest`; given one");
  EXPECT_EQ(refusal("steps: [search\n").substr(0, 13), "line 2: expec");
  EXPECT_EQ(refusal("steps:\n  - repeat: 2000000\n    steps: [search]\n"),
            "line 2: expected 1000000 steps at most, repetitions counted; given more");
  EXPECT_THROW(read_runbook(path_ + ".absent"), std::runtime_error);
}

TEST_F(RunbookTest, WhatASetCannotGiveIsSaidBeforeAnythingIsDone) {
  EXPECT_EQ(shortage("steps:\n  - insert: 60%\n  - insert: 60%\n", 100),
            "line 3: expected 40 rows that are not live at most; given 60");
  EXPECT_EQ(shortage("steps:\n  - insert: 60%\n  - replace: 90%\n", 100),
            "line 3: expected 40 rows that are not live at most; given 54");
  EXPECT_EQ(shortage("steps:\n  - insert: 10\n  - delete: 11\n", 100),
            "line 3: expected 10 vectors that are live at most; given 11");
  EXPECT_EQ(shortage("steps:\n  - insert: 10\n  - refill: next\n", 100),
            "line 3: expected a `delete` before it; given none");
  EXPECT_EQ(shortage("steps:\n  - insert: 10\n  - delete: 5\n  - refill: near\n", 100),
            "line 4: expected a step with a region before it; given none");
  EXPECT_EQ(shortage("steps:\n  - search\n", 100),
            "line 2: expected something live to be searched; given none");
  EXPECT_EQ(shortage("steps:\n  - replace: 1%\n    region: 5%\n", 100),
            "line 2: expected something live for a region; given none");
}

// Every runbook that ships, on a small set: what the player says is consistent, and no row is in
// two places.
TEST(Runbooks, ThatShipArePlayedToTheirEnds) {
  const Dataset set = test_set();
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(SKERRY_RUNBOOKS)) {
    SCOPED_TRACE(file.path().string());
    ++count;
    const Runbook book = read_runbook(file.path());
    const std::size_t most = most_live(book, set.base.rows);
    Player player(book, set);
    Player again(book, set);
    std::map<Key, std::uint32_t> model;
    std::size_t most_seen = 0;
    for (const Step& step : book.steps) {
      const std::vector<Change> same = again.play(step);
      std::size_t i = 0;
      for (const Change& change : player.play(step)) {
        ASSERT_LT(i, same.size());
        ASSERT_EQ(change.key, same[i].key);
        ASSERT_EQ(change.row, same[i++].row);
        ASSERT_EQ(model.contains(change.key), change.verb != Step::Verb::insert);
        if (change.verb == Step::Verb::remove) {
          model.erase(change.key);
        } else {
          model[change.key] = change.row;
        }
      }
      ASSERT_EQ(model, player.live());
      std::set<std::uint32_t> rows;
      for (const auto& [key, row] : model) rows.insert(row);
      ASSERT_EQ(rows.size(), model.size());
      most_seen = std::max(most_seen, model.size());
    }
    EXPECT_EQ(most_seen, most);
  }
  EXPECT_EQ(count, 6u);
}

class PlayerTest : public RunbookTest {
 protected:
  const Dataset set_ = test_set();
};

TEST_F(PlayerTest, WhatReplacesWasNotLiveAndTheKeyStays) {
  const Runbook book = read("steps:\n  - insert: 100\n  - replace: 10%\n");
  Player player(book, set_);
  player.play(book.steps[0]);
  const std::map<Key, std::uint32_t> before = player.live();
  std::set<std::uint32_t> rows;
  for (const auto& [key, row] : before) rows.insert(row);
  const std::vector<Change> changes = player.play(book.steps[1]);
  EXPECT_EQ(changes.size(), 10u);
  for (const Change& change : changes) {
    EXPECT_TRUE(before.contains(change.key));
    EXPECT_FALSE(rows.contains(change.row));
    EXPECT_EQ(player.live().at(change.key), change.row);
  }
}

TEST_F(PlayerTest, TheOldestGoFirstAndAKeyIsNeverUsedAgain) {
  const Runbook book = read(
      "order: file\nsteps:\n  - insert: 10\n  - delete: 4\n    which: oldest\n  - refill: next\n");
  Player player(book, set_);
  for (const Step& step : book.steps) player.play(step);
  std::map<Key, std::uint32_t> expected;
  for (std::uint32_t i = 4; i < 14; ++i) expected[i] = i;
  EXPECT_EQ(player.live(), expected);
}

TEST_F(PlayerTest, ARegionIsTheNearestOfOnePlaceAndItsRefillIsFromThere) {
  const Runbook book =
      read("steps:\n  - insert: 50%\n  - delete: 100%\n    region: 20\n  - refill: near\n");
  Player player(book, set_);
  player.play(book.steps[0]);
  const std::map<Key, std::uint32_t> before = player.live();
  const std::vector<Change> gone = player.play(book.steps[1]);
  ASSERT_EQ(gone.size(), 20u);
  // One of them has all others among its nearest.
  const auto distance = [&](std::uint32_t a, std::uint32_t b) {
    return exact_distance(Metric::l2, set_.base.row(a), set_.base.row(b), set_.base.dimension);
  };
  std::set<Key> keys;
  for (const Change& change : gone) keys.insert(change.key);
  const bool has_centre = std::any_of(keys.begin(), keys.end(), [&](Key centre) {
    double farthest_in = 0, nearest_out = 1e300;
    for (const auto& [key, row] : before) {
      const double apart = distance(before.at(centre), row);
      if (keys.contains(key)) {
        farthest_in = std::max(farthest_in, apart);
      } else {
        nearest_out = std::min(nearest_out, apart);
      }
    }
    return farthest_in <= nearest_out;
  });
  EXPECT_TRUE(has_centre);
  // The removed rows wait too and lie nearest: they come back.
  std::set<std::uint32_t> back, removed;
  for (const Change& change : player.play(book.steps[2])) back.insert(change.row);
  for (const Key key : keys) removed.insert(before.at(key));
  std::vector<std::uint32_t> both;
  std::set_intersection(back.begin(), back.end(), removed.begin(), removed.end(),
                        std::back_inserter(both));
  EXPECT_FALSE(both.empty());
}

TEST_F(PlayerTest, DriftComesFromOneEnd) {
  const Runbook book = read("order: drift\nsteps:\n  - insert: 20\n");
  Player player(book, set_);
  player.play(book.steps[0]);
  // Those that came first lie nearer to each other than rows do in general.
  const auto spread = [&](const std::vector<std::uint32_t>& rows) {
    double sum = 0;
    for (const std::uint32_t a : rows) {
      for (const std::uint32_t b : rows) {
        sum += exact_distance(Metric::l2, set_.base.row(a), set_.base.row(b), set_.base.dimension);
      }
    }
    return sum / static_cast<double>(rows.size() * rows.size());
  };
  std::vector<std::uint32_t> first, all;
  for (const auto& [key, row] : player.live()) first.push_back(row);
  for (std::uint32_t row = 0; row < set_.base.rows; ++row) all.push_back(row);
  EXPECT_LT(spread(first), 0.7 * spread(all));
}

}  // namespace
}  // namespace skerry::bench

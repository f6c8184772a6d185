#include "base/watch.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace skerry {
namespace {

using Told = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

TEST(Watch, WithoutAControlNobodyIsAsked) {
  Watch watch{Control(), 10};
  EXPECT_TRUE(watch.is_idle());
  EXPECT_TRUE(watch.begin().ok());
  EXPECT_TRUE(watch.at(10).ok());
  EXPECT_TRUE(watch.again().ok());
  EXPECT_TRUE(watch.finish().ok());
  EXPECT_TRUE(watch.inner().is_none());
}

TEST(Watch, TellsNumbersThatNeverFallAndNeverPassTheTotal) {
  Told told;
  const auto listen = [&](std::uint64_t done, std::uint64_t total) {
    told.emplace_back(done, total);
    return true;
  };
  Watch watch(Control::watched_by(listen), 10);
  EXPECT_TRUE(watch.begin().ok());
  EXPECT_TRUE(watch.at(4).ok());
  EXPECT_TRUE(watch.at(2).ok());  // began anew: as far as before
  EXPECT_TRUE(watch.advance(100).ok());
  EXPECT_TRUE(watch.finish().ok());
  EXPECT_EQ(told, (Told{{0, 10}, {4, 10}, {10, 10}, {10, 10}}));
}

TEST(Watch, AsksAFewHundredTimesInAll) {
  std::uint64_t asked = 0;
  const auto count = [&](std::uint64_t, std::uint64_t) { return ++asked != 0; };
  Watch watch(Control::watched_by(count), 100'000);
  for (int i = 0; i < 100'000; ++i) EXPECT_TRUE(watch.advance(1).ok());
  EXPECT_GT(asked, 200U);
  EXPECT_LT(asked, 300U);
}

TEST(Watch, KeepsTheFirstNoAndDoesNotAskAgain) {
  int asked = 0;
  const auto refuse = [&](std::uint64_t done, std::uint64_t) {
    ++asked;
    return done < 3;
  };
  Watch watch(Control::watched_by(refuse), 5);
  EXPECT_TRUE(watch.begin().ok());
  EXPECT_EQ(watch.at(3).code(), Code::cancelled);
  EXPECT_EQ(watch.at(4).code(), Code::cancelled);
  EXPECT_EQ(watch.finish().code(), Code::cancelled);
  EXPECT_EQ(watch.status().code(), Code::cancelled);
  EXPECT_EQ(asked, 2);
}

TEST(Watch, TheDeadlineIsLookedAtBeforeAnybodyIsAsked) {
  int asked = 0;
  const auto count = [&](std::uint64_t, std::uint64_t) { return ++asked != 0; };
  Control control = Control::watched_by(count);
  control.deadline = std::chrono::steady_clock::time_point::min();
  Watch watch(control, 5);
  EXPECT_STREQ(watch.begin().text(), Watch::late().text());
  EXPECT_EQ(asked, 0);
}

TEST(Watch, ACallInsideIsToldOfAsItsOuterOne) {
  Told told;
  const auto listen = [&](std::uint64_t done, std::uint64_t total) {
    told.emplace_back(done, total);
    return told.size() < 3;
  };
  Watch outer(Control::watched_by(listen), 10);
  EXPECT_TRUE(outer.at(7).ok());
  Watch inner(outer.inner(), 1000);
  EXPECT_TRUE(inner.begin().ok());
  EXPECT_EQ(inner.at(500).code(), Code::cancelled);
  EXPECT_EQ(outer.status().code(), Code::cancelled);
  EXPECT_EQ(told, (Told{{7, 10}, {7, 10}, {7, 10}}));
}

}  // namespace
}  // namespace skerry

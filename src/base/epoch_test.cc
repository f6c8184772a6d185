#include "base/epoch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace skerry {
namespace {

TEST(Epoch, TagWithNobodyInsideHasPassed) {
  const std::uint64_t tag = epoch_tag();
  EXPECT_TRUE(epoch_passed(tag));
}

TEST(Epoch, GuardHeldSinceBeforeTheTagHoldsItUp) {
  std::uint64_t tag = 0;
  {
    EpochGuard guard;
    tag = epoch_tag();
    EXPECT_FALSE(epoch_passed(tag));
    { EpochGuard nested; }
    EXPECT_FALSE(epoch_passed(tag)) << "an inner guard's end must not end the outer one";
  }
  EXPECT_TRUE(epoch_passed(tag));
}

TEST(Epoch, GuardTakenAfterTheTagDoesNot) {
  const std::uint64_t tag = epoch_tag();
  EpochGuard guard;
  EXPECT_TRUE(epoch_passed(tag));
}

TEST(Epoch, ManyShortThreadsAndOneThatFreesSeeNoFreedValue) {
  std::atomic<int*> shared{new int(0)};
  std::vector<std::thread> readers;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 8; ++i) {
      readers.emplace_back([&] {
        for (int step = 0; step < 200; ++step) {
          EpochGuard guard;
          const int* value = shared.load(std::memory_order_acquire);
          ASSERT_GE(*value, 0);
        }
      });
    }
    for (int step = 1; step <= 50; ++step) {
      int* old = shared.exchange(new int(step), std::memory_order_acq_rel);
      const std::uint64_t tag = epoch_tag();
      while (!epoch_passed(tag)) std::this_thread::yield();
      *old = -1;
      delete old;
    }
    for (std::thread& reader : readers) reader.join();
    readers.clear();
  }
  delete shared.load();
}

TEST(Epoch, MoreThreadsThanTheFirstRecords) {
  std::vector<std::thread> threads;
  std::atomic<int> inside{0};
  std::atomic<bool> leave{false};
  for (int i = 0; i < 100; ++i) {
    threads.emplace_back([&] {
      EpochGuard guard;
      inside.fetch_add(1);
      leave.wait(false);
    });
  }
  while (inside.load() < 100) std::this_thread::yield();
  const std::uint64_t tag = epoch_tag();
  EXPECT_FALSE(epoch_passed(tag));
  leave.store(true);
  leave.notify_all();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(epoch_passed(tag));
}

TEST(Epoch, AChildOfForkDoesNotWaitForThreadsThatItDoesNotHave) {
  std::atomic<bool> is_inside{false};
  std::atomic<bool> leave{false};
  std::thread other([&] {
    EpochGuard guard;
    is_inside = true;
    is_inside.notify_all();
    leave.wait(false);
  });
  is_inside.wait(false);
  const auto in_child = [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(epoch_passed(epoch_tag()) ? 1 : 0);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status) == 1;
  };
  EXPECT_TRUE(in_child());
  {
    EpochGuard guard;
    EXPECT_FALSE(in_child()) << "the thread that forked is there, and inside";
  }
  EXPECT_FALSE(epoch_passed(epoch_tag())) << "nothing has changed in the parent";
  leave = true;
  leave.notify_all();
  other.join();
}

}  // namespace
}  // namespace skerry

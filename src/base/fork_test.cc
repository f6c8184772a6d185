// fork_test.cc - does a child see that it is one?
#include "base/fork.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry {
namespace {

TEST(Fork, AChildHasAnotherGenerationAndTheParentKeepsIts) {
  const std::uint64_t mine = fork_generation();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(fork_generation() == mine + 1 ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(fork_generation(), mine);
}

}  // namespace
}  // namespace skerry

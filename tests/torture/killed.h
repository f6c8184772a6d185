// killed.h - what does a process leave that is killed before its first system call, its second,
// ...?
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "torture/system_calls.h"

namespace skerry::torture {

// Kills the process before a call.
class Killer final : public SystemCallObserver {
 public:
  explicit Killer(std::uint64_t call) : left_(call) { system_call_observer = this; }
  int before(SystemCall& /*call*/) noexcept override {
    if (left_-- == 1) ::raise(SIGKILL);
    return 0;
  }
  void after(const SystemCall& /*call*/, std::int64_t /*result*/) noexcept override {}

 private:
  std::atomic<std::uint64_t> left_;
};

// Calls prepare(), act() in a child that is killed before its n-th system call, and check(), for n
// from 1 until act() comes through, which must be true then. How many calls it took.
template <class Prepare, class Act, class Check>
std::uint64_t killed_before_each_call(Prepare prepare, Act act, Check check) {
  for (std::uint64_t call = 1;; ++call) {
    SCOPED_TRACE("killed before call " + std::to_string(call));
    prepare();
    if (::testing::Test::HasFailure()) return call;
    const pid_t child = ::fork();
    if (child == 0) {
      const Killer killer(call);
      ::_exit(act() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    const bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(is_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) << status;
    check();
    if (!is_killed || ::testing::Test::HasFailure()) return call;
  }
}

}  // namespace skerry::torture

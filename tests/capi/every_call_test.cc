// every_call_test.cc - what does each function of c.h answer to what it should not be given?
//
// Contract: "errors: every call returns a code and a message; nothing aborts, prints or throws
// across a door". Each call of every_call.h as it should be; with each of its pointers null in
// turn; with vectors of a wrong dimension; after its database was closed; in the child of a fork.
#include "capi/every_call.h"

#include <sys/wait.h>
#include <unistd.h>

#include <string_view>

namespace skerry::testing {
namespace {

constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif
#else
    false;
#endif

class EveryCall : public ::testing::TestWithParam<Call> {
 protected:
  // Expects the code, its name at the head of a sentence, and each of the words in it.
  static void expect_error(const skerry_error& error, skerry_code code, skerry_code expected,
                           std::initializer_list<std::string_view> words) {
    const std::string_view message = error.message;
    EXPECT_EQ(code, expected) << message;
    EXPECT_EQ(error.code, code);
    EXPECT_EQ(error.length, message.size());
    const std::string_view name = skerry_code_name(expected);
    EXPECT_TRUE(message.starts_with(name) && message.size() > name.size() + 4) << message;
    for (const std::string_view word : words) {
      EXPECT_NE(message.find(word), std::string_view::npos) << message << " does not say " << word;
    }
  }
};

TEST_P(EveryCall, Works) {
  World world(GetParam().of);
  skerry_error error;
  EXPECT_EQ(GetParam().make(world, &error), SKERRY_OK) << error.message;
  EXPECT_EQ(error.code, SKERRY_OK);
  EXPECT_STREQ(error.message, "ok");
}

TEST_P(EveryCall, WorksWithoutAnError) {
  World world(GetParam().of);
  EXPECT_EQ(GetParam().make(world, nullptr), SKERRY_OK);
}

TEST_P(EveryCall, NullIsAnInvalidArgument) {
  World world(GetParam().of);
  skerry_error error;
  std::size_t pointers = 1;
  for (std::size_t at = 0; at < pointers; ++at) {
    SCOPED_TRACE(at);
    world.null_at = at;
    world.lent = 0;
    const skerry_code code = GetParam().make(world, &error);
    pointers = world.lent;
    expect_error(error, code, SKERRY_INVALID_ARGUMENT, {"expected", "given", "null"});
    EXPECT_TRUE(world.made_index == nullptr && world.made_database == nullptr &&
                world.made_collection == nullptr && world.made_snapshot == nullptr &&
                world.made_report == nullptr);
  }
  // Nothing was changed: the same call works now.
  world.null_at = SIZE_MAX;
  EXPECT_EQ(GetParam().make(world, &error), SKERRY_OK) << error.message;
}

TEST_P(EveryCall, AWrongDimensionIsAnInvalidArgument) {
  if ((GetParam().traits & kTakesVector) == 0) return;
  World world(GetParam().of);
  world.expect_wrong_dimension();
  skerry_error error;
  const skerry_code code = GetParam().make(world, &error);
  expect_error(error, code, SKERRY_INVALID_ARGUMENT, {"expected dimension 4", "given 5"});
}

TEST_P(EveryCall, AfterCloseIsClosed) {
  World world(GetParam().of);
  if (world.database == nullptr) return;
  ASSERT_EQ(skerry_database_close(world.database, nullptr), SKERRY_OK);
  skerry_error error;
  const skerry_code code = GetParam().make(world, &error);
  if ((GetParam().traits & kOutlivesClose) != 0) {
    EXPECT_EQ(code, SKERRY_OK) << error.message;
  } else {
    expect_error(error, code, SKERRY_CLOSED, {});
  }
}

TEST_P(EveryCall, InTheChildOfAForkIsClosed) {
  if (kSanitized) return;  // a sanitizer's own threads do not outlive a fork
  World world(GetParam().of);
  if (world.database == nullptr && world.index == nullptr) return;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(GetParam().make(world, nullptr));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  const bool outlives = (GetParam().traits & kOutlivesClose) != 0;
  EXPECT_EQ(WEXITSTATUS(status), outlives ? SKERRY_OK : SKERRY_CLOSED);
}

INSTANTIATE_TEST_SUITE_P(C, EveryCall, ::testing::ValuesIn(kEveryCall), name_of_call);

}  // namespace
}  // namespace skerry::testing

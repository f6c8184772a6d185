// c_no_memory_test.cc - does each function of c.h say so when there is no memory?
//
// Every request of every call is refused in turn, until the call passes. What failed left nothing
// behind: the same call works when there is memory again.
#include "capi/every_call.h"
#include "support/refusal.h"

namespace skerry::testing {
namespace {

class NoMemory : public ::testing::TestWithParam<Call> {};

TEST_P(NoMemory, IsSaidAndChangesNothing) {
  for (std::uint64_t nth = 1;; ++nth) {
    SCOPED_TRACE(nth);
    World world(GetParam().of);
    skerry_error error;
    Refusal refusal(nth);
    const skerry_code code = GetParam().make(world, &error);
    refusal.end();
    const bool is_done = refusal.refused() == 0;
    if (code != SKERRY_OK) {
      EXPECT_FALSE(is_done);
      ASSERT_EQ(code, SKERRY_OUT_OF_MEMORY) << error.message;
      EXPECT_TRUE(world.made_index == nullptr && world.made_database == nullptr &&
                  world.made_collection == nullptr && world.made_snapshot == nullptr &&
                  world.made_report == nullptr);
      const skerry_code again = GetParam().make(world, &error);
      // A clone stands without its index; a close lets go whatever it could not save.
      const bool stands = (again == SKERRY_ALREADY_EXISTS || again == SKERRY_CLOSED) &&
                          (GetParam().traits & kMayStand) != 0;
      ASSERT_TRUE(again == SKERRY_OK || stands) << error.message;
    }
    if (is_done) break;
  }
}

INSTANTIATE_TEST_SUITE_P(C, NoMemory, ::testing::ValuesIn(kEveryCall), name_of_call);

}  // namespace
}  // namespace skerry::testing

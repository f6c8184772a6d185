// model_test.cc - after any sequence of calls, does Skerry hold and find what a std::map would?
//
// A walk (support/walk.h; tenants_walk.h for many collections at once) picks the calls. The seed is
// printed; SKERRY_SEED repeats a run, SKERRY_STEPS makes it longer. torture/model.cc takes the same
// walk for a million steps.

#include <cstdlib>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "support/scale.h"
#include "support/tenants_walk.h"
#include "support/walk.h"

namespace skerry::testing {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

class ModelTest : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(, ModelTest, ::testing::Range(std::size_t{0}, worlds().size()),
                         [](const auto& info) { return worlds()[info.param].name; });

TEST_P(ModelTest, HoldsAndFindsWhatTheModelDoes) {
  const std::uint64_t seed = from_environment("SKERRY_SEED", std::random_device{}());
  const std::uint64_t steps = from_environment("SKERRY_STEPS", scaled(21'000) / worlds().size());
  Walk walk(worlds()[GetParam()], seed);
  for (std::size_t i = 0; i < steps && !HasFailure(); ++i) {
    SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed) + " step " + std::to_string(i));
    walk.step(i);
  }
  SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed));
  if (!HasFailure()) walk.survey();
  EXPECT_GE(walk.recall(), 0.95);
}

TEST(TenantsModelTest, ManyCollectionsHoldAndFindWhatTheModelsDo) {
  const std::uint64_t seed = from_environment("SKERRY_SEED", std::random_device{}());
  const std::uint64_t steps = from_environment("SKERRY_STEPS", scaled(3'000));
  TenantsWalk walk(seed);
  for (std::size_t i = 0; i < steps && !HasFailure(); ++i) {
    SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed) + " step " + std::to_string(i));
    walk.step(i);
  }
  SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed));
  if (!HasFailure()) walk.survey();
}

}  // namespace
}  // namespace skerry::testing

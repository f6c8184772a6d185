// amalgamation_test.cc - does skerry.cc, compiled as one unit, answer rightly and with the best
// kernels? (kernels_test.cc is linked beside this: it asks each target that the CPU has.)
#include "skerry.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "consumers/answer.h"

namespace {

// What the operating system says of the CPU, and of the registers that it saves.
std::set<std::string> features() {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  std::set<std::string> words;
  while (words.empty() && std::getline(info, line)) {
    if (line.starts_with("flags") || line.starts_with("Features")) {
      std::istringstream rest(line);
      for (std::string word; rest >> word;) words.insert(word);
    }
  }
  return words;
}

std::string best_target() {
  const std::set<std::string> has = features();
  const auto all = [&](std::initializer_list<const char*> names) {
    return std::all_of(names.begin(), names.end(),
                       [&](const char* name) { return has.contains(name); });
  };
  if (all({"asimddp"})) return "neon";
  if (!all({"avx2", "fma", "f16c"})) return "scalar";
  const bool wide = all({"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"});
  return wide ? "avx512" : "avx2";
}

TEST(Amalgamation, PicksTheBestKernels) {
  ASSERT_EQ(std::getenv("SKERRY_TARGET"), nullptr) << "a cap hides what is picked";
  ASSERT_FALSE(features().empty());
  EXPECT_EQ(skerry::target(), best_target());
}

TEST(Amalgamation, FindsTheNearest) {
  EXPECT_TRUE(consumer::finds_the_nearest());
}

}  // namespace

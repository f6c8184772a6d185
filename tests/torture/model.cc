// model.cc - the walks of tests/model_test.cc, for as many steps as it is told to.
//
// The worlds, and the walk over many collections as one more, share the rounds between them, each
// in a child of its own. One that fails stops; --seed and --rounds repeat it.

#include <string>

#include "gtest/gtest.h"
#include "support/tenants_walk.h"
#include "support/walk.h"
#include "torture/run.h"

namespace skerry::torture {
namespace {

struct Told {
  std::uint64_t steps;
  Words words;
};

// Puts what a check says into words that the parent sees, and prints nothing.
class Listener final : public ::testing::EmptyTestEventListener {
 public:
  explicit Listener(Words& words) : words_(words) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed()) words_.say("%s", result.summary());
  }

 private:
  Words& words_;
};

const char* name_of(std::size_t world) {
  const auto& worlds = testing::worlds();
  return world < worlds.size() ? worlds[world].name : "tenants";
}

template <class Walk>
void take(Walk& walk, std::uint64_t steps, Told& told) {
  for (told.steps = 0; told.steps < steps && !told.words.any(); ++told.steps) {
    walk.step(told.steps);
  }
  if (!told.words.any()) walk.survey();
}

// In the child. A check outside of a test is one of no name, and heard by the listener.
int walk(std::size_t world, std::uint64_t seed, std::uint64_t steps, Told& told) {
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Listener(told.words));
  if (world < testing::worlds().size()) {
    testing::Walk walk(testing::worlds()[world], seed);
    take(walk, steps, told);
    if (walk.recall() < 0.95) told.words.say("recall over the walk is %.3f", walk.recall());
  } else {
    testing::TenantsWalk walk(seed);
    take(walk, steps, told);
  }
  return told.words.any() ? 1 : 0;
}

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  using namespace skerry::torture;
  Run run("model", 30'000, argc, argv);
  const std::size_t worlds = skerry::testing::worlds().size() + 1;
  std::uint64_t done = 0;
  for (std::size_t w = 0; w < worlds; ++w) {
    const std::uint64_t steps = run.rounds() / worlds + (w < run.rounds() % worlds);
    Shared<Told> told;
    Child child([&] { return walk(w, mix(run.seed(), w), steps, *told); });
    // It hangs when it makes no step for long.
    std::uint64_t before = 0;
    while (!child.ends_within(std::chrono::seconds(1))) {
      run.progress(done + told->steps, name_of(w));
      if (told->steps == before && child.ends_within(std::chrono::minutes(2))) break;
      if (told->steps == before) child.signal();
      before = told->steps;
    }
    const int status = child.wait();
    if (told->words.any() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      run.fail(done + told->steps,
               std::string(name_of(w)) + ", its step " + std::to_string(told->steps) + ": " +
                   (told->words.any() ? told->words.text : "it " + ending(status, child.hung)));
    }
    done += steps;
  }
  return run.finish();
}

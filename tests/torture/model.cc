// model.cc - the walk of tests/model_test.cc, for as many steps as it is told to.
//
// The worlds share the rounds between them, each in a child of its own. A world stops at its first
// failure; --seed and --rounds repeat it.

#include <string>

#include "gtest/gtest.h"
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

// In the child. A check outside of a test is one of no name, and heard by the listener.
int walk(const testing::World& world, std::uint64_t seed, std::uint64_t steps, Told& told) {
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Listener(told.words));
  testing::Walk walk(world, seed);
  for (told.steps = 0; told.steps < steps && !told.words.any(); ++told.steps) {
    walk.step(told.steps);
  }
  if (!told.words.any()) walk.survey();
  if (walk.recall() < 0.95) told.words.say("recall over the walk is %.3f", walk.recall());
  return told.words.any() ? 1 : 0;
}

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  using namespace skerry::torture;
  Run run("model", 30'000, argc, argv);
  const auto& worlds = skerry::testing::worlds();
  std::uint64_t done = 0;
  for (std::size_t w = 0; w < worlds.size(); ++w) {
    const std::uint64_t steps = run.rounds() / worlds.size() + (w < run.rounds() % worlds.size());
    Shared<Told> told;
    Child child([&] { return walk(worlds[w], mix(run.seed(), w), steps, *told); });
    // It hangs when it makes no step for long.
    std::uint64_t before = 0;
    while (!child.ends_within(std::chrono::seconds(1))) {
      run.progress(done + told->steps, worlds[w].name);
      if (told->steps == before && child.ends_within(std::chrono::minutes(2))) break;
      if (told->steps == before) child.signal();
      before = told->steps;
    }
    const int status = child.wait();
    if (told->words.any() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      run.fail(done + told->steps,
               std::string(worlds[w].name) + ", its step " + std::to_string(told->steps) + ": " +
                   (told->words.any() ? told->words.text : "it " + ending(status, child.hung)));
    }
    done += steps;
  }
  return run.finish();
}

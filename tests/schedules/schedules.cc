// schedules.cc - do the protocols hold in every order of steps that chance can think of?
//
// A round is one scenario in one interleaving (scenarios.h, scheduler.h), and follows from its seed
// alone. Rounds go on in children, some hundred each, so that one that stops is counted.

#include <cstdint>
#include <string>

#include "schedules/scenarios.h"
#include "torture/run.h"

namespace skerry::torture {
namespace {

struct Told {
  std::uint64_t round;
  std::uint64_t steps;
  Words words;
};

// In the child: from told.round on, until one fails.
int play(std::uint64_t seed, std::uint64_t limit, Told& told) {
  for (; told.round < limit; ++told.round) {
    const testing::RoundReport report = testing::play_round(seed + told.round);
    told.steps += report.steps;
    if (report.trouble.empty()) continue;
    told.words.say("%s: %s", report.scenario, report.trouble.c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  using namespace skerry::torture;
  Run run("schedules", 1'000'000, argc, argv);
  Shared<Told> told;
  constexpr std::uint64_t kOfAChild = 500;
  while (told->round < run.rounds()) {
    run.progress(told->round, "trying orders");
    told->words.clear();
    const std::uint64_t limit = std::min(told->round + kOfAChild, run.rounds());
    Child child([&] { return play(run.seed(), limit, *told); });
    const int status = child.wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    const std::string what =
        told->words.any() ? told->words.text : "it " + ending(status, child.hung);
    run.fail(told->round, what + " (--rounds 1 --seed " + std::to_string(run.seed() + told->round) +
                              " repeats it)");
    ++told->round;
  }
  return run.finish(", \"steps\": " + std::to_string(told->steps));
}

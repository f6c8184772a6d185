// contended.cc - is every vector found by itself, however many threads built the graph?
//
// A round is a small index that eight threads fill together, one vector a call; in every third they
// replace and remove some on the way. Then every key is searched for by its own vector, and the
// graph is walked: no node may be out of reach. At ef 64 two searches of a round may fail, and
// one in 100,000 of all beside them; at four times as much none (docs/adr/0007 tells why). Metric,
// codes, dimension, M and the shape of the data are drawn; half of the rounds have copies among
// their vectors.

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "skerry/index.h"
#include "support/threads.h"
#include "torture/run.h"

namespace skerry::torture {
namespace {

constexpr std::size_t kThreads = 8;
constexpr std::uint32_t kVectors = 500;
constexpr std::uint32_t kEf = 64;
constexpr std::uint32_t kWideEf = 4 * kEf;
constexpr std::uint64_t kMostInRound = 2;
constexpr std::uint64_t kSearchesPerMiss = 100'000;

enum class Shape : std::uint8_t { gauss, cube, clusters };

struct Plan {
  IndexOptions options;
  Shape shape = Shape::gauss;
  bool has_copies = false;
  bool has_changes = false;

  explicit Plan(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    constexpr std::array dimensions = {2U, 4U, 8U, 16U, 24U, 32U, 64U, 96U, 128U};
    options.dimension = dimensions[random() % dimensions.size()];
    options.metric = random() % 3 == 0 ? Metric::cosine : Metric::l2;
    options.codes = random() % 2 == 0 ? Codes::exact : Codes::sq8;
    options.M = random() % 3 == 0 ? 8 : 16;
    options.ef_construction = 60 + static_cast<std::uint32_t>(random() % 141);
    options.flat_below = 0;
    options.seed = random();
    shape = static_cast<Shape>(random() % 3);
    has_copies = random() % 2 == 0;
    has_changes = random() % 3 == 0;
  }

  std::string text() const {
    constexpr std::array shapes = {"gauss", "cube", "clusters"};
    return std::string(shapes[static_cast<std::size_t>(shape)]) + ", " +
           std::to_string(options.dimension) + "-d, " + std::string(name_of(options.metric)) +
           ", " + std::string(name_of(options.codes)) + ", M " + std::to_string(options.M) +
           ", ef_construction " + std::to_string(options.ef_construction) +
           (has_copies ? ", copies" : "") + (has_changes ? ", changes" : "");
  }
};

class Vectors {
 public:
  Vectors(const Plan& plan, std::uint64_t seed, std::size_t count)
      : dimension_(plan.options.dimension), numbers_(count * dimension_) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> uniform;
    constexpr std::size_t kCentres = 20;
    std::vector<float> centres(kCentres * dimension_);
    for (float& number : centres) number = 3 * normal(random);
    for (std::size_t row = 0; row < count; ++row) {
      const std::size_t centre = random() % kCentres;
      const std::size_t copied = row != 0 && random() % 4 == 0 ? random() % row : row;
      for (std::size_t i = 0; i < dimension_; ++i) {
        float& number = numbers_[row * dimension_ + i];
        number = plan.shape == Shape::cube ? uniform(random) : normal(random);
        if (plan.shape == Shape::clusters) number = centres[centre * dimension_ + i] + number / 3;
        if (plan.has_copies) number = numbers_[copied * dimension_ + i];
      }
    }
  }
  std::span<const float> row(std::size_t i) const {
    return std::span(numbers_).subspan(i * dimension_, dimension_);
  }

 private:
  std::size_t dimension_;
  std::vector<float> numbers_;
};

bool is_found(const Index& index, std::span<const float> own, Key key, std::uint32_t ef) {
  std::array<Hit, kWideEf> hits;
  const Result<SearchResult> found = index.search(own, std::span(hits).first(ef), {.ef = ef});
  const auto end = hits.begin() + (found.ok() ? found->count : 0);
  return std::any_of(hits.begin(), end, [&](const Hit& hit) { return hit.key == key; });
}

struct Outcome {
  Words words;
  std::uint64_t missed;  // keys of all rounds that were not found by their own vectors at ef 64
};

// In the child.
int build(std::uint64_t seed, Outcome& outcome) {
  Words& words = outcome.words;
  const Plan plan(seed);
  // The second half replaces the first, in rounds with changes.
  const Vectors vectors(plan, mix(seed, 1), 2 * kVectors);
  Result<Index> made = Index::create(plan.options);
  if (!made.ok()) {
    words.say("create: %s", made.status().message().c_str());
    return 1;
  }
  Index& index = *made;
  std::atomic<Key> next{0};
  std::atomic<bool> is_good{true};
  testing::together(kThreads, [&](std::size_t) {
    for (Key key = next++; key < kVectors; key = next++) {
      bool good = index.insert(key, vectors.row(key)).ok();
      if (plan.has_changes && key % 3 == 0) {
        good = good && index.upsert(key, vectors.row(kVectors + key)).ok();
      }
      if (plan.has_changes && key % 5 == 0) {
        good = good && *index.remove(key) == 1 && index.insert(key, vectors.row(key)).ok();
      }
      if (!good) is_good = false;
    }
  });
  if (!is_good) words.say("a write was refused");
  const Result<CheckReport> report = index.check();
  if (!report.ok()) {
    words.say("%s: %s", plan.text().c_str(), report.status().message().c_str());
  } else if (report->live != kVectors || report->unreachable != 0) {
    words.say("%s: %llu live, %llu out of reach", plan.text().c_str(),
              static_cast<unsigned long long>(report->live),
              static_cast<unsigned long long>(report->unreachable));
  }
  std::vector<float> own(plan.options.dimension);
  for (Key key = 0; key < kVectors; ++key) {
    if (!index.get(key, own).ok()) words.say("%s: no key %d", plan.text().c_str(), int(key));
    if (is_found(index, own, key, kEf)) continue;
    ++outcome.missed;
    if (is_found(index, own, key, kWideEf)) continue;
    std::array<Hit, kWideEf> hits;
    const Result<Explanation> why = index.explain(own, key, hits, {}, {.ef = kWideEf});
    words.say("%s: key %d is not found by its own vector: %s, %d of %d in-links met",
              plan.text().c_str(), int(key),
              why.ok() ? name_of(why->fate).data() : why.status().message().c_str(),
              why.ok() ? int(why->in_links_met) : 0, why.ok() ? int(why->in_links) : 0);
  }
  return words.any() ? 1 : 0;
}

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  using namespace skerry::torture;
  Run run("contended_builds", 3'000, argc, argv);
  Shared<Outcome> outcome;
  Words& words = outcome->words;
  for (std::uint64_t round = 0; round < run.rounds(); ++round) {
    run.progress(round, "building");
    words.clear();
    const std::uint64_t missed_before = outcome->missed;
    Child child([&] { return build(mix(run.seed(), round), *outcome); });
    const int status = child.wait();
    if (words.any() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      run.fail(round, words.any() ? words.text : "it " + ending(status, child.hung));
    }
    if (outcome->missed > missed_before + kMostInRound) {
      run.fail(round, std::to_string(outcome->missed - missed_before) + " keys are not found");
    }
  }
  const std::uint64_t searches = run.rounds() * kVectors;
  if (outcome->missed > kMostInRound + searches / kSearchesPerMiss) {
    run.fail(run.rounds(), std::to_string(outcome->missed) + " of " + std::to_string(searches) +
                               " keys are not found");
  }
  return run.finish(", \"missed\": " + std::to_string(outcome->missed));
}

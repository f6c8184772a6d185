// generate.cc - see generate.h.
#include "generate.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "parallel.h"

namespace skerry::bench {
namespace {

// SplitMix64: a counter and a mixer; a row's own seed gives it a stream of its own.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  // In (0, 1].
  double uniform() { return (static_cast<double>(next() >> 11) + 1) * 0x1p-53; }

  // Standard normal (Box and Muller; the second of the pair is dropped, for plainness).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

std::uint64_t seed_of(std::uint64_t seed, std::uint64_t stream, std::uint64_t row) {
  Random random(seed + stream * 0xD1B54A32D192ED03ULL);
  return random.next() + row * 0x8CB92BA72F3D8DD7ULL;
}

std::vector<float> normals(std::uint64_t seed, std::size_t count, double scale) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(scale * random.normal());
  return values;
}

}  // namespace

Matrix generate(const ClusterSet& set, Stream stream, std::size_t rows, unsigned threads) {
  enum : std::uint64_t { kMap = 100, kCentres = 101 };
  const std::vector<float> map = normals(seed_of(set.seed, kMap, 0), set.latent * set.dimension, 1);
  const std::vector<float> centres =
      normals(seed_of(set.seed, kCentres, 0), set.clusters * set.latent, 1);

  std::vector<double> below(set.clusters);  // below[i]: weight of the clusters up to i
  double total = 0;
  for (std::size_t i = 0; i < set.clusters; ++i) {
    below[i] = total += 1.0 / static_cast<double>(i + 1);
  }

  Matrix out(rows, set.dimension);
  constexpr std::size_t kBlock = 1024;  // rows a piece of work
  parallel_for(
      (rows + kBlock - 1) / kBlock, threads, "generating", [&](std::size_t block, unsigned) {
        for (std::size_t row = block * kBlock; row < std::min(rows, (block + 1) * kBlock); ++row) {
          Random random(seed_of(set.seed, static_cast<std::uint64_t>(stream), row));
          const auto place = std::lower_bound(below.begin(), below.end(), random.uniform() * total);
          const auto cluster = static_cast<std::size_t>(place - below.begin());
          float* vector = out.row(row);
          for (std::size_t j = 0; j < set.latent; ++j) {
            const auto latent = static_cast<float>(centres[cluster * set.latent + j] +
                                                   set.spread * random.normal());
            const float* line = map.data() + j * set.dimension;
            for (std::size_t i = 0; i < set.dimension; ++i) vector[i] += latent * line[i];
          }
          for (std::size_t i = 0; i < set.dimension; ++i) {
            vector[i] += static_cast<float>(set.noise * random.normal());
          }
          double square = 0;
          for (std::size_t i = 0; i < set.dimension; ++i) {
            square += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
          }
          const auto scale = static_cast<float>(1 / std::sqrt(square));
          for (std::size_t i = 0; i < set.dimension; ++i) vector[i] *= scale;
        }
      });
  return out;
}

}  // namespace skerry::bench

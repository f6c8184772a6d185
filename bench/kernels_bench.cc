// kernels_bench.cc - how long does each kernel take for a row, on each target of this CPU?
//
//   skerry_kernels_bench --benchmark_filter='u8_l2/.*/784'
//
// `hot` names batches of 32 rows that stay in the nearest caches: the arithmetic alone. `cold`
// takes rows at random from a table of 256 MB: what a search feels, and what prefetching is for.
// The counter `ns_row` is the time of one row.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "simd/kernels.h"

namespace skerry::simd {
namespace {

constexpr std::size_t kBatch = 32;
constexpr std::size_t kColdBytes = std::size_t{256} << 20;

// Rows and queries begin where a cache line does, as the index keeps them.
struct alignas(64) Line {
  std::byte bytes[64];
};

struct Subject {
  std::string name;
  BatchKernel kernel;
  Scalar query;
  Scalar row;
  std::size_t in_a_byte = 1;  // components of a row, where that is more than one
};

std::vector<Subject> subjects(const Kernels& kernels) {
  const Metric metrics[] = {Metric::l2, Metric::ip, Metric::cosine};
  const Scalar scalars[] = {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::i8, Scalar::u8};
  std::vector<Subject> all;
  for (std::size_t m = 0; m < 3; ++m) {
    for (std::size_t s = 0; s < 5; ++s) {
      const std::string name = std::string(name_of(scalars[s])) + "_";
      const std::string metric(name_of(metrics[m]));
      all.push_back({name + metric, kernels.alike[m][s], scalars[s], scalars[s]});
      if (s > 0)
        all.push_back({"f32_" + name + metric, kernels.mixed[m][s], Scalar::f32, scalars[s]});
    }
  }
  all.push_back({"sq8", kernels.sq8, Scalar::i8, Scalar::u8});
  all.push_back({"rot4", kernels.rot4, Scalar::i8, Scalar::u8, 2});
  all.push_back({"b1_hamming", kernels.hamming, Scalar::b1, Scalar::b1});
  all.push_back({"b1_jaccard", kernels.jaccard, Scalar::b1, Scalar::b1});
  return all;
}

// Components that are lawful whatever their type: small floats, any integers, any bits.
void fill(std::byte* vector, Scalar scalar, std::size_t n, std::mt19937& random) {
  for (std::size_t i = 0; i < n; ++i) {
    const float value = static_cast<float>(random() % 1000) / 500 - 1;
    switch (scalar) {
      case Scalar::f32:
        std::memcpy(vector + 4 * i, &value, 4);
        break;
      case Scalar::f16: {
        const f16 half = to_f16(value);
        std::memcpy(vector + 2 * i, &half, 2);
        break;
      }
      case Scalar::bf16: {
        const bf16 half = to_bf16(value);
        std::memcpy(vector + 2 * i, &half, 2);
        break;
      }
      case Scalar::i8:
      case Scalar::u8:
        vector[i] = static_cast<std::byte>(random());
        break;
      case Scalar::b1:
        if (i % 8 == 0) vector[i / 8] = static_cast<std::byte>(random());
        break;
    }
  }
}

void score(benchmark::State& state, const Subject& subject, std::size_t n, bool cold) {
  std::mt19937 random(1);
  const std::size_t components = (n + subject.in_a_byte - 1) / subject.in_a_byte;
  const std::size_t tail = (vector_bytes(subject.row, components) + 3) / 4 * 4;
  const std::size_t stride = (tail + 16 + 63) / 64 * 64;
  const std::size_t count = cold ? kColdBytes / stride : kBatch;
  std::vector<Line> query_lines(vector_bytes(subject.query, n) / 64 + 1);
  const std::span<std::byte> query_bytes = std::as_writable_bytes(std::span(query_lines));
  fill(query_bytes.data(), subject.query, n, random);
  std::vector<Line> lines(count * stride / 64);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(lines));
  fill(bytes.data(), subject.row, components, random);
  for (std::size_t r = 0; r < count; ++r) {
    std::memcpy(bytes.data() + r * stride, bytes.data(), tail);
    const float ones[] = {1, 1, 1, 1};
    std::memcpy(bytes.data() + r * stride + tail, ones, sizeof(ones));
  }
  Query query;
  query.data = query_bytes.data();
  const Rows rows{
      bytes.data(), stride, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(tail), 4, 64};
  std::vector<std::uint32_t> slots(cold ? std::size_t{1} << 16 : kBatch);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    slots[i] = static_cast<std::uint32_t>(cold ? random() % count : i);
  }
  float out[kBatch];
  std::size_t at = 0;
  for (auto _ : state) {
    subject.kernel(query, rows, slots.data() + at, kBatch, out);
    benchmark::DoNotOptimize(out);
    at = (at + kBatch) % slots.size();
  }
  state.counters["ns_row"] = benchmark::Counter(
      static_cast<double>(kBatch) * static_cast<double>(state.iterations()) * 1e-9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_all() {
  for (const Target target : {Target::scalar, Target::avx2, Target::avx512, Target::neon}) {
    const Kernels* kernels = kernels_of(target);
    if (kernels == nullptr) continue;
    for (const Subject& subject : subjects(*kernels)) {
      for (const std::size_t n : {100, 128, 384, 784, 1536}) {
        for (const bool cold : {false, true}) {
          const std::string name = subject.name + "/" + kernels->name + "/" + std::to_string(n) +
                                   (cold ? "/cold" : "/hot");
          benchmark::RegisterBenchmark(name.c_str(), score, subject, n, cold);
        }
      }
    }
  }
}

}  // namespace
}  // namespace skerry::simd

int main(int argc, char** argv) {
  skerry::simd::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

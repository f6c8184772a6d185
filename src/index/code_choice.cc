#include "index/code_choice.h"

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "index/engine.h"
#include "index/search_plan.h"
#include "quant/exact_codes.h"
#include "quant/short_codes.h"

namespace skerry {
namespace {

constexpr std::size_t kQueries = 64;
constexpr std::size_t kWorthMeasuring = 64;  // vectors
constexpr std::size_t kNearest = 10;
constexpr double kEnough = 0.99;                             // of the nearest
constexpr std::uint32_t kManyComponents = 300;               // for four bits of each
constexpr std::size_t kSampleBytes = std::size_t{16} << 20;  // of exact rows

// The codes that there are beside the exact rows, the cheapest first. In memory, those alone that
// cost less than these.
std::vector<ShortCodes> candidates_of(const IndexOptions& options, const ExactCodes& exact) {
  std::vector<ShortCodes> candidates;
  const double limit = cost_of_distance(exact.stride());
  for (const Codes codes : {Codes::sq8, Codes::rot4}) {
    const std::optional<ShortCodes> made = ShortCodes::of(options, codes);
    if (!made) continue;
    if (options.vectors == Vectors::memory && cost_of_distance(made->stride()) >= limit) continue;
    candidates.push_back(*made);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return cost_of_distance(a.stride()) < cost_of_distance(b.stride());
  });
  return candidates;
}

Codes choose_by_dimension(const IndexOptions& options, std::span<const ShortCodes> candidates) {
  const Codes wanted = options.dimension >= kManyComponents ? Codes::rot4 : Codes::sq8;
  const bool is_there =
      std::any_of(candidates.begin(), candidates.end(),
                  [&](const ShortCodes& codes) { return codes.kind() == wanted; });
  return is_there ? wanted : Codes::exact;
}

// The sample as exact rows, some of which are asked for their nearest among the others.
class Trial {
 public:
  Trial(const ExactCodes& exact, std::span<const VectorView> sample)
      : exact_(exact),
        count_(sample.size()),
        queries_(std::min(kQueries, count_)),
        nearest_(std::min(kNearest, count_ - 1)),
        numbers_(count_),
        truth_(queries_ * count_),
        reach_(queries_) {
    for (std::uint32_t i = 0; i < count_; ++i) numbers_[i] = i;
    if (!rows_.reserve(count_ * exact.stride()).ok()) throw std::bad_alloc();
    for (std::size_t i = 0; i < count_; ++i) exact.encode(sample[i], row(i));
    Buffer<std::byte> scratch = scratch_of(exact);
    for (std::size_t q = 0; q < queries_; ++q) {
      const QueryCode code = exact.prepare(exact.vector(row(query(q))), scratch.data());
      measure(q, code, exact.rows(rows_.data()), distances_of(q));
      std::vector<float> sorted(distances_of(q), distances_of(q) + count_);
      const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(nearest_ - 1);
      std::nth_element(sorted.begin(), last, sorted.end());
      reach_[q] = *last;
    }
  }

  // Which part of the nearest is among those that a search would keep by these codes?
  double recall(const ShortCodes& codes) const {
    Buffer<std::byte> rows;
    if (!rows.reserve(count_ * codes.stride()).ok()) throw std::bad_alloc();
    Buffer<std::byte> scratch = scratch_of(codes);
    for (std::size_t i = 0; i < count_; ++i) {
      codes.encode(exact_.vector(row(i)), rows.data() + i * codes.stride(), scratch.data());
    }
    const std::size_t kept = std::min(nearest_ + nearest_ / 2, count_ - 1);
    std::vector<float> by_code(count_);
    std::vector<std::uint32_t> order(count_);
    std::size_t found = 0;
    for (std::size_t q = 0; q < queries_; ++q) {
      const QueryCode code = codes.prepare(exact_.vector(row(query(q))), scratch.data());
      measure(q, code, codes.rows(rows.data()), by_code.data());
      order = numbers_;
      const auto end = order.begin() + static_cast<std::ptrdiff_t>(kept);
      std::nth_element(order.begin(), end, order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return by_code[a] != by_code[b] ? by_code[a] < by_code[b] : a < b;
      });
      // Of equals anyone will do.
      const auto near = std::count_if(
          order.begin(), end, [&](std::uint32_t i) { return truth_[q * count_ + i] <= reach_[q]; });
      found += std::min<std::size_t>(static_cast<std::size_t>(near), nearest_);
    }
    return static_cast<double>(found) / static_cast<double>(queries_ * nearest_);
  }

 private:
  template <class Coder>
  static Buffer<std::byte> scratch_of(const Coder& coder) {
    Buffer<std::byte> scratch;
    if (!scratch.reserve(coder.scratch_bytes() + 1).ok()) throw std::bad_alloc();
    return scratch;
  }

  std::byte* row(std::size_t i) const noexcept { return rows_.data() + i * exact_.stride(); }
  std::size_t query(std::size_t q) const noexcept { return q * count_ / queries_; }
  float* distances_of(std::size_t q) noexcept { return truth_.data() + q * count_; }

  // From a query to all but itself.
  void measure(std::size_t q, const QueryCode& code, const simd::Rows& rows, float* out) const {
    code.kernel(code.query, rows, numbers_.data(), count_, out);
    out[query(q)] = std::numeric_limits<float>::infinity();
  }

  const ExactCodes& exact_;
  std::size_t count_;
  std::size_t queries_;
  std::size_t nearest_;
  std::vector<std::uint32_t> numbers_;
  Buffer<std::byte> rows_;
  std::vector<float> truth_;  // exact distances, count_ a query
  std::vector<float> reach_;  // of each query: of the last of the nearest
};

}  // namespace

std::size_t code_sample_rows(const IndexOptions& options) noexcept {
  const std::size_t bytes = vector_bytes(options.scalar, options.dimension);
  return std::clamp(kSampleBytes / bytes, kWorthMeasuring, kCodeSample);
}

Result<Codes> choose_codes(const IndexOptions& options, std::span<const VectorView> sample) try {
  const ExactCodes exact(options.metric, options.scalar, options.dimension, options.custom);
  const std::vector<ShortCodes> candidates = candidates_of(options, exact);
  if (candidates.empty()) return Codes::exact;
  if (sample.size() < kWorthMeasuring) return choose_by_dimension(options, candidates);
  const Trial trial(exact, sample.first(std::min(sample.size(), code_sample_rows(options))));
  double best = -1;
  Codes best_codes = Codes::exact;
  for (const ShortCodes& codes : candidates) {
    const double recall = trial.recall(codes);
    if (recall >= kEnough) return codes.kind();
    if (recall > best) {
      best = recall;
      best_codes = codes.kind();
    }
  }
  return options.vectors == Vectors::disk ? best_codes : Codes::exact;
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory to choose codes");
}

// Of all that live and all that come, evenly.
Result<Codes> Engine::choose(const MatrixView& coming) const try {
  const Storage& storage = writable();
  const Slot used = storage.used.load(std::memory_order_relaxed);
  std::vector<Slot> live;
  live.reserve(used);
  for (Slot slot = 0; slot < used; ++slot) {
    const SlotState& state = storage.states[slot];
    if (state.born.load(std::memory_order_relaxed) != 0 && !state.is_dead()) live.push_back(slot);
  }
  const std::size_t all = live.size() + coming.rows();
  const std::size_t count = std::min(all, code_sample_rows(options_));
  std::vector<VectorView> sample;
  sample.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * all / count;
    if (at >= live.size()) {
      sample.push_back(coming.row(at - live.size()));
    } else if (storage.checked_vectors.admit(&live[at], 1)) {  // else it is damaged
      sample.push_back(exact_.vector(storage.vector(live[at])));
    }
  }
  return choose_codes(options_, sample);
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory to choose codes");
}

}  // namespace skerry

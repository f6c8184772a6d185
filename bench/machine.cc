// machine.cc - see machine.h.
//
// The one file of the bench, beside that of the kernels, that sees behind the public headers: what
// it measures is the library's own memory, its own rows and its own kernels.
#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <stdexcept>

#include "base/stable_memory.h"
#include "clock.h"
#include "curve.h"
#include "must.h"
#include "quant/exact_codes.h"
#include "quant/quantizer.h"
#include "quant/short_codes.h"
#include "stop.h"

namespace skerry::bench {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kPage = 4096;

// -- the clock ------------------------------------------------------------------------------------

// work() does some pieces and returns how many. The first call warms up.
template <class Work>
Timing ns_a_piece(const Effort& effort, Work work) {
  work();
  std::vector<double> ns;
  for (std::uint32_t run = 0; run < effort.runs; ++run) {
    std::size_t pieces = 0;
    double spent = 0;
    for (const double began = thread_seconds(); spent < effort.seconds;
         spent = thread_seconds() - began) {
      check_stop();
      pieces += work();
    }
    ns.push_back(spent * 1e9 / static_cast<double>(pieces));
  }
  return {median(ns), *std::min_element(ns.begin(), ns.end())};
}

// -- records --------------------------------------------------------------------------------------

// Records that are read between two looks at the clock.
constexpr std::size_t kBlock = 4096;
// Before one is drawn again so much was read that no cache has it still.
constexpr std::size_t kBytesDrawn = std::size_t{256} << 20;
constexpr std::size_t kLeastDrawn = 16 * kBlock;

// One word of each line brings the line; what is summed is 0 in fact, and no compiler knows it.
[[gnu::always_inline]] inline std::uint64_t read_record(const std::byte* record,
                                                        std::size_t bytes) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < bytes; at += kLine) {
    std::uint32_t word;
    std::memcpy(&word, record + at, sizeof(word));
    sum += word;
  }
  return sum;
}

[[gnu::noinline]] std::uint64_t read_dependent(const simd::Rows& rows, const std::uint32_t* slots,
                                               std::size_t count) {
  std::uint64_t read = 0;
  for (std::size_t i = 0; i < count; ++i) {
    read = read_record(rows.base + (slots[i] + read) * rows.stride, rows.stride);
  }
  return read;
}

[[gnu::noinline]] std::uint64_t read_independent(const simd::Rows& rows, const std::uint32_t* slots,
                                                 std::size_t count) {
  std::uint64_t read = 0;
  for (std::size_t i = 0; i < count; ++i) {
    read += read_record(rows.base + slots[i] * rows.stride, rows.stride);
  }
  return read;
}

[[gnu::always_inline]] inline void prefetch_record(const std::byte* record, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(record + at);
}

// The loop of kernels-inl.h. tools/check_prefetch.py looks whether the compiler kept it.
[[gnu::noinline]] std::uint64_t read_prefetched(const simd::Rows& rows, const std::uint32_t* slots,
                                                std::size_t count) {
  const std::size_t bytes = std::min(rows.stride, std::size_t{rows.lines} * kLine);
  const std::size_t ahead = std::min<std::size_t>(rows.lookahead, count);
  for (std::size_t i = 0; i < ahead; ++i) {
    prefetch_record(rows.base + slots[i] * rows.stride, bytes);
  }
  std::uint64_t read = 0;
  std::size_t i = 0;
  for (; i < count - ahead; ++i) {
    prefetch_record(rows.base + slots[i + ahead] * rows.stride, bytes);
    read += read_record(rows.base + slots[i] * rows.stride, rows.stride);
  }
  for (; i < count; ++i) read += read_record(rows.base + slots[i] * rows.stride, rows.stride);
  return read;
}

std::vector<std::uint32_t> drawn(std::size_t records, std::size_t bytes, std::uint64_t seed) {
  const std::size_t enough = std::max(kBytesDrawn / std::max(bytes, kLine), kLeastDrawn);
  // Of a small table each record comes some times: more draws would only push it out of the cache.
  const std::size_t wanted = std::clamp(4 * records, kLeastDrawn, enough);
  std::vector<std::uint32_t> slots(wanted / kBlock * kBlock);
  std::mt19937_64 random(seed);
  for (std::uint32_t& slot : slots) slot = static_cast<std::uint32_t>(random() % records);
  return slots;
}

// -- rows -----------------------------------------------------------------------------------------

// Rows that are scored at once: of a step of the walk.
constexpr std::size_t kRows = 32;

StableMemory memory_of(std::size_t bytes) {
  StableMemory memory;
  check(memory.reserve(bytes));
  check(memory.grow(bytes));
  return memory;
}

// Components that are lawful whatever their type: small floats, any integers, any bits.
void fill(std::byte* vector, Scalar scalar, std::size_t dimension, std::mt19937_64& random) {
  const auto put = [&](std::size_t i, auto component) {
    std::memcpy(vector + i * sizeof(component), &component, sizeof(component));
  };
  if (scalar == Scalar::i8 || scalar == Scalar::u8 || scalar == Scalar::b1) {
    const std::size_t bytes = vector_bytes(scalar, dimension);
    for (std::size_t i = 0; i < bytes; ++i) put(i, static_cast<std::uint8_t>(random()));
    return;
  }
  for (std::size_t i = 0; i < dimension; ++i) {
    const float value = static_cast<float>(random() % 1000) / 500 - 1;
    if (scalar == Scalar::f16) {
      put(i, to_f16(value));
    } else if (scalar == Scalar::bf16) {
      put(i, to_bf16(value));
    } else {
      put(i, value);
    }
  }
}

template <Quantizer Codes>
RowCost row_of(const Codes& codes, const IndexOptions& options, const Effort& effort) {
  std::mt19937_64 random(effort.seed);
  const StableMemory vector = memory_of(vector_bytes(options.scalar, options.dimension));
  const StableMemory scratch = memory_of(codes.scratch_bytes());
  const StableMemory table = memory_of(kRows * codes.stride());
  const VectorView view(vector.base(), options.scalar, options.dimension);
  std::uint32_t slots[kRows];
  for (std::uint32_t slot = 0; slot < kRows; ++slot) {
    fill(vector.base(), options.scalar, options.dimension, random);
    codes.encode(view, table.base() + slot * codes.stride(), scratch.base());
    slots[slot] = slot;
  }
  std::shuffle(std::begin(slots), std::end(slots), random);
  fill(vector.base(), options.scalar, options.dimension, random);
  const Scorer scorer{codes.prepare(view, scratch.base()), codes.rows(table.base())};
  const Timing ns = ns_a_piece(effort, [&] {
    constexpr std::size_t kCalls = 512;  // between two looks at the clock
    float distances[kRows];
    for (std::size_t i = 0; i < kCalls; ++i) scorer(slots, kRows, distances);
    return kCalls * kRows;
  });
  return {codes.stride(), ns};
}

}  // namespace

std::string_view name_of(Way way) noexcept {
  constexpr std::string_view kNames[] = {"dependent", "independent", "prefetched"};
  return kNames[static_cast<std::size_t>(way)];
}

struct Arena::Memory {
  StableMemory memory;
  std::size_t bytes;
};

Arena::Arena(std::size_t bytes) : memory_(new Memory{memory_of(bytes), bytes}) {
  // Until it is written to, memory is one page of zeroes that all addresses share.
  for (std::size_t at = 0; at < bytes; at += kPage) {
    if (at % kBytesDrawn == 0) check_stop();
    *static_cast<volatile std::byte*>(memory_->memory.base() + at) = std::byte{0};
  }
}

Arena::~Arena() = default;

Timing Arena::record_ns(std::size_t record, std::size_t table, Way way,
                        const Effort& effort) const {
  if (record == 0 || record % 4 != 0 || table < record || table > memory_->bytes) {
    throw std::runtime_error(
        fmt::format("a table of {} bytes, of records of {}: expected a multiple of 4 for a record, "
                    "and at least one of them in at most the arena's {} bytes",
                    table, record, memory_->bytes));
  }
  const std::vector<std::uint32_t> slots = drawn(table / record, record, effort.seed);
  const simd::Rows rows = describe_rows(memory_->memory.base(), record, record, 0);
  const auto read = way == Way::dependent     ? read_dependent
                    : way == Way::independent ? read_independent
                                              : read_prefetched;
  std::size_t at = 0;
  [[maybe_unused]] volatile std::uint64_t sum = 0;  // somebody wants it
  return ns_a_piece(effort, [&] {
    sum = read(rows, slots.data() + at, kBlock);
    at = (at + kBlock) % slots.size();
    return kBlock;
  });
}

RowCost vector_row(const IndexOptions& options, const Effort& effort) {
  return row_of(ExactCodes(options.metric, options.scalar, options.dimension, options.custom),
                options, effort);
}

std::optional<RowCost> code_row(const IndexOptions& options, const Effort& effort) {
  const std::optional<ShortCodes> codes = ShortCodes::of(options);
  if (!codes) return std::nullopt;
  return row_of(*codes, options, effort);
}

}  // namespace skerry::bench

// kernels_test.cc - does every target that this CPU has compute what the headers say?
//
// Scalar is held against plain loops in double precision, each other target against scalar's
// promise by the same loops. Targets that the CPU lacks are not instantiated: the list of tests
// says what was run, and the first test prints it.
#include "simd/kernels.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <iostream>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "simd/targets.h"
#include "skerry/types.h"
#include "skerry/version.h"

namespace skerry::simd {
namespace {

constexpr Target kAllTargets[] = {Target::scalar, Target::avx2, Target::avx512, Target::neon};

std::vector<Target> targets_here() {
  std::vector<Target> here;
  for (const Target target : kAllTargets) {
    if (kernels_of(target) != nullptr) here.push_back(target);
  }
  return here;
}

// A kernel of the table and the types it takes.
struct Kind {
  enum class Family : std::uint8_t { alike, mixed, sq8, rot4, bits };
  Family family = Family::alike;
  Metric metric = Metric::l2;
  Scalar query = Scalar::f32;
  Scalar row = Scalar::f32;

  BatchKernel of(const Kernels& kernels) const {
    const auto m = static_cast<std::size_t>(metric);
    const auto r = static_cast<std::size_t>(row);
    switch (family) {
      case Family::alike:
        return kernels.alike[m][r];
      case Family::mixed:
        return kernels.mixed[m][r];
      case Family::sq8:
        return kernels.sq8;
      case Family::rot4:
        return kernels.rot4;
      case Family::bits:
        return metric == Metric::hamming ? kernels.hamming : kernels.jaccard;
    }
    return nullptr;
  }
  std::size_t tail_floats() const {
    if (family == Family::sq8) return 4;
    if (family == Family::rot4) return 3;
    return metric == Metric::cosine ? 1 : 0;
  }
  std::string name() const {
    if (family == Family::sq8) return "sq8";
    if (family == Family::rot4) return "rot4";
    return std::string(name_of(metric)) + " " + std::string(name_of(query)) + " x " +
           std::string(name_of(row));
  }
};

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    for (const Scalar row : {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::i8, Scalar::u8}) {
      kinds.push_back({Kind::Family::alike, metric, row, row});
      kinds.push_back({Kind::Family::mixed, metric, Scalar::f32, row});
    }
  }
  kinds.push_back({Kind::Family::sq8, Metric::ip, Scalar::i8, Scalar::u8});
  kinds.push_back({Kind::Family::rot4, Metric::ip, Scalar::i8, Scalar::u8});
  kinds.push_back({Kind::Family::bits, Metric::hamming, Scalar::b1, Scalar::b1});
  kinds.push_back({Kind::Family::bits, Metric::jaccard, Scalar::b1, Scalar::b1});
  return kinds;
}

std::vector<std::size_t> awkward_dimensions() {
  std::vector<std::size_t> dimensions;
  for (std::size_t n = 1; n <= 70; ++n) dimensions.push_back(n);
  for (const std::size_t n : {100, 127, 128, 129, 384, 784, 960, 1536, 4096}) {
    dimensions.push_back(n);
  }
  return dimensions;
}

void put_component(std::byte* vector, Scalar scalar, std::size_t i, double value) {
  const auto put = [&](auto component) {
    std::memcpy(vector + i * sizeof(component), &component, sizeof(component));
  };
  switch (scalar) {
    case Scalar::f32:
      return put(static_cast<float>(value));
    case Scalar::f16:
      return put(to_f16(static_cast<float>(value)));
    case Scalar::bf16:
      return put(to_bf16(static_cast<float>(value)));
    case Scalar::i8:
      return put(static_cast<std::int8_t>(value));
    case Scalar::u8:
      return put(static_cast<std::uint8_t>(value));
    case Scalar::b1: {
      const auto bit = static_cast<std::byte>(1U << (i % 8));
      if (value != 0) {
        vector[i / 8] |= bit;
      } else {
        vector[i / 8] &= ~bit;
      }
      return;
    }
  }
}

double component(const std::byte* vector, Scalar scalar, std::size_t i) {
  const auto get = [&](auto example) {
    std::memcpy(&example, vector + i * sizeof(example), sizeof(example));
    return example;
  };
  switch (scalar) {
    case Scalar::f32:
      return get(0.0F);
    case Scalar::f16:
      return to_float(get(f16{}));
    case Scalar::bf16:
      return to_float(get(bf16{}));
    case Scalar::i8:
      return get(std::int8_t{});
    case Scalar::u8:
      return get(std::uint8_t{});
    case Scalar::b1:
      return static_cast<double>(static_cast<unsigned>(vector[i / 8]) >> (i % 8) & 1);
  }
  return 0;
}

double random_component(std::mt19937_64& random, Scalar scalar) {
  switch (scalar) {
    case Scalar::i8:
      return std::uniform_int_distribution<int>(-128, 127)(random);
    case Scalar::u8:
      return std::uniform_int_distribution<int>(0, 255)(random);
    case Scalar::b1:
      return std::uniform_int_distribution<int>(0, 1)(random);
    default:
      return std::normal_distribution<double>()(random);
  }
}

bool is_integer(Scalar scalar) {
  return scalar == Scalar::i8 || scalar == Scalar::u8;
}

// A query and rows in memory whose last byte is the last before a page that must not be touched.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t body = (size + page - 1) / page * page;
    mapped_ = body + page;
    map_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(map_, MAP_FAILED);
    EXPECT_EQ(mprotect(map_ + body, page, PROT_NONE), 0);
    begin_ = map_ + body - size;
  }
  ~GuardedBytes() { munmap(map_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  std::byte* data() const { return begin_; }

 private:
  std::byte* map_ = nullptr;
  std::byte* begin_ = nullptr;
  std::size_t mapped_ = 0;
};

// A table of one kind: a query and `count` rows, `gap` bytes between them, all of it ending at a
// guard page.
struct Table {
  Table(const Kind& of, std::size_t n, std::size_t count, std::size_t gap)
      : kind(of),
        dimension(n),
        row_count(count),
        row_components(of.family == Kind::Family::rot4 ? (n + 1) / 2 : n),
        query_components(of.family == Kind::Family::rot4 ? 2 * row_components : n),
        query_bytes(vector_bytes(of.query, query_components)),
        tail((vector_bytes(of.row, row_components) + 3) / 4 * 4),
        row_bytes(of.tail_floats() == 0 ? vector_bytes(of.row, n) : tail + 4 * of.tail_floats()),
        stride(row_bytes + gap),
        queries(query_bytes),
        bytes(count * stride - gap) {
    query.data = queries.data();
  }

  std::byte* row(std::size_t r) const { return bytes.data() + r * stride; }
  float tail_float(std::size_t r, std::size_t i) const {
    float value = 0;
    std::memcpy(&value, row(r) + tail + 4 * i, 4);
    return value;
  }
  void put_tail(std::size_t r, std::size_t i, float value) const {
    std::memcpy(row(r) + tail + 4 * i, &value, 4);
  }

  double norm(const std::byte* vector, Scalar scalar) const {
    double sum = 0;
    for (std::size_t i = 0; i < dimension; ++i) {
      sum += std::pow(component(vector, scalar, i), 2);
    }
    return std::sqrt(sum);
  }
  static float inverse(double norm) { return norm == 0 ? 0.0F : static_cast<float>(1 / norm); }

  // Norms and the like, after the components are there.
  void finish(std::mt19937_64& random) {
    std::uniform_real_distribution<float> any(-2, 2);
    if (kind.family == Kind::Family::sq8 || kind.family == Kind::Family::rot4) {
      query.offset = any(random);
      query.scale = any(random) / 100;
      query.sum = any(random);
      query.cross = any(random);
      for (std::size_t r = 0; r < row_count; ++r) {
        for (std::size_t i = 0; i < kind.tail_floats(); ++i) put_tail(r, i, any(random));
      }
    } else if (kind.metric == Metric::cosine) {
      query.scale = inverse(norm(queries.data(), kind.query));
      for (std::size_t r = 0; r < row_count; ++r) put_tail(r, 0, inverse(norm(row(r), kind.row)));
    }
  }
  void fill(std::mt19937_64& random) {
    for (std::size_t i = 0; i < query_components; ++i) {
      put_component(queries.data(), kind.query, i, random_component(random, kind.query));
    }
    for (std::size_t i = 0; i < row_components; ++i) {
      for (std::size_t r = 0; r < row_count; ++r) {
        put_component(row(r), kind.row, i, random_component(random, kind.row));
      }
    }
    finish(random);
  }

  Rows rows(std::uint32_t lookahead = 4, std::uint32_t lines = 8) const {
    return {bytes.data(),
            stride,
            static_cast<std::uint32_t>(dimension),
            static_cast<std::uint32_t>(tail),
            lookahead,
            lines};
  }

  std::vector<float> run(const Kernels& kernels, const std::vector<std::uint32_t>& slots,
                         std::uint32_t lookahead = 4, std::uint32_t lines = 8) const {
    // One more, to see that nothing is written behind.
    std::vector<float> out(slots.size() + 1, 12345.0F);
    kind.of(kernels)(query, rows(lookahead, lines), slots.data(), slots.size(), out.data());
    EXPECT_EQ(out.back(), 12345.0F);
    out.pop_back();
    return out;
  }
  std::vector<std::uint32_t> in_order() const {
    std::vector<std::uint32_t> slots(row_count);
    for (std::size_t r = 0; r < row_count; ++r) slots[r] = static_cast<std::uint32_t>(r);
    return slots;
  }

  Kind kind;
  std::size_t dimension;
  std::size_t row_count;
  std::size_t row_components;  // of rot4 two in a byte
  std::size_t query_components;
  std::size_t query_bytes;
  std::size_t tail;
  std::size_t row_bytes;
  std::size_t stride;
  GuardedBytes queries;
  GuardedBytes bytes;
  Query query;
};

// What the headers say the distance is, and how far from it float arithmetic may be.
struct Expected {
  double distance = 0;
  double tolerance = 0;
};

// Each addition in single precision rounds by at most 2^-24 of the running sum. The errors walk at
// random, so a sum of n terms is off by about sqrt(n) / 2 roundings of its terms' absolute sum;
// four times that never happens by chance. A handful of roundings comes on top for the formula.
double sum_tolerance(std::size_t n, double terms) {
  return (8 + 2 * std::sqrt(static_cast<double>(n))) * 0x1p-24 * terms;
}

Expected expected_rot4(const Table& table, std::size_t r) {
  double dot = 0;
  for (std::size_t j = 0; j < table.row_components; ++j) {
    const auto both = static_cast<unsigned>(table.row(r)[j]);
    dot += component(table.queries.data(), Scalar::i8, j) * (both & 15);
    dot += component(table.queries.data(), Scalar::i8, table.row_components + j) * (both >> 4);
  }
  const Query& q = table.query;
  const double factor = table.tail_float(r, 0);
  const double bias = table.tail_float(r, 1);
  const double mean = table.tail_float(r, 2);
  const double terms[] = {q.offset, bias, factor * q.sum, factor * q.scale * dot, mean * q.cross};
  double sum = 0;
  double size = 0;
  for (const double term : terms) {
    sum += term;
    size += std::abs(term);
  }
  return {sum, 8 * 0x1p-24 * size};
}

Expected expected(const Table& table, std::size_t r) {
  const Kind& kind = table.kind;
  if (kind.family == Kind::Family::rot4) return expected_rot4(table, r);
  double dot = 0;
  double terms = 0;
  double squares = 0;
  double both = 0;
  double either = 0;
  for (std::size_t i = 0; i < table.dimension; ++i) {
    const double q = component(table.queries.data(), kind.query, i);
    const double v = component(table.row(r), kind.row, i);
    dot += q * v;
    terms += std::abs(q * v);
    squares += (q - v) * (q - v);
    both += q * v;
    either += q + v - q * v;
  }
  const bool exact = is_integer(kind.query) && is_integer(kind.row);
  const auto as_float = [](double value) { return static_cast<double>(static_cast<float>(value)); };
  if (kind.family == Kind::Family::sq8) {
    const double low = table.tail_float(r, 0);
    const double step = table.tail_float(r, 1);
    const double bias = table.tail_float(r, 2);
    const double step_sum = table.tail_float(r, 3);
    const Query& q = table.query;
    const double parts[] = {q.offset, bias, low * q.sum, step * q.scale * dot, step_sum * q.cross};
    double sum = 0;
    double size = 0;
    for (const double part : parts) {
      sum += part;
      size += std::abs(part);
    }
    return {sum, 8 * 0x1p-24 * size};
  }
  switch (kind.metric) {
    case Metric::l2:
      if (exact) return {as_float(squares), 0};
      return {squares, sum_tolerance(table.dimension, squares)};
    case Metric::ip:
      if (exact) return {as_float(1 - as_float(dot)), 0};
      return {1 - dot, sum_tolerance(table.dimension, terms) + 0x1p-24 * (1 + std::abs(dot))};
    case Metric::cosine: {
      const double q = table.norm(table.queries.data(), kind.query);
      const double v = table.norm(table.row(r), kind.row);
      if (q == 0 || v == 0) return {1, 0};
      // The terms of the cosine add up to 1 at most.
      return {std::clamp(1 - dot / (q * v), 0.0, 2.0), sum_tolerance(table.dimension, 1)};
    }
    case Metric::hamming:
      return {squares, 0};
    case Metric::jaccard:
      return {either == 0 ? 0 : 1 - both / either, either == 0 ? 0 : 0x1p-23};
    default:
      ADD_FAILURE() << "no such kernel";
      return {};
  }
}

void expect_right(const Table& table, const Kernels& kernels,
                  const std::vector<std::uint32_t>& slots, const std::vector<float>& out) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Expected want = expected(table, slots[i]);
    ASSERT_NEAR(out[i], want.distance, want.tolerance)
        << kernels.name << ", " << table.kind.name() << ", dimension " << table.dimension
        << ", stride " << table.stride << ", row " << slots[i];
  }
}

class KernelsOfTarget : public testing::TestWithParam<Target> {
 protected:
  const Kernels& kernels = *kernels_of(GetParam());
  const Kernels& scalar = *kernels_of(Target::scalar);
  std::mt19937_64 random{20240607};
};

TEST_P(KernelsOfTarget, IsNamedAndWhole) {
  std::cout << "kernels under test: " << kernels.name << '\n';
  EXPECT_EQ(kernels.target, GetParam());
  for (const Kind& kind : all_kinds()) EXPECT_NE(kind.of(kernels), nullptr) << kind.name();
  EXPECT_NE(kernels.haversine, nullptr);
}

// Rows of every kind, on dimensions around every register's size, unaligned, reading nothing behind
// the query or the last row.
TEST_P(KernelsOfTarget, AgreesWithTheDefinitionOnAwkwardDimensions) {
  for (const Kind& kind : all_kinds()) {
    for (const std::size_t n : awkward_dimensions()) {
      Table table(kind, n, 6, n % 4 == 0 ? 0 : n % 7);
      table.fill(random);
      expect_right(table, kernels, table.in_order(), table.run(kernels, table.in_order()));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(KernelsOfTarget, AgreesWithTheDefinitionOnTheLargestDimension) {
  for (const Kind& kind : all_kinds()) {
    Table table(kind, kMaxDimension, 2, 1);
    table.fill(random);
    expect_right(table, kernels, table.in_order(), table.run(kernels, table.in_order()));
    if (HasFatalFailure()) return;
  }
}

// The tests above hold the target and scalar against one definition; this holds them against each
// other, so that a tolerance too wide would be seen: half a million sums, few ulps apart.
TEST_P(KernelsOfTarget, AgreesWithScalar) {
  for (const Kind& kind : all_kinds()) {
    for (const std::size_t n : {7, 100, 128, 784}) {
      Table table(kind, n, 32, 3);
      table.fill(random);
      const std::vector<float> mine = table.run(kernels, table.in_order());
      const std::vector<float> defined = table.run(scalar, table.in_order());
      for (std::size_t r = 0; r < table.row_count; ++r) {
        ASSERT_NEAR(mine[r], defined[r], expected(table, r).tolerance) << kind.name() << ' ' << n;
      }
    }
  }
}

// Components offset by one from any alignment, and strides that are not a multiple of anything.
TEST_P(KernelsOfTarget, TakesRowsAtAnyAddress) {
  for (const Kind& kind : all_kinds()) {
    for (std::size_t gap = 0; gap < 9; ++gap) {
      Table table(kind, 133, 9, gap);
      table.fill(random);
      expect_right(table, kernels, table.in_order(), table.run(kernels, table.in_order()));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(KernelsOfTarget, TakesAnyNumberOfSlotsInAnyOrder) {
  for (const Kind& kind : all_kinds()) {
    Table table(kind, 70, 40, 0);
    table.fill(random);
    for (const std::size_t count : {0, 1, 2, 3, 4, 5, 8, 31, 200}) {
      std::vector<std::uint32_t> slots(count);
      for (auto& slot : slots) slot = static_cast<std::uint32_t>(random() % table.row_count);
      for (const std::uint32_t lookahead : {0, 1, 4, 64}) {
        for (const std::uint32_t lines : {0, 1, 8, 1000}) {
          const std::vector<float> out = table.run(kernels, slots, lookahead, lines);
          expect_right(table, kernels, slots, out);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Ties are broken by key, so equal vectors must be at equal distances wherever they stand.
TEST_P(KernelsOfTarget, ADistanceDoesNotDependOnThePlaceInTheBatch) {
  for (const Kind& kind : all_kinds()) {
    for (const std::size_t n : {3, 70, 100, 784}) {
      Table table(kind, n, 11, 5);
      table.fill(random);
      const std::vector<float> together = table.run(kernels, table.in_order());
      for (std::uint32_t r = 0; r < table.row_count; ++r) {
        ASSERT_EQ(table.run(kernels, {r})[0], together[r]) << kind.name() << ' ' << n;
      }
    }
  }
}

TEST_P(KernelsOfTarget, IntegerSumsAreExactAtTheirExtremes) {
  struct Extreme {
    Scalar scalar;
    Metric metric;
    int q;
    int v;
  };
  const Extreme extremes[] = {
      {Scalar::u8, Metric::l2, 0, 255},     {Scalar::u8, Metric::l2, 255, 0},
      {Scalar::u8, Metric::l2, 255, 255},   {Scalar::u8, Metric::l2, 128, 127},
      {Scalar::u8, Metric::ip, 255, 255},   {Scalar::u8, Metric::ip, 0, 255},
      {Scalar::i8, Metric::l2, -128, 127},  {Scalar::i8, Metric::l2, 127, -128},
      {Scalar::i8, Metric::l2, -128, -128}, {Scalar::i8, Metric::ip, -128, -128},
      {Scalar::i8, Metric::ip, -128, 127},  {Scalar::i8, Metric::ip, 127, 127},
      {Scalar::i8, Metric::ip, 127, -128},
  };
  for (const Extreme& extreme : extremes) {
    for (const std::size_t n : {1, 31, 64, 784, 65533, 65534, 65535}) {
      Table table({Kind::Family::alike, extreme.metric, extreme.scalar, extreme.scalar}, n, 2, 0);
      for (std::size_t i = 0; i < n; ++i) {
        put_component(table.queries.data(), extreme.scalar, i, extreme.q);
        put_component(table.row(0), extreme.scalar, i, extreme.v);
        put_component(table.row(1), extreme.scalar, i, i % 2 == 0 ? extreme.v : extreme.q);
      }
      expect_right(table, kernels, table.in_order(), table.run(kernels, table.in_order()));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(KernelsOfTarget, Sq8SumsAreExactAtTheirExtremes) {
  const Kind kind{Kind::Family::sq8, Metric::ip, Scalar::i8, Scalar::u8};
  for (const int q : {-128, -127, 0, 127}) {
    for (const int v : {0, 127, 128, 255}) {
      for (const std::size_t n : {1, 33, 100, 65535}) {
        Table table(kind, n, 1, 0);
        for (std::size_t i = 0; i < n; ++i) {
          put_component(table.queries.data(), Scalar::i8, i, q);
          put_component(table.row(0), Scalar::u8, i, v);
        }
        const float tail[] = {0, 1, 0, 0};
        for (std::size_t i = 0; i < 4; ++i) table.put_tail(0, i, tail[i]);
        const auto sum = static_cast<double>(q) * v * static_cast<double>(n);
        ASSERT_EQ(table.run(kernels, {0})[0], static_cast<float>(sum)) << q << " x " << v;
      }
    }
  }
}

TEST_P(KernelsOfTarget, Rot4SumsAreExactAtTheirExtremes) {
  const Kind kind{Kind::Family::rot4, Metric::ip, Scalar::i8, Scalar::u8};
  for (const int q : {-128, -127, 0, 127}) {
    for (const int low : {0, 1, 15}) {
      for (const int high : {0, 7, 15}) {
        for (const std::size_t n : {1, 2, 33, 64, 127, 384, 65535}) {
          Table table(kind, n, 1, 0);
          for (std::size_t i = 0; i < table.query_components; ++i) {
            put_component(table.queries.data(), Scalar::i8, i, q);
          }
          for (std::size_t j = 0; j < table.row_components; ++j) {
            put_component(table.row(0), Scalar::u8, j, low + 16 * high);
          }
          const float tail[] = {1, 0, 0};
          for (std::size_t i = 0; i < 3; ++i) table.put_tail(0, i, tail[i]);
          const auto sum = static_cast<double>(q) * (low + high);
          ASSERT_EQ(table.run(kernels, {0})[0],
                    static_cast<float>(sum * static_cast<double>(table.row_components)))
              << q << " x " << low << ", " << high << ", " << n;
        }
      }
    }
  }
}

// The same bits on every target, so that a code depends on its vector alone; lengths and dot
// products stay.
TEST_P(KernelsOfTarget, ARotationKeepsProductsAndIsTheSameEverywhere) {
  for (std::size_t n = 1; n <= 1100; n += n < 140 ? 1 : 159) {
    const std::size_t bytes = n * sizeof(float);
    GuardedBytes a_bytes(bytes);
    GuardedBytes b_bytes(bytes);
    GuardedBytes defined_bytes(bytes);
    GuardedBytes work_bytes(bytes);
    auto* const a = reinterpret_cast<float*>(a_bytes.data());
    auto* const b = reinterpret_cast<float*>(b_bytes.data());
    auto* const defined = reinterpret_cast<float*>(defined_bytes.data());
    auto* const work = reinterpret_cast<float*>(work_bytes.data());
    const auto products = [&] {
      double ab = 0;
      double aa = 0;
      double bb = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double x = a[i];
        const double y = b[i];
        ab += x * y;
        aa += x * x;
        bb += y * y;
      }
      return std::array{ab, aa, bb};
    };
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(random_component(random, Scalar::f32));
      b[i] = static_cast<float>(random_component(random, Scalar::f32));
    }
    std::memcpy(defined, a, bytes);
    const auto before = products();
    kernels.rotate(a, n, work);
    kernels.rotate(b, n, work);
    const auto after = products();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(after[i], before[i], 1e-5 * std::sqrt(before[1] * before[2])) << n;
    }
    scalar.rotate(defined, n, work);
    ASSERT_EQ(std::memcmp(a, defined, bytes), 0) << n;
  }
}

// One component alone is spread over all of them: none keeps more than chance gives it.
TEST_P(KernelsOfTarget, ARotationLeavesNothingInOnePlace) {
  for (const std::size_t n : {64, 96, 100, 128, 384, 784, 1000}) {
    std::vector<float> v(n);
    std::vector<float> work(n);
    for (std::size_t i = 0; i < n; ++i) {
      std::fill(v.begin(), v.end(), 0.0F);
      v[i] = 1;
      kernels.rotate(v.data(), n, work.data());
      for (const float x : v) {
        ASSERT_LE(std::abs(x) * std::sqrt(static_cast<double>(n)), 5) << n << ' ' << i;
      }
    }
  }
}

// Every bit pattern of the half-size floats: denormals, both zeroes, the largest.
TEST_P(KernelsOfTarget, WidensEveryHalf) {
  for (const Scalar scalar : {Scalar::f16, Scalar::bf16}) {
    const std::size_t n = 17;  // a register and a tail
    const std::size_t count = 65536;
    Table table({Kind::Family::mixed, Metric::ip, Scalar::f32, scalar}, n, count, 0);
    std::memset(table.queries.data(), 0, table.query_bytes);
    put_component(table.queries.data(), Scalar::f32, 0, 1);
    put_component(table.queries.data(), Scalar::f32, n - 1, 1);
    std::memset(table.row(0), 0, count * table.stride);
    for (std::size_t bits = 0; bits < count; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      std::memcpy(table.row(bits) + (bits % 2 == 0 ? 0 : 2 * (n - 1)), &half, 2);
    }
    const std::vector<float> out = table.run(kernels, table.in_order());
    for (std::size_t bits = 0; bits < count; ++bits) {
      const auto half = static_cast<std::uint16_t>(bits);
      const float value = scalar == Scalar::f16 ? to_float(f16{half}) : to_float(bf16{half});
      if (!std::isfinite(value)) continue;
      ASSERT_EQ(out[bits], 1 - value) << name_of(scalar) << " 0x" << std::hex << bits;
    }
  }
}

TEST_P(KernelsOfTarget, DenormalsAreNotFlushed) {
  for (const std::size_t n : {1, 5, 64, 67}) {
    Table table({Kind::Family::alike, Metric::l2, Scalar::f32, Scalar::f32}, n, 1, 0);
    for (std::size_t i = 0; i < n; ++i) {
      put_component(table.queries.data(), Scalar::f32, i, 0x1p-70);
      put_component(table.row(0), Scalar::f32, i, -0x1p-70);
    }
    EXPECT_EQ(table.run(kernels, {0})[0], static_cast<float>(n) * 0x1p-138F);
  }
}

TEST_P(KernelsOfTarget, AZeroVectorIsAtCosineOneFromEverything) {
  for (const Kind& kind : all_kinds()) {
    if (kind.metric != Metric::cosine) continue;
    for (const std::size_t n : {1, 8, 100}) {
      Table table(kind, n, 2, 0);
      table.fill(random);
      const auto zero = [&](std::byte* vector, Scalar scalar) {
        for (std::size_t i = 0; i < n; ++i) put_component(vector, scalar, i, 0);
      };
      zero(table.row(1), kind.row);
      table.finish(random);
      EXPECT_EQ(table.run(kernels, {1})[0], 1) << kind.name();
      zero(table.queries.data(), kind.query);
      table.finish(random);
      EXPECT_EQ(table.run(kernels, {0, 1}), (std::vector<float>{1, 1})) << kind.name();
    }
  }
}

// Norms whose squares leave single precision, in either direction, and whose inverses do.
TEST_P(KernelsOfTarget, TheCosineHoldsForEveryNorm) {
  for (const double query_size : {1e-44, 1e-30, 1.0, 1e19, 1e37}) {
    for (const double row_size : {1e-44, 1e-30, 1.0, 1e19, 1e37}) {
      Table table({Kind::Family::alike, Metric::cosine, Scalar::f32, Scalar::f32}, 100, 8, 0);
      for (std::size_t i = 0; i < table.dimension; ++i) {
        put_component(table.queries.data(), Scalar::f32, i,
                      query_size * random_component(random, Scalar::f32));
        for (std::size_t r = 0; r < table.row_count; ++r) {
          put_component(table.row(r), Scalar::f32, i,
                        row_size * random_component(random, Scalar::f32));
        }
      }
      table.finish(random);
      expect_right(table, kernels, table.in_order(), table.run(kernels, table.in_order()));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(KernelsOfTarget, HaversineIsInMetres) {
  constexpr double kRadius = 6371008.8;
  struct Pair {
    float a[2];
    float b[2];
    double metres;
    double tolerance;
  };
  const Pair pairs[] = {
      {{48.8566F, 2.3522F}, {51.5074F, -0.1278F}, 343'556, 100},  // Paris, London
      {{0, 0}, {0, 180}, std::numbers::pi * kRadius, 2},
      {{90, 0}, {-90, 77}, std::numbers::pi * kRadius, 2},
      {{0, 179.5F}, {0, -179.5F}, std::numbers::pi * kRadius / 180, 0.1},  // across the date line
      {{60, 10}, {60, 10}, 0, 0},
      {{10, 20}, {10.00001F, 20}, std::numbers::pi * kRadius / 180 * (10.00001F - 10.0F), 1e-3},
  };
  for (const Pair& pair : pairs) {
    GuardedBytes row(8);
    std::memcpy(row.data(), pair.b, 8);
    Query query;
    query.data = pair.a;
    const Rows rows{row.data(), 8, 2, 8, 4, 8};
    const std::uint32_t slot = 0;
    float out = -1;
    kernels.haversine(query, rows, &slot, 1, &out);
    EXPECT_NEAR(out, pair.metres, pair.tolerance);
  }
}

TEST_P(KernelsOfTarget, PlainSumsAgreeWithTheDefinition) {
  for (std::size_t n = 0; n <= 200; ++n) {
    GuardedBytes a_bytes(4 * n + 4);
    GuardedBytes b_bytes(4 * n + 4);
    float* a = reinterpret_cast<float*>(a_bytes.data()) + 1;
    float* b = reinterpret_cast<float*>(b_bytes.data()) + 1;
    double dot = 0;
    double terms = 0;
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(random_component(random, Scalar::f32));
      b[i] = static_cast<float>(random_component(random, Scalar::f32));
      const double x = a[i];
      const double y = b[i];
      dot += x * y;
      terms += std::abs(x * y);
      squares += (x - y) * (x - y);
    }
    EXPECT_NEAR(kernels.dot_f32(a, b, n), dot, sum_tolerance(n, terms));
    EXPECT_NEAR(kernels.l2_f32(a, b, n), squares, sum_tolerance(n, squares));
  }
}

TEST_P(KernelsOfTarget, TheFirstBadComponentIsFound) {
  const float bad_values[] = {
      std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
      std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN()};
  for (std::size_t n = 0; n <= 70; ++n) {
    GuardedBytes bytes(4 * n + 4);
    float* v = reinterpret_cast<float*>(bytes.data()) + 1;
    const float good[] = {0, -0.0F, 1e-45F, std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::lowest()};
    for (std::size_t i = 0; i < n; ++i) v[i] = good[i % 5];
    EXPECT_EQ(kernels.first_bad_f32(v, n), n);
    for (std::size_t i = n; i-- > 0;) {  // from the back: the later ones stay bad
      v[i] = bad_values[i % 4];
      ASSERT_EQ(kernels.first_bad_f32(v, n), i);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Here, KernelsOfTarget, testing::ValuesIn(targets_here()),
                         [](const auto& info) { return kernels_of(info.param)->name; });

TEST(Dispatch, ScalarIsAlwaysThere) {
  EXPECT_NE(kernels_of(Target::scalar), nullptr);
}

TEST(Dispatch, TheNameOfACapIsObeyedWhenTheTargetIsThere) {
  const auto has_all = [](Target) { return true; };
  const auto has_avx2 = [](Target target) {
    return target == Target::scalar || target == Target::avx2;
  };
  EXPECT_EQ(capped(Target::avx512, nullptr, has_all), Target::avx512);
  EXPECT_EQ(capped(Target::avx512, "", has_all), Target::avx512);
  EXPECT_EQ(capped(Target::avx512, "scalar", has_all), Target::scalar);
  EXPECT_EQ(capped(Target::avx512, "avx2", has_all), Target::avx2);
  EXPECT_EQ(capped(Target::avx512, "avx512", has_all), Target::avx512);
  EXPECT_EQ(capped(Target::neon, "neon", has_all), Target::neon);
  EXPECT_EQ(capped(Target::avx2, "avx512", has_avx2), Target::avx2);
  EXPECT_EQ(capped(Target::avx2, "neon", has_avx2), Target::avx2);
  EXPECT_EQ(capped(Target::avx2, "scalar", has_avx2), Target::scalar);
  EXPECT_EQ(capped(Target::avx2, "AVX2", has_avx2), Target::avx2);
  EXPECT_EQ(capped(Target::avx2, "sse9", has_avx2), Target::avx2);
}

TEST(Dispatch, TheTargetInUseIsOneOfThisCpu) {
  EXPECT_EQ(&kernels(), kernels_of(kernels().target));
  EXPECT_STREQ(target(), kernels().name);
}

}  // namespace
}  // namespace skerry::simd

#include "machine.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace skerry::bench {
namespace {

constexpr Effort kLittle{2, 1e-4, 7};

IndexOptions options_of(Metric metric, Scalar scalar, Codes codes, std::uint32_t dimension) {
  IndexOptions options;
  options.dimension = dimension;
  options.metric = metric;
  options.scalar = scalar;
  options.codes = codes;
  return options;
}

TEST(Machine, RecordsOfEverySizeAreReadInEveryWay) {
  const std::size_t bytes = std::size_t{1} << 20;
  const Arena arena(bytes);
  for (const std::size_t record : {4, 16, 64, 448, 4096}) {
    for (const Way way : {Way::dependent, Way::independent, Way::prefetched}) {
      for (const std::size_t table : {bytes, record}) {
        const Timing ns = arena.record_ns(record, table, way, kLittle);
        EXPECT_GT(ns.least, 0) << record << name_of(way);
        EXPECT_GE(ns.median, ns.least) << record << name_of(way);
      }
    }
  }
}

TEST(Machine, ATableIsAtLeastARecordAndAtMostTheArena) {
  const Arena arena(4096);
  EXPECT_THROW(arena.record_ns(64, 4097, Way::prefetched, kLittle), std::runtime_error);
  EXPECT_THROW(arena.record_ns(64, 60, Way::prefetched, kLittle), std::runtime_error);
  EXPECT_THROW(arena.record_ns(0, 4096, Way::prefetched, kLittle), std::runtime_error);
  EXPECT_THROW(arena.record_ns(66, 4096, Way::prefetched, kLittle), std::runtime_error);
}

TEST(Machine, ARowIsAsLongAsTheIndexKeepsIt) {
  const struct {
    Metric metric;
    Scalar scalar;
    Codes codes;
    std::uint32_t dimension;
    std::size_t vector, code;  // bytes; 0: the vectors are walked
  } kCases[] = {{Metric::l2, Scalar::f32, Codes::exact, 128, 512, 0},
                {Metric::cosine, Scalar::f32, Codes::sq8, 128, 576, 192},
                {Metric::ip, Scalar::f32, Codes::rot4, 384, 1536, 256},
                {Metric::l2, Scalar::f16, Codes::rot4, 100, 256, 64},
                {Metric::l2, Scalar::bf16, Codes::exact, 100, 256, 0},
                {Metric::l2, Scalar::u8, Codes::sq8, 784, 832, 0},
                {Metric::cosine, Scalar::i8, Codes::exact, 28, 32, 0},
                {Metric::hamming, Scalar::b1, Codes::exact, 100, 16, 0}};
  for (const auto& a : kCases) {
    const IndexOptions options = options_of(a.metric, a.scalar, a.codes, a.dimension);
    const RowCost vector = vector_row(options, kLittle);
    EXPECT_EQ(vector.bytes, a.vector) << name_of(a.scalar) << a.dimension;
    EXPECT_GT(vector.ns.least, 0);
    const std::optional<RowCost> code = code_row(options, kLittle);
    ASSERT_EQ(code.has_value(), a.code != 0) << name_of(a.scalar) << a.dimension;
    if (!code) continue;
    EXPECT_EQ(code->bytes, a.code) << name_of(a.codes) << a.dimension;
    EXPECT_GT(code->ns.least, 0);
  }
}

}  // namespace
}  // namespace skerry::bench

// kernels.h - the distance kernels of this CPU, chosen once.
//
// A *batch kernel* scores one prepared query against many rows of a table by their slots: one
// indirect call for some thirty rows, then plain loops. It prefetches ahead of itself. Metric, pair
// of types and CPU are settled in the pointer, so there is no branch a distance.
//
// A *row* of the table is the vector's components and, right behind them, a tail of a few floats
// that the metric needs (at `tail`, a multiple of 4 bytes):
//
//     cosine on any type      { inverse_norm }                     0 for a zero vector
//     sq8                     { low, step, bias, step_sum }        see quant/sq8_codes.h
//     rot4                    { factor, bias, mean }               see quant/rot4_codes.h
//     everything else         (none)
//
// What a batch kernel writes is the distance of contract and header types.h:
//     l2         sum (q - v)^2
//     ip         1 - q.v
//     cosine     clamp(1 - q.v * query.scale * inverse_norm, 0, 2)
//     sq8        query.offset + bias + low * query.sum + step * query.scale * idot
//                + step_sum * query.cross, where idot = sum (int8 query) * (uint8 row)
//     rot4       query.offset + bias + factor * (query.sum + query.scale * idot)
//                + mean * query.cross, where idot = sum (int8 query) * (half byte of the row)
//     hamming, jaccard, haversine as in types.h
// A rot4 row of n components has h = (n + 1) / 2 bytes, component j in the low half of byte j and
// component h + j in its high half; the query has 2 h bytes, so that both halves meet it in order.
// Integer pairs (i8 x i8, u8 x u8) add up in 32 bits, exactly, for every dimension to 65,535.
//
// Each kernel is written once, in kernels-inl.h, over a small `Vec`; the files scalar.cc, avx2.cc,
// avx512.cc, neon.cc say what Vec is and are compiled with that target's flags. The scalar ones are
// the definition. SKERRY_TARGET=scalar|avx2|avx512|neon in the environment caps the choice (a
// target that the CPU lacks is ignored).
//
// Threads: constant after the first call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skerry/types.h"

namespace skerry::simd {

// A table of rows: row s starts at base + s * stride.
struct Rows {
  const std::byte* base = nullptr;
  std::size_t stride = 0;       // bytes
  std::uint32_t dimension = 0;  // components; bits for b1
  std::uint32_t tail = 0;       // offset of the tail floats in a row
  std::uint32_t lookahead = 4;  // rows to prefetch ahead
  std::uint32_t lines = 8;      // 64-byte lines to prefetch of each, at most
};

// A query made ready. `data` may itself be a row of the table (when nodes are compared).
struct Query {
  const void* data = nullptr;
  float offset = 0;
  float scale = 1;
  float sum = 0;
  float cross = 0;
};

using BatchKernel = void (*)(const Query& query, const Rows& rows, const std::uint32_t* slots,
                             std::size_t count, float* out);

enum class Target : std::uint8_t { scalar, avx2, avx512, neon };

// The pairs (query type, row type) that exist: both alike, or an f32 query against the smaller.
struct Kernels {
  Target target = Target::scalar;
  const char* name = "scalar";

  // [l2, ip, cosine][row type f32, f16, bf16, i8, u8]
  BatchKernel alike[3][5] = {};  // query of the row's own type
  BatchKernel mixed[3][5] = {};  // f32 query ([.][f32] is the same as alike)
  BatchKernel sq8 = nullptr;     // query.data: int8 codes
  BatchKernel rot4 = nullptr;    // the same, 2 * ((dimension + 1) / 2) of them
  BatchKernel hamming = nullptr;
  BatchKernel jaccard = nullptr;
  BatchKernel haversine = nullptr;

  // Plain sums for preparation: dot and squared distance of two f32 vectors.
  float (*dot_f32)(const float* a, const float* b, std::size_t n) = nullptr;
  float (*l2_f32)(const float* a, const float* b, std::size_t n) = nullptr;

  // Turns v, whose length is about 1, by a rotation that depends on n alone (rotate-inl.h). `work`
  // has room for n floats. Every target gives the same bits.
  void (*rotate)(float* v, std::size_t n, float* work) = nullptr;

  // Index of the first component that is NaN or infinite, or n.
  std::size_t (*first_bad_f32)(const float* v, std::size_t n) = nullptr;
};

// The best of this CPU, under the cap of SKERRY_TARGET. Looked up once.
const Kernels& kernels() noexcept;

// A given target's table, or null when this CPU or this build lacks it: for tests.
const Kernels* kernels_of(Target target) noexcept;

}  // namespace skerry::simd

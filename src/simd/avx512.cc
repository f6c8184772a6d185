// avx512.cc - the kernels for AVX-512 F, BW, VL, DQ and VNNI: 16 floats or 64 bytes at a time.
//
// vpdpbusd multiplies unsigned bytes with signed ones and adds four products to a word. Where both
// are unsigned, or both signed, one side's top bit is flipped, which adds or takes 128, and what
// that did is taken back: the query's part of it once a batch, the row's part in the same loop.
#include <immintrin.h>

#include "simd/kernels.h"
#include "simd/targets.h"
#include "skerry/types.h"

namespace skerry::simd {
namespace avx512 {
namespace {

struct Vec {
  using Floats = __m512;
  using Bytes = __m512i;
  using Words = __m512i;
  static constexpr std::size_t kFloats = 16;
  static constexpr std::size_t kBytes = 64;
  static constexpr bool kMasks = true;

  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static Floats load(const f16* p) { return from_f16(load32(p)); }
  static Floats load(const bf16* p) { return from_bf16(load32(p)); }
  static Floats load(const std::int8_t* p) { return from_i8(load16(p)); }
  static Floats load(const std::uint8_t* p) { return from_u8(load16(p)); }
  static Floats load_first(const float* p, std::size_t n) {
    return _mm512_maskz_loadu_ps(first16(n), p);
  }
  static Floats load_first(const f16* p, std::size_t n) {
    return from_f16(_mm256_maskz_loadu_epi16(first16(n), p));
  }
  static Floats load_first(const bf16* p, std::size_t n) {
    return from_bf16(_mm256_maskz_loadu_epi16(first16(n), p));
  }
  static Floats load_first(const std::int8_t* p, std::size_t n) {
    return from_i8(_mm_maskz_loadu_epi8(first16(n), p));
  }
  static Floats load_first(const std::uint8_t* p, std::size_t n) {
    return from_u8(_mm_maskz_loadu_epi8(first16(n), p));
  }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static float sum(Floats v) { return _mm512_reduce_add_ps(v); }
  static bool any_bad(Floats v) {
    const __m512i exponent = _mm512_set1_epi32(0x7F800000);
    const __m512i bits = _mm512_and_si512(_mm512_castps_si512(v), exponent);
    return _mm512_cmpeq_epi32_mask(bits, exponent) != 0;
  }

  static Bytes load_bytes(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static Bytes load_first_bytes(const std::uint8_t* p, std::size_t n) {
    return _mm512_maskz_loadu_epi8((std::uint64_t{1} << n) - 1, p);
  }
  static Words zero_words() { return _mm512_setzero_si512(); }
  // Not _mm512_reduce_add_epi32: the compiler's own is a sum of signed numbers, which may overflow.
  static std::uint32_t sum_words(Words v) {
    const __m256i eight = halves(v);
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1))));
  }
  static Bytes and_(Bytes a, Bytes b) { return _mm512_and_si512(a, b); }
  static Bytes or_(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }
  static Bytes xor_(Bytes a, Bytes b) { return _mm512_xor_si512(a, b); }
  // Bits of each half byte from a table of sixteen (Mula): the first CPUs with VNNI have no
  // vpopcntq.
  static Words count_bits(Words sum, Bytes v) {
    const __m512i bits =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i half = _mm512_set1_epi8(15);
    const __m512i low = _mm512_shuffle_epi8(bits, and_(v, half));
    const __m512i high = _mm512_shuffle_epi8(bits, and_(_mm512_srli_epi16(v, 4), half));
    return products(sum, _mm512_add_epi8(low, high), all(1));
  }

  // words + unsigned bytes * signed bytes
  static Words products(Words sum, Bytes u, Bytes s) { return _mm512_dpbusd_epi32(sum, u, s); }
  static void sum_four(Words a, Words b, Words c, Words d, std::uint32_t* out) {
    const __m256i two = pairs(halves(a), halves(b));
    const __m256i more = pairs(halves(c), halves(d));
    const __m256i four =
        _mm256_add_epi32(_mm256_unpacklo_epi64(two, more), _mm256_unpackhi_epi64(two, more));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(out),
        _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1)));
  }
  static Bytes all(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
  static Bytes flipped(Bytes v) { return xor_(v, all(-128)); }

  // Keeps a value that is used more than once in its register: GCC 12 would load it each time.
  static void pin(Bytes& v) { asm("" : "+v"(v)); }

  struct Dot {
    struct Sum {
      Words products = _mm512_setzero_si512();
    };
    static Words total(const Sum& sum, Words own) { return _mm512_sub_epi32(sum.products, own); }
  };
  struct DotS8U8 : Dot {
    static constexpr bool kSigned = true;
    static constexpr bool kOwn = false;
    static void step(Sum& sum, Bytes q, Bytes v) { sum.products = products(sum.products, v, q); }
  };
  struct DotS8U4 {
    struct Sum {
      Words low = _mm512_setzero_si512();
      Words high = _mm512_setzero_si512();
    };
    static void step(Sum& sum, Bytes q_low, Bytes q_high, Bytes v) {
      const __m512i half = _mm512_set1_epi8(15);
      sum.low = products(sum.low, and_(v, half), q_low);
      sum.high = products(sum.high, and_(_mm512_srli_epi16(v, 4), half), q_high);
    }
    static Words total(const Sum& sum) { return _mm512_add_epi32(sum.low, sum.high); }
  };
  // q (v - 128) = q v - 128 q
  struct DotU8 : Dot {
    static constexpr bool kSigned = false;
    static constexpr bool kOwn = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum.products = products(sum.products, q, flipped(v));
    }
    static Words own(Words sum, Bytes q) { return products(sum, q, all(-128)); }
  };
  // (v + 128) q = q v + 128 q
  struct DotS8 : Dot {
    static constexpr bool kSigned = true;
    static constexpr bool kOwn = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum.products = products(sum.products, flipped(v), q);
    }
    static Words own(Words sum, Bytes q) { return products(sum, all(-128), q); }
  };

  // (q - v)^2 as q^2 + v^2 - 2 q v, four instructions for 64 bytes:
  //     u8:  squares = v (v - 128)          crosses = q (v - 128) - 64 v
  //          squares - 2 crosses = v^2 - 2 q v + 256 q
  //     i8:  squares = (v + 128) v          crosses = (v + 128) q + 64 v
  //          squares - 2 crosses = v^2 - 2 q v - 256 q
  // and the query's own part, q^2 less what stands behind, is added once a batch. Differences
  // first (max, min, sub, flip and two products) are six.
  struct L2 {
    struct Sum {
      Words squares = _mm512_setzero_si512();
      Words crosses = _mm512_setzero_si512();
    };
    static constexpr bool kSigned = false;
    static constexpr bool kOwn = true;
    static Words total(const Sum& sum, Words own) {
      return _mm512_add_epi32(_mm512_sub_epi32(sum.squares, _mm512_slli_epi32(sum.crosses, 1)),
                              own);
    }
  };
  struct L2U8 : L2 {
    static void step(Sum& sum, Bytes q, Bytes v) {
      pin(v);
      const Bytes less = flipped(v);
      sum.squares = products(sum.squares, v, less);
      sum.crosses = products(products(sum.crosses, v, all(-64)), q, less);
    }
    // q (q - 128) - 128 q = q^2 - 256 q
    static Words own(Words sum, Bytes q) {
      return products(products(sum, q, flipped(q)), q, all(-128));
    }
  };
  struct L2S8 : L2 {
    static void step(Sum& sum, Bytes q, Bytes v) {
      pin(v);
      const Bytes more = flipped(v);
      sum.squares = products(sum.squares, more, v);
      sum.crosses = products(products(sum.crosses, all(64), v), more, q);
    }
    // (q + 128) q + 128 q = q^2 + 256 q
    static Words own(Words sum, Bytes q) {
      return products(products(sum, flipped(q), q), all(-128), q);
    }
  };

 private:
  // The sums of both halves, and of neighbours. Functions: a lambda would not be compiled for the
  // target that one unit gives to this part of it.
  static __m256i halves(Words v) {
    return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  }
  static __m256i pairs(__m256i v, __m256i w) {
    return _mm256_add_epi32(_mm256_unpacklo_epi32(v, w), _mm256_unpackhi_epi32(v, w));
  }
  static __mmask16 first16(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1); }
  static __m256i load32(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static __m128i load16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static Floats from_f16(__m256i v) { return _mm512_cvtph_ps(v); }
  static Floats from_bf16(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
  }
  static Floats from_i8(__m128i v) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v)); }
  static Floats from_u8(__m128i v) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(v)); }
};

#include "simd/kernels-inl.h"

}  // namespace
}  // namespace avx512

constinit const Kernels kAvx512Kernels = avx512::table(Target::avx512, "avx512");

}  // namespace skerry::simd

// avx2.cc - the kernels for AVX2, FMA and F16C: eight floats or 32 bytes at a time.
#include <immintrin.h>

#include "simd/kernels.h"
#include "simd/targets.h"
#include "skerry/types.h"

namespace skerry::simd {
namespace avx2 {
namespace {

// All ones from the middle on: a load that begins n before the end keeps the last n lanes.
alignas(64) constexpr std::int32_t kLastFloats[16] = {0,  0,  0,  0,  0,  0,  0,  0,
                                                      -1, -1, -1, -1, -1, -1, -1, -1};
alignas(64) constexpr std::int64_t kLastBytes[8] = {0, 0, 0, 0, -1, -1, -1, -1};

struct Vec {
  using Floats = __m256;
  using Bytes = __m256i;
  using Words = __m256i;
  static constexpr std::size_t kFloats = 8;
  static constexpr std::size_t kBytes = 32;
  static constexpr bool kMasks = false;

  static Floats zero() { return _mm256_setzero_ps(); }
  static Floats load(const float* p) { return _mm256_loadu_ps(p); }
  static Floats load(const f16* p) { return _mm256_cvtph_ps(load16(p)); }
  static Floats load(const bf16* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load16(p)), 16));
  }
  static Floats load(const std::int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load8(p)));
  }
  static Floats load(const std::uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load8(p)));
  }
  static Floats keep_last(Floats v, std::size_t n) {
    return _mm256_and_ps(v, _mm256_castsi256_ps(load32(kLastFloats + n)));
  }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static float sum(Floats v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static bool any_bad(Floats v) {
    const __m256i exponent = _mm256_set1_epi32(0x7F800000);
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(v), exponent);
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(bits, exponent)) != 0;
  }

  static Bytes load_bytes(const std::uint8_t* p) { return load32(p); }
  static Bytes keep_last_bytes(Bytes v, std::size_t n) {
    return and_(v, load32(reinterpret_cast<const char*>(kLastBytes) + n));
  }
  static Bytes from_words(const std::uint64_t (&w)[4]) {
    return _mm256_set_epi64x(static_cast<long long>(w[3]), static_cast<long long>(w[2]),
                             static_cast<long long>(w[1]), static_cast<long long>(w[0]));
  }
  static Words zero_words() { return _mm256_setzero_si256(); }
  static std::uint32_t sum_words(Words v) {
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1))));
  }
  static Bytes and_(Bytes a, Bytes b) { return _mm256_and_si256(a, b); }
  static Bytes or_(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
  static Bytes xor_(Bytes a, Bytes b) { return _mm256_xor_si256(a, b); }
  // Bits of each half byte from a table of sixteen (Mula).
  static Words count_bits(Words sum, Bytes v) {
    const __m256i bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                          2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i half = _mm256_set1_epi8(15);
    const __m256i low = _mm256_shuffle_epi8(bits, and_(v, half));
    const __m256i high = _mm256_shuffle_epi8(bits, and_(_mm256_srli_epi16(v, 4), half));
    return _mm256_add_epi32(sum,
                            _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256()));
  }

  static void sum_four(Words a, Words b, Words c, Words d, std::uint32_t* out) {
    const __m256i four = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(out),
        _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1)));
  }

  struct Pair {
    struct Sum {
      Words even = _mm256_setzero_si256();
      Words odd = _mm256_setzero_si256();
    };
    static constexpr bool kOwn = false;
    static constexpr bool kSigned = false;
    static Words total(const Sum& sum, Words) { return _mm256_add_epi32(sum.even, sum.odd); }
  };

  // Bytes at even and at odd places, each in 16 bits: cheaper than widening, which shuffles.
  static __m256i even(Bytes v) { return _mm256_and_si256(v, _mm256_set1_epi16(255)); }
  static __m256i odd(Bytes v) { return _mm256_srli_epi16(v, 8); }
  static void add_products(Words& sum, __m256i a, __m256i b) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
  }

  struct DotU8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      add_products(sum.even, even(q), even(v));
      add_products(sum.odd, odd(q), odd(v));
    }
  };
  struct L2U8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      squares(sum, _mm256_sub_epi8(_mm256_max_epu8(q, v), _mm256_min_epu8(q, v)));
    }
  };
  struct L2S8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      squares(sum, _mm256_sub_epi8(_mm256_max_epi8(q, v), _mm256_min_epi8(q, v)));
    }
  };
  static void squares(Pair::Sum& sum, Bytes difference) {
    add_products(sum.even, even(difference), even(difference));
    add_products(sum.odd, odd(difference), odd(difference));
  }

  // vpmaddubsw adds two products in 16 bits and saturates. Of the low seven bits of an unsigned
  // byte and of its top bit, each alone, two products with a signed byte fit:
  // 2 * 127 * -128 = -32512 and 2 * 128 * -128 = -32768.
  static void mixed_products(Pair::Sum& sum, Bytes low, Bytes top, Bytes q) {
    const __m256i ones = _mm256_set1_epi16(1);
    add_products(sum.even, _mm256_maddubs_epi16(low, q), ones);
    add_products(sum.odd, _mm256_maddubs_epi16(top, q), ones);
  }
  struct DotS8U8 : Pair {
    static constexpr bool kSigned = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      const __m256i top = _mm256_set1_epi8(-128);
      mixed_products(sum, _mm256_andnot_si256(top, v), _mm256_and_si256(top, v), q);
    }
  };
  // Four products with half a byte fit beside each other: 4 * 15 * -128 = -7680.
  struct DotS8U4 {
    using Sum = Words;
    static void step(Sum& sum, Bytes q_low, Bytes q_high, Bytes v) {
      const __m256i half = _mm256_set1_epi8(15);
      const __m256i low = _mm256_maddubs_epi16(and_(v, half), q_low);
      const __m256i high = _mm256_maddubs_epi16(and_(_mm256_srli_epi16(v, 4), half), q_high);
      add_products(sum, _mm256_add_epi16(low, high), _mm256_set1_epi16(1));
    }
    static Words total(const Sum& sum) { return sum; }
  };
  // The row plus 128 is unsigned: flip its top bit, and take 128 * (sum of q) away again.
  struct DotS8 : Pair {
    static constexpr bool kSigned = true;
    static constexpr bool kOwn = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      const __m256i top = _mm256_set1_epi8(-128);
      mixed_products(sum, _mm256_andnot_si256(top, v), _mm256_andnot_si256(v, top), q);
    }
    static Words own(Words sum, Bytes q) {
      add_products(sum, _mm256_maddubs_epi16(_mm256_set1_epi8(-128), q), _mm256_set1_epi16(1));
      return sum;
    }
    static Words total(const Sum& sum, Words own) {
      return _mm256_sub_epi32(Pair::total(sum, own), own);
    }
  };

 private:
  static __m256i load32(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static __m128i load16(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static __m128i load8(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
};

#include "simd/kernels-inl.h"

}  // namespace
}  // namespace avx2

constinit const Kernels kAvx2Kernels = avx2::table(Target::avx2, "avx2");

}  // namespace skerry::simd

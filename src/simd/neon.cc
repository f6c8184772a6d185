// neon.cc - the kernels for NEON with the dot product (Armv8.2): four floats or 16 bytes at a time.
#include <arm_neon.h>

#include "simd/kernels.h"
#include "simd/targets.h"
#include "skerry/types.h"

namespace skerry::simd {
namespace neon {
namespace {

// All ones from the middle on: a load that begins n before the end keeps the last n lanes.
alignas(32) constexpr std::uint32_t kLastFloats[8] = {0, 0, 0, 0, ~0U, ~0U, ~0U, ~0U};
alignas(32) constexpr std::uint64_t kLastBytes[4] = {0, 0, ~std::uint64_t{0}, ~std::uint64_t{0}};

struct Vec {
  using Floats = float32x4_t;
  using Bytes = uint8x16_t;
  using Words = uint32x4_t;
  static constexpr std::size_t kFloats = 4;
  static constexpr std::size_t kBytes = 16;
  static constexpr bool kMasks = false;

  static Floats zero() { return vdupq_n_f32(0); }
  static Floats load(const float* p) { return vreinterpretq_f32_u8(load16(p)); }
  static Floats load(const f16* p) { return vcvt_f32_f16(vreinterpret_f16_u8(load8(p))); }
  static Floats load(const bf16* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(load8(p)), 16));
  }
  static Floats load(const std::int8_t* p) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load4(p))))));
  }
  static Floats load(const std::uint8_t* p) {
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load4(p)))));
  }
  static Floats keep_last(Floats v, std::size_t n) {
    return vreinterpretq_f32_u8(vandq_u8(vreinterpretq_u8_f32(v), load16(kLastFloats + n)));
  }
  static Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
  static Floats sub(Floats a, Floats b) { return vsubq_f32(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
  static float sum(Floats v) { return vaddvq_f32(v); }
  static bool any_bad(Floats v) {
    const uint32x4_t exponent = vdupq_n_u32(0x7F800000);
    return vmaxvq_u32(vandq_u32(vreinterpretq_u32_f32(v), exponent)) == 0x7F800000;
  }

  static Bytes load_bytes(const std::uint8_t* p) { return vld1q_u8(p); }
  static Bytes keep_last_bytes(Bytes v, std::size_t n) {
    return vandq_u8(v, load16(reinterpret_cast<const std::uint8_t*>(kLastBytes) + n));
  }
  static Bytes from_words(const std::uint64_t (&w)[2]) {
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(w[0]), vcreate_u64(w[1])));
  }
  static Words zero_words() { return vdupq_n_u32(0); }
  static std::uint32_t sum_words(Words v) { return vaddvq_u32(v); }
  static Bytes and_(Bytes a, Bytes b) { return vandq_u8(a, b); }
  static Bytes or_(Bytes a, Bytes b) { return vorrq_u8(a, b); }
  static Bytes xor_(Bytes a, Bytes b) { return veorq_u8(a, b); }
  static Words count_bits(Words sum, Bytes v) { return vdotq_u32(sum, vcntq_u8(v), vdupq_n_u8(1)); }

  static void sum_four(Words a, Words b, Words c, Words d, std::uint32_t* out) {
    vst1q_u32(out, vpaddq_u32(vpaddq_u32(a, b), vpaddq_u32(c, d)));
  }

  struct Pair {
    struct Sum {
      Words products = vdupq_n_u32(0);
    };
    static constexpr bool kOwn = false;
    static constexpr bool kSigned = false;
    static Words total(const Sum& sum, Words own) { return vaddq_u32(sum.products, own); }
  };
  struct DotU8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) { sum.products = vdotq_u32(sum.products, q, v); }
  };
  struct DotS8 : Pair {
    static constexpr bool kSigned = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum.products = signed_products(sum.products, q, v);
    }
  };
  // q (v - 128) + 128 q: the row's top bit is flipped, and the query's part given back.
  struct DotS8U8 : Pair {
    static constexpr bool kSigned = true;
    static constexpr bool kOwn = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum.products = signed_products(sum.products, q, veorq_u8(v, vdupq_n_u8(128)));
    }
    static Words own(Words sum, Bytes q) {
      const Words half = signed_products(vdupq_n_u32(0), q, vdupq_n_u8(64));
      return vaddq_u32(sum, vshlq_n_u32(half, 1));
    }
  };
  // Half a byte is as good a signed one.
  struct DotS8U4 {
    struct Sum {
      Words low = vdupq_n_u32(0);
      Words high = vdupq_n_u32(0);
    };
    static void step(Sum& sum, Bytes q_low, Bytes q_high, Bytes v) {
      sum.low = signed_products(sum.low, q_low, vandq_u8(v, vdupq_n_u8(15)));
      sum.high = signed_products(sum.high, q_high, vshrq_n_u8(v, 4));
    }
    static Words total(const Sum& sum) { return vaddq_u32(sum.low, sum.high); }
  };
  struct L2U8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) { square(sum, vabdq_u8(q, v)); }
  };
  struct L2S8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      square(sum, vreinterpretq_u8_s8(vabdq_s8(vreinterpretq_s8_u8(q), vreinterpretq_s8_u8(v))));
    }
  };

 private:
  static Words signed_products(Words sum, Bytes a, Bytes b) {
    return vreinterpretq_u32_s32(
        vdotq_s32(vreinterpretq_s32_u32(sum), vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b)));
  }
  static void square(Pair::Sum& sum, Bytes difference) {
    sum.products = vdotq_u32(sum.products, difference, difference);
  }
  static uint8x16_t load16(const void* p) { return vld1q_u8(static_cast<const std::uint8_t*>(p)); }
  static uint8x8_t load8(const void* p) { return vld1_u8(static_cast<const std::uint8_t*>(p)); }
  static uint8x8_t load4(const void* p) {
    std::uint32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return vreinterpret_u8_u32(vdup_n_u32(four));
  }
};

#include "simd/kernels-inl.h"

}  // namespace
}  // namespace neon

constinit const Kernels kNeonKernels = neon::table(Target::neon, "neon");

}  // namespace skerry::simd

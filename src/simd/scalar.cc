// scalar.cc - the kernels one component at a time: what every other target must agree with.
#include "simd/kernels.h"
#include "simd/targets.h"
#include "skerry/types.h"

namespace skerry::simd {
namespace scalar {
namespace {

struct Vec {
  using Floats = float;
  using Bytes = std::uint8_t;
  using Words = std::uint32_t;
  static constexpr std::size_t kFloats = 1;
  static constexpr std::size_t kBytes = 1;
  static constexpr bool kMasks = true;

  // Rows may begin at any byte.
  template <class T>
  static T read(const T* p) {
    T value;
    __builtin_memcpy(&value, p, sizeof(T));
    return value;
  }

  static Floats zero() { return 0; }
  static Floats load(const float* p) { return read(p); }
  static Floats load(const f16* p) { return to_float(read(p)); }
  static Floats load(const bf16* p) { return to_float(read(p)); }
  static Floats load(const std::int8_t* p) { return *p; }
  static Floats load(const std::uint8_t* p) { return *p; }
  template <class T>
  static Floats load_first(const T* p, std::size_t n) {
    return n == 0 ? 0 : load(p);
  }
  static Floats add(Floats a, Floats b) { return a + b; }
  static Floats sub(Floats a, Floats b) { return a - b; }
  static Floats fma(Floats a, Floats b, Floats c) { return c + a * b; }
  static float sum(Floats v) { return v; }
  static bool any_bad(Floats v) { return !(__builtin_fabsf(v) < __builtin_inff()); }

  static Bytes load_bytes(const std::uint8_t* p) { return *p; }
  static Bytes load_first_bytes(const std::uint8_t* p, std::size_t n) {
    return n == 0 ? Bytes{0} : *p;
  }
  static Words zero_words() { return 0; }
  static std::uint32_t sum_words(Words v) { return v; }
  static Bytes and_(Bytes a, Bytes b) { return a & b; }
  static Bytes or_(Bytes a, Bytes b) { return a | b; }
  static Bytes xor_(Bytes a, Bytes b) { return a ^ b; }
  static Words count_bits(Words sum, Bytes v) {
    return sum + static_cast<std::uint32_t>(__builtin_popcount(v));
  }

  static void sum_four(Words a, Words b, Words c, Words d, std::uint32_t* out) {
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
  }

  static std::int32_t u8(Bytes v) { return v; }
  static std::int32_t s8(Bytes v) { return static_cast<std::int8_t>(v); }

  struct Pair {
    using Sum = Words;
    static constexpr bool kOwn = false;
    static constexpr bool kSigned = false;
    static Words total(Sum sum, Words) { return sum; }
  };
  struct DotU8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum += static_cast<std::uint32_t>(u8(q) * u8(v));
    }
  };
  struct DotS8 : Pair {
    static constexpr bool kSigned = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum += static_cast<std::uint32_t>(s8(q) * s8(v));
    }
  };
  struct DotS8U8 : Pair {
    static constexpr bool kSigned = true;
    static void step(Sum& sum, Bytes q, Bytes v) {
      sum += static_cast<std::uint32_t>(s8(q) * u8(v));
    }
  };
  struct DotS8U4 {
    using Sum = Words;
    static void step(Sum& sum, Bytes q_low, Bytes q_high, Bytes v) {
      sum += static_cast<std::uint32_t>(s8(q_low) * (v & 15) + s8(q_high) * (v >> 4));
    }
    static Words total(Sum sum) { return sum; }
  };
  struct L2U8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      const std::int32_t difference = u8(q) - u8(v);
      sum += static_cast<std::uint32_t>(difference * difference);
    }
  };
  struct L2S8 : Pair {
    static void step(Sum& sum, Bytes q, Bytes v) {
      const std::int32_t difference = s8(q) - s8(v);
      sum += static_cast<std::uint32_t>(difference * difference);
    }
  };
};

#include "simd/kernels-inl.h"

}  // namespace
}  // namespace scalar

constinit const Kernels kScalarKernels = scalar::table(Target::scalar, "scalar");

}  // namespace skerry::simd

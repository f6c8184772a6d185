// dispatch.cc - which kernels does this CPU run?
//
// The CPU is asked once. A target counts as present when every instruction set that its file is
// compiled for is, and the operating system saves the registers (the compiler's builtin asks both).
#include <cstdlib>
#include <cstring>

#include "simd/targets.h"
#include "skerry/version.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace skerry::simd {
namespace {

#if defined(__x86_64__)
bool has_f16c() noexcept {
  // Clang 14 has no word for it in __builtin_cpu_supports. It shares AVX's registers, so the
  // operating system's part is answered by asking for avx2 beside it.
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool has_avx2() noexcept {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

bool has_avx512() noexcept {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

bool has(Target target) noexcept {
  return kernels_of(target) != nullptr;
}

const Kernels& choose() noexcept {
  Target best = Target::scalar;
  for (const Target target : {Target::avx2, Target::avx512, Target::neon}) {
    if (has(target)) best = target;
  }
  return *kernels_of(capped(best, std::getenv("SKERRY_TARGET"), has));
}

}  // namespace

Target capped(Target best, const char* cap, bool (*has)(Target)) noexcept {
  if (cap == nullptr) return best;
  struct Named {
    const char* name;
    Target target;
  };
  constexpr Named kNames[] = {{"scalar", Target::scalar},
                              {"avx2", Target::avx2},
                              {"avx512", Target::avx512},
                              {"neon", Target::neon}};
  for (const Named& named : kNames) {
    if (std::strcmp(cap, named.name) == 0 && has(named.target)) return named.target;
  }
  return best;
}

const Kernels* kernels_of(Target target) noexcept {
  switch (target) {
    case Target::scalar:
      return &kScalarKernels;
#if defined(__x86_64__)
    case Target::avx2: {
      static const bool present = has_avx2();
      return present ? &kAvx2Kernels : nullptr;
    }
    case Target::avx512: {
      static const bool present = has_avx512();
      return present ? &kAvx512Kernels : nullptr;
    }
#endif
#if defined(__aarch64__)
    case Target::neon: {
      static const bool present = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
      return present ? &kNeonKernels : nullptr;
    }
#endif
    default:
      return nullptr;
  }
}

const Kernels& kernels() noexcept {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace skerry::simd

namespace skerry {

const char* target() noexcept {
  return simd::kernels().name;
}

}  // namespace skerry

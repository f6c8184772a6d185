// words.cc - names of numbers, versions, clocks and halves: what needs no handle.
#include <chrono>

#include "skerry/c.h"
#include "skerry/collection.h"
#include "skerry/explain.h"
#include "skerry/status.h"
#include "skerry/types.h"
#include "skerry/version.h"

namespace skerry {
namespace {

// Every name_of() answers with a constant, which a zero ends.
template <class Enum>
const char* name(std::uint32_t number) noexcept {
  return number > UINT8_MAX ? "unknown" : name_of(static_cast<Enum>(number)).data();
}

}  // namespace
}  // namespace skerry

const char* skerry_code_name(skerry_code code) noexcept {
  return code < 0 || code > UINT8_MAX ? "unknown"
                                      : skerry::name_of(static_cast<skerry::Code>(code));
}
const char* skerry_metric_name(skerry_metric metric) noexcept {
  return skerry::name<skerry::Metric>(metric);
}
const char* skerry_scalar_name(skerry_scalar scalar) noexcept {
  return skerry::name<skerry::Scalar>(scalar);
}
const char* skerry_codes_name(skerry_codes codes) noexcept {
  return skerry::name<skerry::Codes>(codes);
}
const char* skerry_vectors_name(skerry_vectors vectors) noexcept {
  return skerry::name<skerry::Vectors>(vectors);
}
const char* skerry_opened_name(skerry_opened opened) noexcept {
  return skerry::name<skerry::Opened>(opened);
}
const char* skerry_search_way_name(skerry_search_way way) noexcept {
  return skerry::name<skerry::SearchWay>(way);
}
const char* skerry_fallback_name(skerry_fallback fallback) noexcept {
  return skerry::name<skerry::Fallback>(fallback);
}
const char* skerry_fate_name(skerry_fate fate) noexcept {
  return skerry::name<skerry::Fate>(fate);
}

const char* skerry_version(void) noexcept {
  return skerry::version();
}
const char* skerry_target(void) noexcept {
  return skerry::target();
}

int64_t skerry_now_ns(void) noexcept {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

size_t skerry_vector_bytes(skerry_scalar scalar, size_t dimension) noexcept {
  return scalar > UINT8_MAX ? 0
                            : skerry::vector_bytes(static_cast<skerry::Scalar>(scalar), dimension);
}

uint16_t skerry_float_to_f16(float value) noexcept {
  return skerry::to_f16(value).bits;
}
uint16_t skerry_float_to_bf16(float value) noexcept {
  return skerry::to_bf16(value).bits;
}
float skerry_f16_to_float(uint16_t bits) noexcept {
  return skerry::to_float(skerry::f16{bits});
}
float skerry_bf16_to_float(uint16_t bits) noexcept {
  return skerry::to_float(skerry::bf16{bits});
}

// short_codes.h - the codes of an index whose searches do not walk the exact rows.
//
// Which of them is settled here, once a query or a row; behind it stands a Scorer like any other.
//
// Threads: constant after construction.
#pragma once

#include <cstddef>
#include <optional>
#include <variant>

#include "quant/quantizer.h"
#include "quant/rot4_codes.h"
#include "quant/sq8_codes.h"
#include "skerry/options.h"
#include "skerry/types.h"

namespace skerry {

class ShortCodes {
  using Any = std::variant<Sq8Codes, Rot4Codes>;

  // std::visit may throw, and a variant of plain values never does.
  template <class Visitor>
  auto visit(Visitor visitor) const noexcept {
    const auto* const sq8 = std::get_if<Sq8Codes>(&codes_);
    return sq8 != nullptr ? visitor(*sq8) : visitor(*std::get_if<Rot4Codes>(&codes_));
  }

 public:
  // May vectors have codes beside them, and is there a distance of codes?
  static bool fit(Scalar scalar) noexcept {
    return scalar == Scalar::f32 || scalar == Scalar::f16 || scalar == Scalar::bf16;
  }
  static bool fit(Metric metric) noexcept {
    return metric == Metric::l2 || metric == Metric::ip || metric == Metric::cosine;
  }

  // Of checked options; none where the exact rows are the codes, or nothing is chosen yet.
  static std::optional<ShortCodes> of(const IndexOptions& options) noexcept {
    return of(options, options.codes);
  }
  static std::optional<ShortCodes> of(const IndexOptions& options, Codes codes) noexcept {
    if (!fit(options.scalar) || !fit(options.metric)) return std::nullopt;
    if (codes == Codes::sq8) return ShortCodes(Sq8Codes(options.metric, options.dimension));
    if (codes == Codes::rot4) return ShortCodes(Rot4Codes(options.metric, options.dimension));
    return std::nullopt;
  }

  Codes kind() const noexcept {
    return std::holds_alternative<Sq8Codes>(codes_) ? Codes::sq8 : Codes::rot4;
  }
  std::size_t stride() const noexcept {
    return visit([](const auto& codes) { return codes.stride(); });
  }
  std::size_t scratch_bytes() const noexcept {
    return visit([](const auto& codes) { return codes.scratch_bytes(); });
  }
  void encode(VectorView vector, std::byte* row, std::byte* scratch) const noexcept {
    visit([&](const auto& codes) { codes.encode(vector, row, scratch); });
  }
  QueryCode prepare(VectorView query, std::byte* scratch) const noexcept {
    return visit([&](const auto& codes) { return codes.prepare(query, scratch); });
  }
  // May links be chosen by the distance of two codes?
  bool choose_links() const noexcept {
    return visit([](const auto& codes) { return codes.kChoosesLinks; });
  }
  QueryCode prepare_row(const std::byte* row, std::byte* scratch) const noexcept {
    return visit([&](const auto& codes) { return codes.prepare_row(row, scratch); });
  }
  simd::Rows rows(const std::byte* base) const noexcept {
    return visit([&](const auto& codes) { return codes.rows(base); });
  }

 private:
  explicit ShortCodes(const Any& codes) noexcept : codes_(codes) {}

  Any codes_;
};

static_assert(Quantizer<ShortCodes>);

}  // namespace skerry

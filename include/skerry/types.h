// types.h - keys, vectors, filters and hits: the nouns of every call.
//
// Everything here is borrowed or a plain value. A view never owns: the caller's memory must stay
// as it is until the call that was given the view has returned, and not a moment longer.
//
// Threads: values; share them freely.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>

#include "skerry/export.h"

namespace skerry {

// Names a vector; any value is lawful.
using Key = std::uint64_t;

inline constexpr std::uint32_t kMaxDimension = 65535;  // components (bits for Scalar::b1)
inline constexpr std::uint32_t kMaxKeyBytes = 480;     // of a byte-string key

// How far is it? Smaller is nearer, always.
enum class Metric : std::uint8_t {
  l2 = 0,         // squared Euclidean distance
  ip = 1,         // 1 - dot product (may be negative)
  cosine = 2,     // 1 - cosine, in [0, 2]; a zero vector is at distance 1 from everything
  hamming = 3,    // differing bits; Scalar::b1 only
  jaccard = 4,    // 1 - |a and b| / |a or b| on bits (Tanimoto); two empty sets are at 0; b1 only
  haversine = 5,  // metres on a sphere of radius 6,371,008.8 m; (latitude, longitude) in degrees,
                  // f32, dimension 2
  custom = 6,     // a function of the caller's
};

// How the caller's vectors are kept.
enum class Scalar : std::uint8_t { f32 = 0, f16 = 1, bf16 = 2, i8 = 3, u8 = 4, b1 = 5 };

// What a search walks over. Whatever it is, every returned distance is exact.
enum class Codes : std::uint8_t {
  exact = 0,  // the stored vectors themselves
  sq8 = 1,    // one byte a component, scaled for each vector
  rot4 = 2,   // half a byte a component, after a rotation: for floats of many dimensions
              // With either the best are re-ranked exactly. The metric is l2, ip or cosine. i8, u8
              // and b1 vectors are their own codes already and stay as they are.
  automatic =
      3,  // one of the above, chosen by the dimension and a quick measurement on the index's
          // own data when it outgrows IndexOptions::flat_below; IndexStats::codes says which
};

// Where an index has its vectors. Codes and links are in memory always.
enum class Vectors : std::uint8_t {
  memory = 0,
  disk =
      1,  // in files that the kernel keeps in memory as long as there is room. Searches walk over
          // codes beside them (sq8 or rot4, of f32, f16 or bf16) and read a few dozen at the end
};

SKERRY_API std::string_view name_of(Metric metric) noexcept;
SKERRY_API std::string_view name_of(Scalar scalar) noexcept;
SKERRY_API std::string_view name_of(Codes codes) noexcept;
SKERRY_API std::string_view name_of(Vectors vectors) noexcept;

// Half precision (IEEE 754 binary16) and bfloat16, as bits. Conversions round to nearest even.
struct f16 {
  std::uint16_t bits = 0;
};
struct bf16 {
  std::uint16_t bits = 0;
};
SKERRY_API f16 to_f16(float value) noexcept;
SKERRY_API bf16 to_bf16(float value) noexcept;
SKERRY_API float to_float(f16 value) noexcept;
SKERRY_API float to_float(bf16 value) noexcept;

// Bytes that a vector of `dimension` components takes: bits are packed eight a byte, the first
// component in the lowest bit; unused bits of the last byte are zero.
constexpr std::size_t vector_bytes(Scalar scalar, std::size_t dimension) noexcept {
  switch (scalar) {
    case Scalar::f32:
      return dimension * 4;
    case Scalar::f16:
    case Scalar::bf16:
      return dimension * 2;
    case Scalar::i8:
    case Scalar::u8:
      return dimension;
    case Scalar::b1:
      return (dimension + 7) / 8;
  }
  return 0;
}

namespace detail {
template <class T>
struct ScalarOf;
template <>
struct ScalarOf<float> {
  static constexpr Scalar value = Scalar::f32;
};
template <>
struct ScalarOf<f16> {
  static constexpr Scalar value = Scalar::f16;
};
template <>
struct ScalarOf<bf16> {
  static constexpr Scalar value = Scalar::bf16;
};
template <>
struct ScalarOf<std::int8_t> {
  static constexpr Scalar value = Scalar::i8;
};
template <>
struct ScalarOf<std::uint8_t> {
  static constexpr Scalar value = Scalar::u8;
};

template <class R>
concept Components = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> && requires {
  ScalarOf<std::remove_cv_t<std::ranges::range_value_t<R>>>::value;
};
}  // namespace detail

// One vector in the caller's memory. Converts from any contiguous range of float, f16, bf16,
// int8_t or uint8_t.
class VectorView {
 public:
  constexpr VectorView() noexcept = default;

  template <detail::Components R>
  constexpr VectorView(const R& components) noexcept
      : data_(std::ranges::data(components)),
        dimension_(std::ranges::size(components)),
        scalar_(detail::ScalarOf<std::remove_cv_t<std::ranges::range_value_t<R>>>::value) {}

  constexpr VectorView(const void* data, Scalar scalar, std::size_t dimension) noexcept
      : data_(data), dimension_(dimension), scalar_(scalar) {}

  // `dimension` bits, packed as vector_bytes() says.
  static constexpr VectorView bits(const std::uint8_t* bytes, std::size_t dimension) noexcept {
    return VectorView(bytes, Scalar::b1, dimension);
  }

  constexpr const void* data() const noexcept { return data_; }
  constexpr std::size_t dimension() const noexcept { return dimension_; }
  constexpr Scalar scalar() const noexcept { return scalar_; }

 private:
  const void* data_ = nullptr;
  std::size_t dimension_ = 0;
  Scalar scalar_ = Scalar::f32;
};

// Vectors one after the other in the caller's memory, `stride` bytes apart.
class MatrixView {
 public:
  constexpr MatrixView() noexcept = default;

  // `stride` 0 means that the rows touch.
  constexpr MatrixView(const void* data, Scalar scalar, std::size_t rows, std::size_t dimension,
                       std::size_t stride = 0) noexcept
      : data_(static_cast<const std::byte*>(data)),
        rows_(rows),
        dimension_(dimension),
        stride_(stride != 0 ? stride : vector_bytes(scalar, dimension)),
        scalar_(scalar) {}

  // All of `components`, cut into rows of `dimension`.
  template <detail::Components R>
  constexpr MatrixView(const R& components, std::size_t dimension) noexcept
      : MatrixView(std::ranges::data(components),
                   detail::ScalarOf<std::remove_cv_t<std::ranges::range_value_t<R>>>::value,
                   dimension == 0 ? 0 : std::ranges::size(components) / dimension, dimension) {}

  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t dimension() const noexcept { return dimension_; }
  constexpr std::size_t stride() const noexcept { return stride_; }
  constexpr Scalar scalar() const noexcept { return scalar_; }
  VectorView row(std::size_t i) const noexcept {
    return VectorView(data_ + i * stride_, scalar_, dimension_);
  }

 private:
  const std::byte* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t dimension_ = 0;
  std::size_t stride_ = 0;
  Scalar scalar_ = Scalar::f32;
};

// A function of the caller's that is borrowed for the length of a call.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, FunctionRef> &&
           std::is_invocable_r_v<R, F&, Args...>) FunctionRef(F&& function)
  noexcept
      : context_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* context, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(context))(args...);
        }) {}

  R operator()(Args... args) const { return call_(context_, args...); }

 private:
  void* context_;
  R (*call_)(void*, Args...);
};

// Which keys may be returned? Routing ignores a filter, admission obeys it: a search returns
// fewer than k hits only when fewer than k live keys pass.
//
// A predicate is called from inside the search, possibly from several threads at once, any number
// of times for a key; it may read any index or collection, and must not throw. Writing from
// inside it is refused with invalid_argument.
class Filter {
 public:
  enum class Kind : std::uint8_t {
    none,
    predicate,
    only,
    except,
    name_predicate,
    only_names,
    except_names
  };

  constexpr Filter() noexcept = default;

  // Keys for which predicate(key) is true. The predicate is borrowed: a temporary is refused.
  template <class F>
  requires std::is_invocable_r_v<bool, const F&, Key>
  static Filter where(const F& predicate) noexcept {
    Filter filter;
    filter.kind_ = Kind::predicate;
    filter.context_ = std::addressof(predicate);
    filter.key_call_ = [](const void* context, Key key) -> bool {
      return (*static_cast<const F*>(context))(key);
    };
    return filter;
  }
  template <class F>
  requires std::is_invocable_r_v<bool, const F&, Key>
  static Filter where(const F&& predicate) = delete;

  // Keys in the list (any order, repeats and absent keys allowed), or keys not in it. Borrowed.
  static constexpr Filter only(std::span<const Key> keys) noexcept {
    return with_list(Kind::only, keys.data(), keys.size());
  }
  static constexpr Filter except(std::span<const Key> keys) noexcept {
    return with_list(Kind::except, keys.data(), keys.size());
  }

  // The same three for collections with byte-string keys.
  template <class F>
  requires std::is_invocable_r_v<bool, const F&, std::string_view>
  static Filter where_name(const F& predicate) noexcept {
    Filter filter;
    filter.kind_ = Kind::name_predicate;
    filter.context_ = std::addressof(predicate);
    filter.name_call_ = [](const void* context, std::string_view name) -> bool {
      return (*static_cast<const F*>(context))(name);
    };
    return filter;
  }
  template <class F>
  requires std::is_invocable_r_v<bool, const F&, std::string_view>
  static Filter where_name(const F&& predicate) = delete;
  static constexpr Filter only_names(std::span<const std::string_view> names) noexcept {
    return with_list(Kind::only_names, names.data(), names.size());
  }
  static constexpr Filter except_names(std::span<const std::string_view> names) noexcept {
    return with_list(Kind::except_names, names.data(), names.size());
  }

  constexpr Kind kind() const noexcept { return kind_; }
  bool passes(Key key) const { return key_call_(context_, key); }                  // predicate
  bool passes(std::string_view name) const { return name_call_(context_, name); }  // name_predicate
  std::span<const Key> keys() const noexcept { return {static_cast<const Key*>(context_), count_}; }
  std::span<const std::string_view> names() const noexcept {
    return {static_cast<const std::string_view*>(context_), count_};
  }

 private:
  static constexpr Filter with_list(Kind kind, const void* list, std::size_t count) noexcept {
    Filter filter;
    filter.kind_ = kind;
    filter.context_ = list;
    filter.count_ = count;
    return filter;
  }

  Kind kind_ = Kind::none;
  std::size_t count_ = 0;
  const void* context_ = nullptr;
  union {
    bool (*key_call_)(const void*, Key) = nullptr;
    bool (*name_call_)(const void*, std::string_view);
  };
};

// One answer.
struct Hit {
  Key key = 0;
  float distance = 0;

  friend bool operator==(const Hit&, const Hit&) = default;
};

// A byte-string key with room of its own: results are copied here, nothing is borrowed.
struct Name {
  std::uint16_t size = 0;
  char bytes[kMaxKeyBytes] = {};

  std::string_view view() const noexcept { return {bytes, size}; }
};

// One answer of a collection with byte-string keys.
struct NamedHit {
  Name name;
  float distance = 0;
};

// One answer of a search over several collections: `collection` is its place in their list.
struct UnionHit {
  Key key = 0;
  float distance = 0;
  std::uint32_t collection = 0;

  friend bool operator==(const UnionHit&, const UnionHit&) = default;
};
struct NamedUnionHit {
  Name name;
  float distance = 0;
  std::uint32_t collection = 0;
};

// What a search found. The hits are in the caller's buffer: nearest first, ties by key ascending.
struct SearchResult {
  std::uint32_t count = 0;  // hits written, at most the size of the buffer
  bool exact = false;       // true: every live key was considered, recall is 1 by construction
  bool exhausted = false;   // true: the caller's budget or deadline ended the search early
  // What it cost; of a batch or a union, all of its searches together.
  std::uint64_t visited = 0;   // distances computed, on codes and on vectors
  std::uint64_t hops = 0;      // nodes whose neighbours were looked at; 0 in a scan
  std::uint64_t reranked = 0;  // of `visited`: exact ones, of vectors that codes had chosen
  std::uint64_t bytes = 0;     // rows of links, codes and vectors that were read for these, padding
                               // included

  // What two calls found and cost together.
  SearchResult& operator+=(const SearchResult& other) noexcept {
    count += other.count;
    exact = exact && other.exact;
    exhausted = exhausted || other.exhausted;
    visited += other.visited;
    hops += other.hops;
    reranked += other.reranked;
    bytes += other.bytes;
    return *this;
  }
};

}  // namespace skerry

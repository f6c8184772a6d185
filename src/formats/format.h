// format.h - which kind of vector file is this?
//
//   fvecs bvecs ivecs        each row: int32 dimension, then its float32 / uint8 / int32 components
//   fbin u8bin i8bin f16bin  uint32 rows, uint32 dimension, then the rows, nothing between
//   npy                      numpy's own: 2-d, C order, f2 f4 f8 i1 u1
//   jsonl                    a line a vector: {"key": .., "vector": [..], "payload": ..}
//   csv                      a record a vector, the key's column among them
//
// All are little-endian. ivecs components become float32, f8 is rounded to float32.
#pragma once

#include <optional>
#include <string_view>

namespace skerry::formats {

enum class Format { fvecs, bvecs, ivecs, fbin, u8bin, i8bin, f16bin, npy, jsonl, csv };

// All names, for help texts.
inline constexpr std::string_view kFormatNames =
    "fvecs, bvecs, ivecs, fbin, u8bin, i8bin, f16bin, npy, jsonl, csv";

std::string_view name_of(Format format) noexcept;
std::optional<Format> parse_format(std::string_view name) noexcept;

// By the name after the last dot.
std::optional<Format> format_of_path(std::string_view path) noexcept;

// Text formats carry keys and payloads, binary ones only vectors.
bool carries_keys(Format format) noexcept;

}  // namespace skerry::formats

// npy.cc - numpy's own file: a magic, a version, a Python dictionary as text, then the rows.
//
//   "\x93NUMPY" major minor  length (v1: uint16, v2 and v3: uint32)  dictionary  rows
//   {'descr': '<f4', 'fortran_order': False, 'shape': (1000, 384), }
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "formats/fixed.h"

namespace skerry::formats {
namespace {

constexpr std::size_t kHeaderBytesMax = 1 << 20;

// What stands after 'name': in the dictionary, without leading spaces; empty when it is not there.
std::string_view value_of(std::string_view dictionary, std::string_view name) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = quote + std::string(name) + quote;
    const std::size_t at = dictionary.find(quoted);
    if (at == std::string_view::npos) continue;
    std::string_view rest = dictionary.substr(at + quoted.size());
    const std::size_t begin = rest.find_first_not_of(" :");
    return begin == std::string_view::npos ? std::string_view{} : rest.substr(begin);
  }
  return {};
}

// "(1000, 384)..." gives {1000, 384}. False for anything but two whole numbers.
bool parse_shape(std::string_view text, std::uint64_t (&shape)[2]) noexcept {
  if (!text.starts_with('(')) return false;
  text = text.substr(1, text.find(')') - 1);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t begin = text.find_first_not_of(i == 0 ? " " : ", ");
    if (begin == std::string_view::npos) return false;
    text.remove_prefix(begin);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), shape[i]);
    if (error != std::errc{}) return false;
    text.remove_prefix(end - text.data());
  }
  return text.find_first_not_of(", ") == std::string_view::npos;
}

}  // namespace

Outcome open_npy(std::unique_ptr<Source> source, std::unique_ptr<VectorReader>& out) {
  const auto bad = [&](const std::string& what) {
    return Outcome::data(fmt::format("{}: {}", source->name(), what));
  };
  const auto short_header = [&] { return bad("truncated: the npy header is not whole"); };
  char magic[8];
  std::size_t got = 0;
  if (Outcome read = source->read(magic, sizeof(magic), got); !read.ok()) return read;
  if (got == 0) return bad("empty, expected an npy header");
  if (std::memcmp(magic, "\x93NUMPY", std::min<std::size_t>(got, 6)) != 0) {
    return bad("not an npy file: the first bytes are not \\x93NUMPY");
  }
  if (got < sizeof(magic)) return short_header();
  const unsigned major = static_cast<unsigned char>(magic[6]);
  if (major < 1 || major > 3) {
    return bad(fmt::format("npy version {}, expected 1, 2 or 3", major));
  }
  std::uint32_t length = 0;
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  if (Outcome read = source->read(&length, length_bytes, got); !read.ok()) return read;
  if (got < length_bytes) return short_header();
  if (length > kHeaderBytesMax) {
    return bad(
        fmt::format("an npy header of {} bytes, expected at most {}", length, kHeaderBytesMax));
  }
  std::string dictionary(length, ' ');
  if (Outcome read = source->read(dictionary.data(), length, got); !read.ok()) return read;
  if (got < length) return short_header();

  std::string_view type = value_of(dictionary, "descr");  // "'<f4', 'fortran_order': ..."
  type = type.size() < 5 ? std::string_view{} : type.substr(1, type.find_first_of("'\"", 1) - 1);
  Shape shape;
  bool doubles = false;
  if (type == "<f4") {
    shape.scalar = Scalar::f32;
  } else if (type == "<f2") {
    shape.scalar = Scalar::f16;
  } else if (type == "<f8") {
    doubles = true;
  } else if (type == "|i1" || type == "<i1") {
    shape.scalar = Scalar::i8;
  } else if (type == "|u1" || type == "<u1") {
    shape.scalar = Scalar::u8;
  } else {
    return bad(fmt::format("npy type {}, expected '<f4', '<f2', '<f8', '|i1' or '|u1'", type));
  }
  const std::string_view fortran = value_of(dictionary, "fortran_order");
  if (fortran.starts_with("True")) {
    return bad("fortran order, expected C order (numpy.ascontiguousarray makes it)");
  }
  if (!fortran.starts_with("False")) return bad("the npy header does not say fortran_order");
  std::uint64_t extent[2] = {0, 0};
  if (!parse_shape(value_of(dictionary, "shape"), extent)) {
    return bad("npy shape, expected two dimensions: (rows, components)");
  }
  if (Outcome lawful = check_dimension(*source, extent[1]); !lawful.ok()) return lawful;
  if (extent[0] > UINT64_MAX / (8 * extent[1])) return bad("npy shape: more rows than can be");
  shape.rows = extent[0];
  shape.dimension = static_cast<std::uint32_t>(extent[1]);
  auto reader = std::make_unique<FixedReader>(std::move(source), shape, doubles);
  if (Outcome whole = reader->check_size(); !whole.ok()) return whole;
  out = std::move(reader);
  return {};
}

}  // namespace skerry::formats

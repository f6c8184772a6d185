// codec.h - numbers as bytes: little-endian in values, big-endian in keys.
//
// Values are little-endian at fixed width, whatever the machine. Keys are big-endian, so that
// comparing bytes compares numbers. put_* and get_* trust the caller's length; a Reader does not:
// after a read beyond the end it gives zeroes and ok() is false from then on, so a record is read
// to its end and asked once.
//
// Threads: plain functions and values.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace skerry {

namespace detail {
template <std::unsigned_integral T>
constexpr T reversed(T value) noexcept {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}
}  // namespace detail

template <std::unsigned_integral T>
void put_le(std::byte* out, T value) noexcept {
  if constexpr (std::endian::native == std::endian::big) value = detail::reversed(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::unsigned_integral T>
T get_le(const std::byte* in) noexcept {
  T value;
  std::memcpy(&value, in, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = detail::reversed(value);
  return value;
}

template <std::unsigned_integral T>
void put_be(std::byte* out, T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) value = detail::reversed(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::unsigned_integral T>
T get_be(const std::byte* in) noexcept {
  T value;
  std::memcpy(&value, in, sizeof value);
  if constexpr (std::endian::native == std::endian::little) value = detail::reversed(value);
  return value;
}

// Reads a record from its beginning to its end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  // The next number; 0 when there are too few bytes.
  template <std::unsigned_integral T>
  T take() noexcept {
    const std::span<const std::byte> bytes = take_bytes(sizeof(T));
    return bytes.empty() ? T{0} : get_le<T>(bytes.data());
  }

  // The next `count` bytes in place; none when there are too few.
  std::span<const std::byte> take_bytes(std::size_t count) noexcept {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::span<const std::byte> bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return bytes;
  }

  // False after any read beyond the end.
  bool ok() const noexcept { return ok_; }
  std::size_t remaining() const noexcept { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

// Writes a record of known size; the caller's room must be large enough.
class Writer {
 public:
  explicit Writer(std::byte* out) noexcept : out_(out) {}

  template <std::unsigned_integral T>
  void put(T value) noexcept {
    put_le(out_, value);
    out_ += sizeof value;
  }
  void put_bytes(std::span<const std::byte> bytes) noexcept {
    if (!bytes.empty()) std::memcpy(out_, bytes.data(), bytes.size());
    out_ += bytes.size();
  }
  std::byte* position() const noexcept { return out_; }

 private:
  std::byte* out_;
};

}  // namespace skerry

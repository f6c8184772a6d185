// status.h - what happened, and whose move is it?
//
// Every call that can fail returns a Status, or a Result<T>: a value or a Status. Nothing in
// Skerry throws across its interface, aborts on a caller's mistake, or prints.
//
// A Status is 16 bytes and never allocates: a code, a sentence that lives in the program's
// constants, and two small numbers for the sentence's {a} and {b} ("expected dimension {a},
// given {b}"). The text is put together only when somebody asks for it.
//
// Threads: values; copy and read them anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "skerry/export.h"

namespace skerry {

enum class Code : std::uint8_t {
  ok = 0,
  // The caller's move. Nothing was changed.
  invalid_argument = 1,  // a value out of its range; the message names expected and given
  not_found = 2,         // no such key, collection or file
  already_exists = 3,    // insert of a present key, create of a present collection
  busy = 4,              // somebody else holds what this call needs (the store's writer lock)
  closed = 5,            // the handle was closed, or belongs to another process (after fork)
  read_only = 6,         // a write through a read-only handle
  cancelled = 7,         // a callback asked to stop
  // The world's move. Nothing was changed; reads go on.
  out_of_memory = 16,
  storage_full = 17,  // no space left on the device, or the address space for the map is gone
  io_error = 18,      // the operating system refused; the message carries its reason
  corruption = 19,    // a file of ours that is damaged
  incompatible = 20,  // a file that is not ours, or was made by a newer version
};

// The code's own name: "invalid_argument". Never null.
SKERRY_API const char* name_of(Code code) noexcept;

class [[nodiscard]] Status {
 public:
  // Success.
  constexpr Status() noexcept = default;

  // `text` must be a string constant. In it, {a} and {b} stand for the two numbers and {e} for
  // the operating system's words for error number a. `a` saturates at 2^24 - 1 and `b` at
  // 2^32 - 1.
  constexpr Status(Code code, const char* text, std::uint64_t a = 0, std::uint64_t b = 0) noexcept
      : text_(text),
        code_(code),
        a_(static_cast<std::uint32_t>(a < kLimitA ? a : kLimitA)),
        b_(static_cast<std::uint32_t>(b < kLimitB ? b : kLimitB)) {}

  constexpr bool ok() const noexcept { return code_ == Code::ok; }
  constexpr Code code() const noexcept { return code_; }

  // "invalid_argument: expected dimension 384, given 383"; "ok" for success. Allocates.
  SKERRY_API std::string message() const;

  // The same text into `out`, cut to fit and always terminated; returns the length of the whole
  // text. Does not allocate.
  SKERRY_API std::size_t message(std::span<char> out) const noexcept;

  // The same failure with another item number in {b}: a batch names the item that was bad.
  constexpr Status with_b(std::uint64_t b) const noexcept { return Status(code_, text_, a_, b); }

  constexpr const char* text() const noexcept { return text_; }
  constexpr std::uint32_t a() const noexcept { return a_; }
  constexpr std::uint32_t b() const noexcept { return b_; }

 private:
  static constexpr std::uint64_t kLimitA = 0xFFFFFF;
  static constexpr std::uint64_t kLimitB = 0xFFFFFFFF;

  const char* text_ = "";
  Code code_ = Code::ok;
  std::uint32_t a_ : 24 = 0;
  std::uint32_t b_ = 0;
};
static_assert(sizeof(Status) == 16);

// A value, or the reason there is none. The words are those of std::expected.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : value_(std::move(value)) {}
  Result(Status status) noexcept : status_(status) {}

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  bool ok() const noexcept { return has_value(); }

  // Only when has_value().
  T& value() & noexcept { return *value_; }
  const T& value() const& noexcept { return *value_; }
  T&& value() && noexcept { return std::move(*value_); }
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return std::move(*value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }

  T value_or(T other) const { return value_.has_value() ? *value_ : std::move(other); }

  // Success when there is a value.
  Status error() const noexcept { return status_; }
  Status status() const noexcept { return status_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace skerry

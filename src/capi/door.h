// door.h - how does a call come in, and how does its answer go out?
//
// Every function of c.h is one enter(): the arguments are looked at, the C++ call is made, and what
// became of it is a code and, if the caller has room for it, a sentence. No exception goes further.
//
// Threads: nothing is kept between calls.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "skerry/c.h"
#include "skerry/status.h"

// Leaves the call when a pointer is null; the message names it.
#define SKERRY_NEED(pointer)                                                \
  do {                                                                      \
    if ((pointer) == nullptr) {                                             \
      return ::skerry::Status(::skerry::Code::invalid_argument,             \
                              #pointer ": expected a pointer, given null"); \
    }                                                                       \
  } while (false)

// Leaves the call when a step fails.
#define SKERRY_TRY(step)                                                  \
  do {                                                                    \
    if (::skerry::Status status_of_step = (step); !status_of_step.ok()) { \
      return status_of_step;                                              \
    }                                                                     \
  } while (false)

namespace skerry::capi {

// What the caller is told. `error` may be null.
inline skerry_code tell(const Status& status, skerry_error* error) noexcept {
  const auto code = static_cast<skerry_code>(status.code());
  if (error != nullptr) {
    error->code = code;
    error->length = static_cast<std::uint32_t>(status.message(std::span<char>(error->message)));
  }
  return code;
}

template <class Call>
Status guarded(Call& call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory for the call");
  } catch (const std::length_error&) {
    return Status(Code::out_of_memory, "no memory for the call");
  } catch (const std::system_error& error) {  // of paths and of threads
    return Status(Code::io_error, "the system refused: {e}",
                  static_cast<std::uint64_t>(error.code().value()));
  } catch (...) {
    return Status(Code::invalid_argument, "an exception came out of a callback");
  }
}

template <class Call>
skerry_code enter(skerry_error* error, Call call) noexcept {
  return tell(guarded(call), error);
}

// A struct that is led by its own size. One that claims more than this is not filled in.
inline constexpr std::size_t kStructMost = 4096;

inline Status check_size(std::size_t given) noexcept {
  if (given < sizeof(std::size_t)) {
    return Status(Code::invalid_argument, "struct_size: expected at least {a}, given {b}",
                  sizeof(std::size_t), given);
  }
  if (given > kStructMost) {
    return Status(Code::invalid_argument, "struct_size: expected at most {a}, given {b}",
                  kStructMost, given);
  }
  return {};
}

// What the caller's struct says, over the defaults that are in `all`; null: the defaults.
template <class T>
Status take(const T* given, T& all) noexcept {
  if (given == nullptr) return {};
  const std::size_t size = given->struct_size;
  SKERRY_TRY(check_size(size));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] == 0) continue;
    return Status(Code::invalid_argument,
                  "struct_size: this library knows {a} bytes, and of the {b} given one beyond them "
                  "is not zero",
                  sizeof(T), size);
  }
  std::memcpy(&all, given, std::min(size, sizeof(T)));
  all.struct_size = sizeof(T);
  return {};
}

// Before the call that fills it.
template <class T>
Status check_room(const T* out) noexcept {
  return check_size(out->struct_size);
}

// As much as there is room for; what the caller knows and this library does not is zero.
template <class T>
void give(const T& all, T* out) noexcept {
  const std::size_t size = out->struct_size;
  std::memset(out, 0, size);
  std::memcpy(out, &all, std::min(size, sizeof(T)));
  out->struct_size = size;
}

// A new handle, or nothing. Its memory is taken before the call that cannot be undone.
template <class Handle, class Make>
Status hand_out(Handle** out, Make make) {
  struct Free {
    void operator()(void* room) const noexcept { ::operator delete(room); }
  };
  std::unique_ptr<void, Free> room(::operator new(sizeof(Handle)));
  auto made = make();
  if (!made.ok()) return made.status();
  *out = ::new (room.release()) Handle{std::move(*made)};
  return {};
}

}  // namespace skerry::capi

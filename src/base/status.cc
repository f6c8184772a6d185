// status.cc - the words of a Status: put together only when somebody asks.
#include "skerry/status.h"

#include <cstdio>
#include <cstring>
#include <string_view>

namespace skerry {
namespace {

// strerror_r() comes in two kinds: one returns the text, the other fills the buffer.
[[maybe_unused]] const char* words(const char* text, const char*) {
  return text;
}
[[maybe_unused]] const char* words(int failed, const char* buffer) {
  return failed == 0 ? buffer : "unknown error";
}

// Appends to a buffer of fixed size and counts what there would be without the limit.
class Text {
 public:
  explicit Text(std::span<char> out) noexcept : out_(out) {}

  void add(std::string_view part) noexcept {
    for (const char c : part) {
      if (length_ + 1 < out_.size()) out_[length_] = c;
      ++length_;
    }
  }

  std::size_t finish() noexcept {
    if (!out_.empty()) out_[length_ < out_.size() ? length_ : out_.size() - 1] = '\0';
    return length_;
  }

 private:
  std::span<char> out_;
  std::size_t length_ = 0;
};

}  // namespace

const char* name_of(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::not_found:
      return "not_found";
    case Code::already_exists:
      return "already_exists";
    case Code::busy:
      return "busy";
    case Code::closed:
      return "closed";
    case Code::read_only:
      return "read_only";
    case Code::cancelled:
      return "cancelled";
    case Code::out_of_memory:
      return "out_of_memory";
    case Code::storage_full:
      return "storage_full";
    case Code::io_error:
      return "io_error";
    case Code::corruption:
      return "corruption";
    case Code::incompatible:
      return "incompatible";
  }
  return "unknown";
}

std::size_t Status::message(std::span<char> out) const noexcept {
  Text text(out);
  text.add(name_of(code_));
  std::string_view rest(text_);
  if (!ok() && !rest.empty()) text.add(": ");
  while (!ok() && !rest.empty()) {
    const std::string_view mark = rest.substr(0, 3);
    char buffer[128];
    if (mark == "{a}" || mark == "{b}") {
      std::snprintf(buffer, sizeof buffer, "%u", mark == "{a}" ? a() : b());
      text.add(buffer);
      rest.remove_prefix(3);
    } else if (mark == "{e}") {
      text.add(words(strerror_r(static_cast<int>(a()), buffer, sizeof buffer), buffer));
      rest.remove_prefix(3);
    } else {
      text.add(rest.substr(0, 1));
      rest.remove_prefix(1);
    }
  }
  return text.finish();
}

std::string Status::message() const {
  std::string text(message(std::span<char>()), '\0');
  // The terminator goes where std::string keeps its own.
  static_cast<void>(message(std::span<char>(text.data(), text.size() + 1)));
  return text;
}

}  // namespace skerry

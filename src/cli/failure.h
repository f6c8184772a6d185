// failure.h - how does a command give up?
//
// Inside the door, and nowhere else, failure is an exception: main() catches it, says the text and
// leaves with the code. Statuses of the library and outcomes of the formats become failures here.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "formats/outcome.h"
#include "skerry/status.h"

namespace skerry::cli {

struct Failure {
  int exit_code;
  std::string text;  // empty: everything was said already
};

[[noreturn]] void fail(int exit_code, std::string text);

int exit_code_of(Code code) noexcept;

// Fails with "SUBJECT: message" unless the status is ok.
void check(const Status& status, std::string_view subject);
void check(const formats::Outcome& outcome);

template <class T>
T take(Result<T>&& result, std::string_view subject) {
  check(result.status(), subject);
  return std::move(*result);
}

}  // namespace skerry::cli

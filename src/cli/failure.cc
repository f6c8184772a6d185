// failure.cc - how does a command give up?
#include "cli/failure.h"

#include <fmt/core.h>

#include "cli/exit_code.h"

namespace skerry::cli {

void fail(int exit_code, std::string text) {
  throw Failure{exit_code, std::move(text)};
}

int exit_code_of(Code code) noexcept {
  switch (code) {
    case Code::ok:
      return kOk;
    case Code::not_found:
      return kNotFound;
    case Code::invalid_argument:
    case Code::already_exists:
    case Code::read_only:
      return kUsage;
    case Code::busy:
      return kBusy;
    case Code::cancelled:
      return kInterrupted;
    case Code::closed:
    case Code::out_of_memory:
    case Code::storage_full:
    case Code::io_error:
      return kStorage;
    case Code::corruption:
    case Code::incompatible:
      return kDamaged;
  }
  return kStorage;
}

void check(const Status& status, std::string_view subject) {
  if (status.ok()) return;
  if (status.code() == Code::cancelled) fail(kInterrupted, fmt::format("{}: interrupted", subject));
  fail(exit_code_of(status.code()), fmt::format("{}: {}", subject, status.message()));
}

void check(const formats::Outcome& outcome) {
  using formats::Trouble;
  switch (outcome.trouble) {
    case Trouble::none:
      return;
    case Trouble::usage:
      fail(kUsage, outcome.text);
    case Trouble::missing:
      fail(kNotFound, outcome.text);
    case Trouble::io:
      fail(kStorage, outcome.text);
    case Trouble::data:
      fail(kData, outcome.text);
    case Trouble::stopped:
      fail(kInterrupted, outcome.text);
  }
}

}  // namespace skerry::cli

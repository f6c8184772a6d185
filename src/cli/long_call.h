// long_call.h - a call of the library that takes long: its bar, and how Ctrl-C stops it.
//
//   LongCall call("compact");
//   check(database.compact(call.control()), place.database);
//
// At Ctrl-C the call returns `cancelled`, and the command leaves with kInterrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "skerry/control.h"

namespace skerry::cli {

class LongCall {
 public:
  explicit LongCall(std::string label) : label_(std::move(label)) { catch_interrupts(); }
  LongCall(const LongCall&) = delete;
  LongCall& operator=(const LongCall&) = delete;

  // Good as long as this lives; the bar is wiped with it.
  Control control() noexcept { return {show, this}; }

 private:
  static bool show(void* context, std::uint64_t done, std::uint64_t total) {
    auto& call = *static_cast<LongCall*>(context);
    if (!call.bar_.has_value()) {
      call.bar_.emplace(call.label_, total != 0 ? std::optional(total) : std::nullopt);
    }
    call.bar_->update(done);
    return !interrupted();
  }

  std::string label_;
  std::optional<Progress> bar_;
};

}  // namespace skerry::cli

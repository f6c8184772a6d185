// must.h - what a measurement does with a failure of Skerry's: it ends, and says why.
#pragma once

#include <stdexcept>
#include <utility>

#include "skerry/status.h"

namespace skerry::bench {

// Throws std::runtime_error with the message unless the status is ok.
inline void check(const Status& status) {
  if (!status.ok()) throw std::runtime_error("skerry: " + status.message());
}

template <class T>
T must(Result<T> result) {
  check(result.status());
  return std::move(*result);
}

}  // namespace skerry::bench

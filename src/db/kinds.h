// kinds.h - is this the kind of key that the collection has?
#pragma once

#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

inline Status check_kind(const CollectionOptions& options, bool by_name) noexcept {
  if (by_name == options.byte_keys) return Status();
  return by_name
             ? Status(Code::invalid_argument, "the collection has 64-bit keys, not byte strings")
             : Status(Code::invalid_argument, "the collection has byte-string keys");
}

inline Status check_filter(const CollectionOptions& options, const Filter& filter) noexcept {
  switch (filter.kind()) {
    case Filter::Kind::none:
      return Status();
    case Filter::Kind::predicate:
    case Filter::Kind::only:
    case Filter::Kind::except:
      return check_kind(options, false);
    case Filter::Kind::name_predicate:
    case Filter::Kind::only_names:
    case Filter::Kind::except_names:
      return check_kind(options, true);
  }
  return Status(Code::invalid_argument, "there is no such kind of filter");
}

}  // namespace skerry

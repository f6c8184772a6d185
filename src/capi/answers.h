// answers.h - what C++ found, in the words of C.
//
// Hits, hops and ranges have one layout in both languages, so they are written where the caller
// wants them; the static_asserts in answers.cc hold that. Everything else is copied field by field.
#pragma once

#include "capi/door.h"
#include "skerry/c.h"
#include "skerry/database.h"

namespace skerry::capi {

skerry_options written(const CollectionOptions& options) noexcept;
skerry_search_result written(const SearchResult& result) noexcept;
skerry_explanation written(const Explanation& why) noexcept;
skerry_index_stats written(const IndexStats& stats) noexcept;
skerry_collection_stats written(const CollectionStats& stats) noexcept;
skerry_database_stats written(const DatabaseStats& stats) noexcept;
skerry_check_report written(const CheckReport& report) noexcept;
skerry_verify_report written(const VerifyReport& report) noexcept;

// The answer of a call, when there is one, into the caller's struct.
template <class T, class Given>
Status answer(const Result<T>& found, Given* out) noexcept {
  if (!found.ok()) return found.status();
  give(written(*found), out);
  return {};
}

// Numbers and flags. `out` may be null where a header says so.
template <class T, class Given>
Status answer_plain(const Result<T>& found, Given* out) noexcept {
  if (!found.ok()) return found.status();
  if (out != nullptr) *out = static_cast<Given>(*found);
  return {};
}

}  // namespace skerry::capi

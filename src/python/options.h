// options.h - the library's options and reports as Python has them: words and dicts.
//
// An option that is not known, or is no word or number of its kind, is InvalidArgument and names
// the ones there are; its range is the library's to check. Reports go out as dicts, which the
// Python side makes into dataclasses.
//
// Threads: with the GIL.
#pragma once

#include <string>

#include "python/python.h"
#include "skerry/database.h"
#include "skerry/index.h"

namespace skerry::python {

// dimension, metric, scalar, codes, vectors, M, ef_construction, ef, flat_below, seed.
IndexOptions index_options(const py::dict& words);
// durability, read_only, create_if_missing, ...
DatabaseOptions database_options(const py::dict& words);

py::dict out(const IndexOptions& options);
py::dict out(const IndexStats& stats);
py::dict out(const CheckReport& report);
py::dict out(const GraphShape& shape);
py::dict out(const CollectionStats& stats);
py::dict out(const CollectionInfo& info);
py::dict out(const VerifyReport& report);
py::dict out(const DatabaseStats& stats);
py::dict out(const RepairReport& report);
py::dict out(const Explanation& why);
py::dict out(const SearchResult& result);

VerifyLevel verify_level(py::handle word);

inline py::str text(std::string_view word) {
  return py::str(word.data(), word.size());
}

}  // namespace skerry::python

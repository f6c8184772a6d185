// dataset.h - what is searched for what: a base, queries, the truth about them, and a name.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "matrix.h"
#include "skerry/types.h"
#include "truth.h"

namespace skerry::bench {

struct DataOptions {
  std::string data;      // a vector file; or, when empty,
  std::string generate;  // the name of a generated set
  std::string queries;   // empty: NAME.query.fbin beside NAME.base.*, or generated
  std::string truth;     // empty: NAME.gt.ibin beside it, or brute force
  Metric metric = Metric::l2;
  std::size_t limit = 0;        // rows of the base; 0: all (100,000 when generated)
  std::size_t query_limit = 0;  // 0: all (1,000 when generated)
  unsigned threads = 1;         // for generating and for brute force
};

struct Dataset {
  std::string name;
  Metric metric = Metric::l2;
  Matrix base;
  Matrix queries;
  bool is_cut = false;  // rows were left out: the file's truth is not this base's

  // The same, normalised, for libraries whose cosine is the inner product of unit vectors. They
  // are the ones above when those are of unit length already.
  std::unique_ptr<Matrix> unit_base;
  std::unique_ptr<Matrix> unit_queries;
  const Matrix& fed_base() const noexcept { return unit_base ? *unit_base : base; }
  const Matrix& fed_queries() const noexcept { return unit_queries ? *unit_queries : queries; }
};

// Throws std::runtime_error that says what is wrong with which file.
Dataset load_dataset(const DataOptions& options);

// Reads the truth, or finds it: without a file, when the base was cut, or when it is not deep
// enough. O(queries * rows * dimension) then.
Truth load_truth(const DataOptions& options, const Dataset& dataset, std::size_t depth);

}  // namespace skerry::bench

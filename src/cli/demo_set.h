// demo_set.h - one of the demo's sets of real vectors, and what ought to be live of it by now.
//
// The model is a plain array that is changed beside the collection; the exact answers come from it
// by brute force in double precision, with nothing of Skerry's own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/reader.h"
#include "skerry/types.h"

namespace skerry::cli {

class DemoSet {
 public:
  // Reads NAME.base.EXTENSION and NAME.query.fbin of the folder: at most so many of their first
  // rows.
  DemoSet(const std::string& folder, const std::string& name, const std::string& extension,
          Metric metric, std::size_t rows_max, std::size_t queries_max);

  const std::string& name() const noexcept { return name_; }
  Metric metric() const noexcept { return metric_; }
  Scalar scalar() const noexcept { return base_.scalar; }
  std::uint32_t dimension() const noexcept { return base_.dimension; }
  std::size_t rows() const noexcept { return base_.rows; }
  std::uint64_t live() const noexcept { return live_count_; }

  // The set's own rows [begin, begin + count), as they are in the file.
  MatrixView base(std::size_t begin, std::size_t count) const noexcept;

  std::size_t queries() const noexcept { return queries_.rows; }
  VectorView query(std::size_t i) const noexcept { return queries_.matrix().row(i); }

  // A new vector for the row: the mean of it and the next, in the file's own type. In the model it
  // replaces the old one.
  const void* renew(std::size_t row);
  void remove(std::size_t row);

  // Computes the exact k nearest of every query among what is live.
  void find_truth(std::size_t k);

  // How many of the hits are right: as near as the true k-th.
  std::size_t right(std::size_t query, std::span<const Hit> hits) const;
  std::size_t truth_size() const noexcept { return truth_size_; }

 private:
  double distance(std::size_t query, std::size_t row) const noexcept;

  std::string name_;
  Metric metric_;
  formats::Batch base_;
  formats::Batch queries_;
  std::vector<float> model_;    // rows * dimension, as of now
  std::vector<float> queried_;  // the queries as floats
  std::vector<bool> live_;
  std::uint64_t live_count_ = 0;
  std::vector<std::byte> renewed_;  // of the last renew()
  std::vector<double> farthest_;    // a query: distance of its true k-th
  std::size_t truth_size_ = 0;
};

}  // namespace skerry::cli

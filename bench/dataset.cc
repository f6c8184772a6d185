// dataset.cc - see dataset.h.
#include "dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "formats/reader.h"
#include "formats/truth.h"
#include "generate.h"

namespace skerry::bench {
namespace {

constexpr std::string_view kGenerated = "lid24-384";

// "sets/NAME.base.u8bin" and ".gt.ibin": "sets/NAME.gt.ibin" when there is such a file, or "".
std::string beside(const std::string& base, std::string_view ending) {
  const std::size_t place = base.rfind(".base.");
  if (place == std::string::npos) return "";
  const std::string path = base.substr(0, place) + std::string(ending);
  return std::filesystem::exists(path) ? path : "";
}

std::string truth_file(const DataOptions& options) {
  return options.truth.empty() ? beside(options.data, ".gt.ibin") : options.truth;
}

Matrix read_matrix(const std::string& path) {
  formats::Batch batch;
  formats::InputOptions input;
  input.path = path;
  const formats::Outcome outcome = formats::read_all(input, batch);
  if (!outcome.ok()) throw std::runtime_error(outcome.text);
  Matrix matrix;
  matrix.rows = batch.rows;
  matrix.dimension = batch.dimension;
  matrix.values = formats::to_floats(batch.matrix());
  return matrix;
}

// Null when every row is of length one (or zero) already.
std::unique_ptr<Matrix> normalised(const Matrix& matrix) {
  const auto norm = [&](std::size_t row) {
    double square = 0;
    for (const float value : matrix.span(row)) square += double{value} * double{value};
    return std::sqrt(square);
  };
  bool are_unit = true;
  for (std::size_t row = 0; row < matrix.rows && are_unit; ++row) {
    const double length = norm(row);
    are_unit = length == 0 || std::abs(length - 1) < 1e-5;
  }
  if (are_unit) return nullptr;
  auto unit = std::make_unique<Matrix>(matrix);
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    const double length = norm(row);
    if (length == 0) continue;
    for (std::size_t i = 0; i < matrix.dimension; ++i) {
      unit->row(row)[i] = static_cast<float>(matrix.row(row)[i] / length);
    }
  }
  return unit;
}

}  // namespace

Dataset load_dataset(const DataOptions& options) {
  Dataset set;
  set.metric = options.metric;
  if (options.data.empty()) {
    if (options.generate != kGenerated) {
      throw std::runtime_error(
          fmt::format("--generate {}: the sets are: {}", options.generate, kGenerated));
    }
    const ClusterSet clusters;
    set.name = options.generate;
    set.metric = Metric::cosine;
    set.base = generate(clusters, Stream::base, options.limit != 0 ? options.limit : 100'000,
                        options.threads);
    set.queries = generate(clusters, Stream::queries,
                           options.query_limit != 0 ? options.query_limit : 1000, options.threads);
  } else {
    set.name = std::filesystem::path(options.data).filename().string();
    set.name = set.name.substr(0, std::min(set.name.rfind(".base."), set.name.rfind('.')));
    const std::string queries =
        options.queries.empty() ? beside(options.data, ".query.fbin") : options.queries;
    if (queries.empty()) throw std::runtime_error("--queries: a file of queries is needed");
    set.base = read_matrix(options.data);
    set.queries = read_matrix(queries);
    if (options.limit != 0) {
      set.is_cut = options.limit < set.base.rows;
      cut(set.base, options.limit);
    }
    if (options.query_limit != 0) cut(set.queries, options.query_limit);
  }
  if (set.base.rows == 0 || set.queries.rows == 0) {
    throw std::runtime_error("the base and the queries must have a row at least");
  }
  if (set.base.dimension != set.queries.dimension) {
    throw std::runtime_error(fmt::format("the base has {} dimensions, the queries have {}",
                                         set.base.dimension, set.queries.dimension));
  }
  if (set.metric == Metric::cosine) {
    set.unit_base = normalised(set.base);
    set.unit_queries = normalised(set.queries);
  }
  return set;
}

Truth load_truth(const DataOptions& options, const Dataset& dataset, std::size_t depth) {
  const std::string path = truth_file(options);
  if (!path.empty() && !dataset.is_cut) {
    formats::Truth file;
    const formats::Outcome outcome = formats::read_truth(path, file);
    if (!outcome.ok()) throw std::runtime_error(outcome.text);
    if (file.k >= depth && file.queries >= dataset.queries.rows) {
      return {file.queries, file.k, {file.rows.begin(), file.rows.end()}};
    }
  }
  return find_truth(dataset.metric, dataset.base, dataset.queries, depth, options.threads);
}

}  // namespace skerry::bench

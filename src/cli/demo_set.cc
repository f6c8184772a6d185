// demo_set.cc - one of the demo's sets of real vectors, and what ought to be live of it by now.
#include "cli/demo_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cli/failure.h"

namespace skerry::cli {
namespace {

formats::Batch read(const std::string& path, std::size_t rows_max) {
  formats::Batch all;
  formats::InputOptions input;
  input.path = path;
  check(formats::read_all(input, all));
  all.rows = std::min(all.rows, rows_max);
  return all;
}

}  // namespace

DemoSet::DemoSet(const std::string& folder, const std::string& name, const std::string& extension,
                 Metric metric, std::size_t rows_max, std::size_t queries_max)
    : name_(name),
      metric_(metric),
      base_(read(folder + "/" + name + ".base." + extension, rows_max)),
      queries_(read(folder + "/" + name + ".query.fbin", queries_max)),
      model_(formats::to_floats(base_.matrix())),
      queried_(formats::to_floats(queries_.matrix())),
      live_(base_.rows, true),
      live_count_(base_.rows),
      renewed_(vector_bytes(base_.scalar, base_.dimension)) {}

MatrixView DemoSet::base(std::size_t begin, std::size_t count) const noexcept {
  return MatrixView(base_.matrix().row(begin).data(), base_.scalar, count, base_.dimension);
}

const void* DemoSet::renew(std::size_t row) {
  const std::size_t next = (row + 1) % rows();
  float* own = model_.data() + row * dimension();
  const float* other = model_.data() + next * dimension();
  for (std::size_t i = 0; i < dimension(); ++i) {
    if (scalar() == Scalar::u8) {
      own[i] = std::floor((own[i] + other[i]) / 2);
      renewed_[i] = static_cast<std::byte>(own[i]);
    } else {
      own[i] = (own[i] + other[i]) / 2;
      std::memcpy(renewed_.data() + i * sizeof(float), own + i, sizeof(float));
    }
  }
  return renewed_.data();
}

void DemoSet::remove(std::size_t row) {
  live_count_ -= live_[row];
  live_[row] = false;
}

double DemoSet::distance(std::size_t query, std::size_t row) const noexcept {
  const float* a = queried_.data() + query * dimension();
  const float* b = model_.data() + row * dimension();
  double dot = 0;
  double a_norm = 0;
  double b_norm = 0;
  double l2 = 0;
  if (metric_ == Metric::l2) {
    for (std::size_t i = 0; i < dimension(); ++i) {
      const double difference = static_cast<double>(a[i]) - b[i];
      l2 += difference * difference;
    }
    return l2;
  }
  for (std::size_t i = 0; i < dimension(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    a_norm += static_cast<double>(a[i]) * a[i];
    b_norm += static_cast<double>(b[i]) * b[i];
  }
  return a_norm == 0 || b_norm == 0 ? 1 : 1 - dot / std::sqrt(a_norm * b_norm);
}

void DemoSet::find_truth(std::size_t k) {
  truth_size_ = std::min<std::size_t>(k, live_count_);
  farthest_.assign(queries(), 0);
  std::vector<double> distances;
  for (std::size_t query = 0; truth_size_ > 0 && query < queries(); ++query) {
    distances.clear();
    for (std::size_t row = 0; row < rows(); ++row) {
      if (live_[row]) distances.push_back(distance(query, row));
    }
    std::nth_element(distances.begin(), distances.begin() + (truth_size_ - 1), distances.end());
    farthest_[query] = distances[truth_size_ - 1];
  }
}

std::size_t DemoSet::right(std::size_t query, std::span<const Hit> hits) const {
  std::size_t right = 0;
  for (const Hit& hit : hits) {
    if (hit.key >= rows() || !live_[hit.key]) continue;  // a ghost is never right
    right += distance(query, hit.key) <= farthest_[query] * (1 + 1e-9) + 1e-12;
  }
  return right;
}

}  // namespace skerry::cli

#include "index/recall_model.h"

#include <algorithm>
#include <cmath>

namespace skerry {
namespace {

// Means are over so many samples at least that each counts as much as the rest of its generation.
constexpr float kMemory = 256;
// What is assumed before there are samples weighs as much as this many of them.
constexpr float kAssumed = 8;
// Of what may be missed, so much is not: samples are of a moment before, when the index was
// smaller, and their truth is what a wide walk has found.
constexpr double kMargin = 0.2;
constexpr double kLeastMissed = 1e-4;

constexpr double kLast = static_cast<double>(RecallModel::kPoints - 1);

// Part of the neighbours that is missed, as a rule of thumb; of the sets in docs/adr/0025 the
// hardest.
double assumed_miss(RecallModel::Rule rule, std::size_t k, double point) noexcept {
  if (rule == RecallModel::kStretch) {
    return std::min(1.0, 0.3 * std::exp(-(RecallModel::stretch_at(point) - 1) / 0.11));
  }
  const double breadth = RecallModel::ef_at(point) / static_cast<double>(k);
  return breadth < 1 ? 1.0 : std::min(1.0, 0.4 * std::pow(breadth, -1.6));
}

}  // namespace

double RecallModel::stretch_at(double point) noexcept {
  return 1 + 0.005 * std::pow(8 / 0.005, point / kLast);
}

double RecallModel::ef_at(double point) noexcept {
  return 10 * std::pow(100.0, point / kLast);
}

void RecallModel::learn(const Sample& sample) noexcept {
  const float samples = samples_.load(std::memory_order_relaxed);
  const float weight = 1 / std::min(samples + kAssumed + 1, kMemory);
  for (std::size_t c = 0; c < kKs.size(); ++c) {
    if (!sample.is_of[c]) continue;
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      for (std::size_t i = 0; i < kPoints; ++i) {
        std::atomic<float>& mean = recall_[c][rule][i];
        const float now = mean.load(std::memory_order_relaxed);
        const float seen =
            static_cast<float>(sample.found[c][rule][i]) / static_cast<float>(kKs[c]);
        mean.store(now + (seen - now) * weight, std::memory_order_relaxed);
      }
    }
  }
  samples_.store(std::min(samples + 1, kMemory), std::memory_order_relaxed);
}

// Where the curve reaches `recall`, between two points by what is missed, in logarithms.
double RecallModel::point_of(std::size_t k_index, Rule rule, double recall) const noexcept {
  const auto missed_at = [&](std::size_t i) {
    const float found = recall_[k_index][rule][i].load(std::memory_order_relaxed);
    return std::max(1 - static_cast<double>(found), kLeastMissed);
  };
  const double goal = std::max(1 - recall, kLeastMissed);
  double before = 1;
  for (std::size_t i = 0; i < kPoints; ++i) {
    const double missed = missed_at(i);
    if (missed <= goal) {
      if (i == 0 || before <= missed) return static_cast<double>(i);
      return static_cast<double>(i) - std::log(goal / missed) / std::log(before / missed);
    }
    before = missed;
  }
  return kLast;
}

Effort RecallModel::effort(std::size_t k, float target) const noexcept {
  const double goal = 1 - (1 - static_cast<double>(target)) * (1 - kMargin);
  const auto [few, many] = kKs;
  const double part = std::clamp(std::log(static_cast<double>(std::max<std::size_t>(k, 1)) / few) /
                                     std::log(static_cast<double>(many) / few),
                                 0.0, 1.0);
  const auto point = [&](Rule rule) {
    return std::lerp(point_of(0, rule, goal), point_of(1, rule, goal), part);
  };
  const double beyond = std::max(1.0, static_cast<double>(k) / many);
  Effort effort;
  effort.stretch = static_cast<float>(stretch_at(point(kStretch)));
  effort.ef = static_cast<std::uint32_t>(std::min(ef_at(point(kEf)) * beyond, 1048576.0));
  return effort;
}

RecallModel::State RecallModel::state() const noexcept {
  State state;
  state.samples = samples_.load(std::memory_order_relaxed);
  if (state.samples == 0) return state;
  for (std::size_t c = 0; c < kKs.size(); ++c) {
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      for (std::size_t i = 0; i < kPoints; ++i) {
        state.recall[c][rule][i] = recall_[c][rule][i].load(std::memory_order_relaxed);
      }
    }
  }
  return state;
}

bool RecallModel::adopt(const State& state) noexcept {
  const bool is_new = state.samples == 0;
  if (!(state.samples >= 0 && state.samples <= kMemory)) return false;
  for (std::size_t c = 0; c < kKs.size(); ++c) {
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      float before = 0;
      for (std::size_t i = 0; i < kPoints && !is_new; ++i) {
        const float recall = state.recall[c][rule][i];
        if (!(recall >= before - 1e-3F && recall <= 1.001F)) return false;
        before = recall;
      }
    }
  }
  for (std::size_t c = 0; c < kKs.size(); ++c) {
    for (std::size_t rule = 0; rule < kRules; ++rule) {
      for (std::size_t i = 0; i < kPoints; ++i) {
        const float recall =
            is_new ? static_cast<float>(
                         1 - assumed_miss(static_cast<Rule>(rule), kKs[c], static_cast<double>(i)))
                   : state.recall[c][rule][i];
        recall_[c][rule][i].store(recall, std::memory_order_relaxed);
      }
    }
  }
  samples_.store(state.samples, std::memory_order_relaxed);
  return true;
}

}  // namespace skerry

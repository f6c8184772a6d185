// player.cc - see player.h.
#include "player.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace skerry::bench {
namespace {

// Puts `count` of the values, drawn at random, in front.
template <class Value, class Below>
void draw(std::vector<Value>& values, std::size_t count, const Below& below) {
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(values[i], values[i + below(values.size() - i)]);
  }
}

// The `count` nearest of (distance, value) pairs, in no particular order.
template <class Value>
std::vector<Value> nearest(std::vector<std::pair<double, Value>> all, std::size_t count) {
  if (count < all.size()) {
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end());
  }
  std::vector<Value> some;
  for (std::size_t i = 0; i < std::min(count, all.size()); ++i) some.push_back(all[i].second);
  return some;
}

}  // namespace

Player::Player(const Runbook& runbook, const Dataset& set) : set_(set), random_(runbook.seed) {
  std::vector<std::uint32_t> rows(set.base.rows);
  std::iota(rows.begin(), rows.end(), 0u);
  if (runbook.order == Order::random) {
    draw(rows, rows.size(), [this](std::uint64_t limit) { return below(limit); });
  } else if (runbook.order == Order::drift) {
    // Along the line from a vector drawn at random to the one that is farthest from it.
    const std::size_t dimension = set.base.dimension;
    const float* from = set.base.row(below(rows.size()));
    const auto apart = [&](std::uint32_t row) {
      return exact_distance(Metric::l2, from, set.base.row(row), dimension);
    };
    std::vector<double> place(rows.size());
    for (const std::uint32_t row : rows) place[row] = apart(row);
    const float* to = set.base.row(
        static_cast<std::size_t>(std::max_element(place.begin(), place.end()) - place.begin()));
    for (const std::uint32_t row : rows) {
      place[row] = 0;
      for (std::size_t i = 0; i < dimension; ++i) {
        place[row] += (double{to[i]} - double{from[i]}) * double{set.base.row(row)[i]};
      }
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return place[a] < place[b]; });
  }
  waiting_.assign(rows.begin(), rows.end());
}

std::vector<Change> Player::play(const Step& step) {
  std::vector<Change> changes;
  switch (step.verb) {
    case Step::Verb::search:
      break;
    case Step::Verb::insert:
    case Step::Verb::refill: {
      const bool is_refill = step.verb == Step::Verb::refill;
      const std::size_t count = is_refill ? last_removed_ : step.amount.of(set_.base.rows);
      for (const std::uint32_t row : take_rows(count, step.is_near)) {
        live_.emplace_hint(live_.end(), next_key_, row);
        changes.push_back({Step::Verb::insert, next_key_++, row});
      }
      break;
    }
    case Step::Verb::remove: {
      for (const Key key : choose(step)) {
        changes.push_back({Step::Verb::remove, key, 0});
        waiting_.push_back(live_.at(key));
        live_.erase(key);
      }
      last_removed_ = changes.size();
      break;
    }
    case Step::Verb::replace: {
      const std::vector<Key> keys = choose(step);
      const std::vector<std::uint32_t> rows = take_rows(keys.size(), step.region.has_value());
      for (std::size_t i = 0; i < keys.size(); ++i) {
        changes.push_back({Step::Verb::replace, keys[i], rows[i]});
        waiting_.push_back(std::exchange(live_.at(keys[i]), rows[i]));
      }
      break;
    }
  }
  return changes;
}

// Which keys go, or get another vector.
std::vector<Key> Player::choose(const Step& step) {
  std::vector<Key> keys;
  for (const auto& [key, row] : live_) keys.push_back(key);
  if (step.region) {
    centre_ = live_.at(keys[below(keys.size())]);
    std::vector<std::pair<double, Key>> all;
    for (const auto& [key, row] : live_) all.emplace_back(distance_to_centre(row), key);
    keys = nearest(std::move(all), step.region->of(live_.size()));
    std::sort(keys.begin(), keys.end());
  }
  const std::size_t count = step.amount.of(keys.size());
  if (!step.is_oldest) draw(keys, count, [this](std::uint64_t limit) { return below(limit); });
  keys.resize(count);
  return keys;
}

std::vector<std::uint32_t> Player::take_rows(std::size_t count, bool near) {
  const auto limit = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  if (!near) {
    std::vector<std::uint32_t> rows(waiting_.begin(), limit);
    waiting_.erase(waiting_.begin(), limit);
    return rows;
  }
  std::vector<std::pair<double, std::uint32_t>> all;
  for (const std::uint32_t row : waiting_) all.emplace_back(distance_to_centre(row), row);
  const std::vector<std::uint32_t> rows = nearest(std::move(all), count);
  const std::set<std::uint32_t> taken(rows.begin(), rows.end());
  std::erase_if(waiting_, [&](std::uint32_t row) { return taken.contains(row); });
  return rows;
}

double Player::distance_to_centre(std::uint32_t row) const {
  return exact_distance(set_.metric, set_.base.row(centre_), set_.base.row(row),
                        set_.base.dimension);
}

}  // namespace skerry::bench

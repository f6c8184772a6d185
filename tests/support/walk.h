// walk.h - one long run of random calls, each answer compared with a std::map's.
//
// Chance picks the calls; the model (support/reference.h) knows the answers. Moods change every few
// hundred steps: growing, shrinking, churning, crowds of identical vectors, a whole region removed,
// everything removed. Between the calls the subject is saved and opened again, compacted, copied,
// dropped. Of a collection up to two snapshots are held for a while, each beside the model of its
// moment. Everything follows from the seed.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {

// What one run is run on.
struct World {
  const char* name;
  Door door;
  IndexOptions options;
};

inline const std::vector<World>& worlds() {
  static const std::vector<World> all = {
      {"index_exact_l2",
       Door::index,
       {.dimension = 8, .M = 6, .ef_construction = 50, .flat_below = 0}},
      {"index_sq8_cosine",
       Door::index,
       {.dimension = 24,
        .metric = Metric::cosine,
        .codes = Codes::sq8,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 40}},
      {"index_line",
       Door::index,
       {.dimension = 1, .scalar = Scalar::u8, .M = 4, .ef_construction = 40, .flat_below = 0}},
      {"index_hamming",
       Door::index,
       {.dimension = 72,
        .metric = Metric::hamming,
        .scalar = Scalar::b1,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 0}},
      {"index_ip_bf16",
       Door::index,
       {.dimension = 12,
        .metric = Metric::ip,
        .scalar = Scalar::bf16,
        .M = 8,
        .ef_construction = 80,
        .flat_below = 0}},
      {"index_rot4_cosine",
       Door::index,
       {.dimension = 30,
        .metric = Metric::cosine,
        .codes = Codes::rot4,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 40}},
      {"index_auto_l2",
       Door::index,
       {.dimension = 200,
        .codes = Codes::automatic,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 40}},
      {"collection_auto_ip",
       Door::collection,
       {.dimension = 70,
        .metric = Metric::ip,
        .codes = Codes::automatic,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 60}},
      // So wide that vectors leave memory early.
      {"index_disk_rot4",
       Door::index,
       {.dimension = 1030,
        .metric = Metric::cosine,
        .codes = Codes::rot4,
        .vectors = Vectors::disk,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 0}},
      {"collection_disk_sq8",
       Door::collection,
       {.dimension = 1030,
        .codes = Codes::sq8,
        .vectors = Vectors::disk,
        .M = 8,
        .ef_construction = 60,
        .flat_below = 40}},
      {"collection_sq8_l2",
       Door::collection,
       {.dimension = 16, .codes = Codes::sq8, .M = 8, .ef_construction = 60, .flat_below = 0}},
      {"collection_cosine_f16",
       Door::collection,
       {.dimension = 2,
        .metric = Metric::cosine,
        .scalar = Scalar::f16,
        .M = 6,
        .ef_construction = 50,
        .flat_below = 100}},
  };
  return all;
}

class Walk {
 public:
  Walk(const World& world, std::uint64_t seed)
      : options_(world.options),
        random_(seed),
        model_(options_.metric, options_.scalar, options_.dimension),
        scratch_(options_.scalar, 64, options_.dimension),
        crowd_(random_table(random_, options_.scalar, 5, options_.dimension)) {
    EXPECT_OK(create_subject(world.door, options_, subject_, true));
  }

  void step(std::size_t number) {
    if (number % 300 == 0) change_mood();
    if (!held_.empty() && number >= held_.front().until) {
      look_back(held_.front());
      held_.erase(held_.begin());
    }
    switch (below(random_, 100)) {
      case 0:
        return reopen();
      case 1:
      case 2:
        return survey();
      case 3:
        return upkeep();
      case 4:
        return hold(number);
      case 5:
        if (!held_.empty()) return look_back(held_[below(random_, held_.size())]);
        break;
      default:
        break;
    }
    const std::uint64_t dice = below(random_, 100);
    if (dice < 45) return dice < removal_share_ ? remove() : put();
    if (dice < 52) return put_batch();
    if (dice < 56) return refused_batch();
    if (dice < 58) return remove_batch();
    if (dice < 66) return get();
    if (dice < 88) return search();
    if (dice < 94) return search_filtered();
    if (dice < 97) return search_range();
    search_batch();
  }

  // Over the whole walk.
  double recall() const {
    return wanted_ == 0 ? 1 : static_cast<double>(found_) / static_cast<double>(wanted_);
  }
  void survey() {
    const auto report = subject_->check();
    ASSERT_OK(report);
    EXPECT_EQ(report->live, model_.size());
    EXPECT_EQ(report->unreachable, 0u);
    EXPECT_EQ(subject_->size(), model_.size());
    std::vector<Key> keys;
    for (const auto& [key, bytes] : model_.rows()) keys.push_back(key);
    EXPECT_EQ(subject_->keys(), keys);
  }

 private:
  void change_mood() {
    removal_share_ = std::array<std::uint64_t, 3>{8, 22, 38}[below(random_, 3)];
    crowd_share_ = below(random_, 4) == 0 ? 90 : 5;
    switch (below(random_, 5)) {
      case 0:
        return remove_everything();
      case 1:
        return remove_region();
      default:
        return;
    }
  }

  // One vector in row `r` of the scratch: often of the crowd, sometimes zero, whole numbers at
  // times (their ties are exact).
  void make(std::size_t r) {
    if (below(random_, 100) < crowd_share_) {
      const std::size_t from = below(random_, crowd_.rows());
      std::copy_n(crowd_.data(from), crowd_.row_bytes(), scratch_.data(r));
      return;
    }
    const bool whole = below(random_, 4) == 0;
    const bool zero = below(random_, 200) == 0;
    for (std::size_t i = 0; i < options_.dimension; ++i) {
      double x = 0;
      if (options_.scalar == Scalar::b1) {
        x = static_cast<double>(below(random_, 2));
      } else if (options_.scalar == Scalar::u8) {
        x = static_cast<double>(below(random_, 256));
      } else {
        x = whole ? static_cast<double>(below(random_, 9)) - 4 : uniform(random_, -1, 1);
      }
      scratch_.set(r, i, zero ? 0 : x);
    }
  }

  Key any_key() {
    const Key key = below(random_, 700);
    return key == 0 ? std::numeric_limits<Key>::max() : key * 0x9E3779B97F4A7C15ULL;
  }

  void put() {
    const Key key = any_key();
    make(0);
    if (below(random_, 3) == 0) {
      const Status status = subject_->insert(key, scratch_.row(0));
      EXPECT_EQ(status.code(), model_.contains(key) ? Code::already_exists : Code::ok);
      if (!status.ok()) return;
    } else {
      ASSERT_OK(subject_->upsert(key, scratch_.row(0)));
    }
    model_.put(key, scratch_.row(0));
  }

  void remove() {
    const Key key = any_key();
    const auto removed = subject_->remove(key);
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, model_.erase(key) ? 1u : 0u);
  }

  std::vector<Key> make_batch() {
    std::vector<Key> keys(1 + below(random_, 30));
    for (std::size_t r = 0; r < keys.size(); ++r) {
      keys[r] = r > 0 && below(random_, 8) == 0 ? keys[below(random_, r)] : any_key();
      make(r);
    }
    return keys;
  }

  void put_batch() {
    const std::vector<Key> keys = make_batch();
    // One thread: a seed has to give the same graph again.
    ASSERT_OK(subject_->upsert(keys, scratch_.matrix(0, keys.size())));
    for (std::size_t r = 0; r < keys.size(); ++r) model_.put(keys[r], scratch_.row(r));
  }

  // A batch with a present key to insert, or with a NaN: nothing may change.
  void refused_batch() {
    std::vector<Key> keys = make_batch();
    const std::size_t bad = below(random_, keys.size());
    const MatrixView rows = scratch_.matrix(0, keys.size());
    const bool floats = options_.scalar == Scalar::f32 || options_.scalar == Scalar::f16 ||
                        options_.scalar == Scalar::bf16;
    if (floats && below(random_, 2) == 0) {
      scratch_.set(bad, below(random_, options_.dimension),
                   std::numeric_limits<double>::quiet_NaN());
      const Status status = subject_->upsert(keys, rows);
      EXPECT_ERROR(status, Code::invalid_argument);
      EXPECT_TRUE(keys.size() == 1 || says(status.message(), std::to_string(bad)));
    } else if (model_.size() > 0) {
      keys[bad] = present_key();
      EXPECT_ERROR(subject_->insert(keys, rows), Code::already_exists);
    }
    EXPECT_EQ(subject_->size(), model_.size());
  }

  void remove_batch() {
    std::vector<Key> keys(below(random_, 60));
    for (Key& key : keys) key = any_key();
    erase(keys);
  }

  void erase(std::span<const Key> keys) {
    std::uint64_t expected = 0;
    for (const Key key : keys) expected += model_.erase(key) ? 1 : 0;
    const auto removed = subject_->remove(keys);
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, expected);
  }

  void remove_everything() {
    std::vector<Key> keys;
    for (const auto& [key, bytes] : model_.rows()) keys.push_back(key);
    std::shuffle(keys.begin(), keys.end(), random_);
    if (below(random_, 2) == 0) {
      erase(keys);
    } else {
      for (const Key& key : keys) erase({&key, 1});
    }
    survey();
  }

  // The half that lies nearest to some place goes, entry points and hubs with it.
  void remove_region() {
    make(0);
    const auto ranking = model_.ranking(scratch_.row(0));
    std::vector<Key> keys;
    for (std::size_t i = 0; i < ranking.size() / 2; ++i) keys.push_back(ranking[i].key);
    erase(keys);
    survey();
  }

  Key present_key() {
    auto row = model_.rows().begin();
    std::advance(row, static_cast<std::ptrdiff_t>(below(random_, model_.size())));
    return row->first;
  }

  void get() {
    const Key key = any_key();
    std::vector<std::byte> bytes(scratch_.row_bytes());
    std::vector<float> floats(options_.dimension);
    EXPECT_EQ(subject_->contains(key), model_.contains(key));
    const Code expected = model_.contains(key) ? Code::ok : Code::not_found;
    EXPECT_EQ(subject_->get_bytes(key, bytes).code(), expected);
    EXPECT_EQ(subject_->get(key, floats).code(), expected);
    if (expected != Code::ok) return;
    EXPECT_TRUE(std::ranges::equal(bytes, model_.bytes(key)));
    for (std::size_t i = 0; i < floats.size(); ++i) {
      ASSERT_EQ(floats[i], component(model_.row(key), i));
    }
  }

  VectorView make_query(std::size_t r = 0) {
    if (model_.size() > 0 && below(random_, 4) == 0) {
      std::ranges::copy(model_.bytes(present_key()), scratch_.data(r));
    } else {
      make(r);
    }
    return scratch_.row(r);
  }

  // Checks the hits of a walk and adds them to the recall.
  void judge(VectorView query, std::span<const Hit> hits, std::size_t k,
             const Model::Passes& passes = {}) {
    ASSERT_TRUE(model_.honest(query, hits, passes));
    std::size_t matching = 0;
    for (const auto& [key, bytes] : model_.rows()) matching += !passes || passes(key) ? 1 : 0;
    ASSERT_EQ(hits.size(), std::min(k, matching)) << "k is " << k << ", matching " << matching;
    found_ += std::min(model_.found(query, hits, k, passes), hits.size());
    wanted_ += hits.size();
  }

  std::size_t any_k() { return below(random_, 10) == 0 ? below(random_, 900) : below(random_, 20); }

  void search() {
    const VectorView query = make_query();
    const std::size_t k = any_k();
    judge(query, subject_->find(query, k), k);
    ASSERT_TRUE(model_.perfect(query, subject_->find(query, k, {.exact = true}), k));
  }

  void search_filtered() {
    const VectorView query = make_query();
    const std::size_t k = any_k();
    const Key one_in = std::array<Key, 5>{1, 2, 10, 100, 400}[below(random_, 5)];
    const Key rest = below(random_, one_in);
    const auto passes = [&](Key key) { return key % one_in == rest; };
    std::vector<Key> listed, others;
    for (const auto& [key, bytes] : model_.rows()) (passes(key) ? listed : others).push_back(key);
    std::shuffle(listed.begin(), listed.end(), random_);
    const Filter filter = std::array{Filter::where(passes), Filter::only(listed),
                                     Filter::except(others)}[below(random_, 3)];
    judge(query, subject_->find(query, k, {.filter = filter}), k, passes);
    ASSERT_TRUE(model_.perfect(query, subject_->find(query, k, {.filter = filter, .exact = true}),
                               k, passes));
  }

  void search_range() {
    const VectorView query = make_query();
    const auto ranking = model_.ranking(query);
    if (ranking.empty()) return;
    const Model::Answer& edge = ranking[below(random_, ranking.size())];
    const auto limit = static_cast<float>(edge.distance);
    std::size_t surely = 0, perhaps = 0;
    for (const auto& answer : ranking) {
      surely += answer.distance + 2 * answer.slack < limit ? 1 : 0;
      perhaps += answer.distance - 2 * answer.slack <= limit ? 1 : 0;
    }
    for (const bool exact : {true, false}) {
      const auto hits = subject_->find(query, 800, {.max_distance = limit, .exact = exact});
      ASSERT_TRUE(model_.honest(query, hits));
      for (const Hit& hit : hits) EXPECT_LE(hit.distance, limit);
      EXPECT_GE(hits.size(), exact ? surely : 0);
      EXPECT_LE(hits.size(), perhaps);
    }
  }

  void search_batch() {
    constexpr std::size_t kRows = 5;
    const std::size_t k = below(random_, 12);
    for (std::size_t r = 0; r < kRows; ++r) make_query(r);
    std::vector<Hit> hits(kRows * k);
    std::vector<std::uint32_t> counts(kRows);
    const auto threads = static_cast<std::uint32_t>(1 + below(random_, 3));
    ASSERT_OK(
        subject_->search_batch(scratch_.matrix(0, kRows), hits, counts, {.threads = threads}));
    for (std::size_t r = 0; r < kRows; ++r) {
      judge(scratch_.row(r), std::span(hits).subspan(r * k, counts[r]), k);
    }
  }

  // A snapshot, what it must hold, and the step until which it is kept.
  struct Held {
    Snapshot snapshot;
    Model model;
    std::size_t until;
  };

  void hold(std::size_t number) {
    if (held_.size() == 2) return look_back(held_.back());
    std::optional<Snapshot> taken;
    ASSERT_OK(subject_->snapshot(taken));
    if (!taken.has_value()) return;
    held_.push_back({*std::move(taken), model_, number + 1 + below(random_, 400)});
    look_back(held_.back());
  }

  void look_back(const Held& held) {
    const Snapshot& then = held.snapshot;
    const Model& model = held.model;
    ASSERT_EQ(then.size(), model.size());
    std::vector<Key> keys;
    ASSERT_OK(then.for_each([&](Key key) {
      keys.push_back(key);
      return true;
    }));
    std::vector<std::byte> bytes(scratch_.row_bytes());
    std::vector<std::byte> payload(scratch_.row_bytes());
    std::vector<float> floats(options_.dimension);
    std::size_t at = 0;
    for (const auto& [key, expected] : model.rows()) {
      ASSERT_EQ(at < keys.size() ? keys[at++] : ~key, key);
      ASSERT_OK(then.get_bytes(key, bytes));
      ASSERT_EQ(bytes, expected) << key;
      const Payload belongs = payload_of(model.row(key));
      const Result<std::size_t> size = then.get_payload(key, payload);
      ASSERT_OK(size);
      ASSERT_TRUE(std::ranges::equal(std::span(payload).first(*size), belongs)) << key;
    }
    ASSERT_EQ(at, keys.size());
    const Key key = any_key();
    const Result<bool> present = then.contains(key);
    ASSERT_OK(present);
    EXPECT_EQ(*present, model.contains(key));
    EXPECT_EQ(then.get(key, floats).code(), *present ? Code::ok : Code::not_found);
    for (std::size_t i = 0; *present && i < floats.size(); ++i) {
      ASSERT_EQ(floats[i], component(model.row(key), i));
    }
    const VectorView query = make_query();
    const std::size_t k = any_k();
    const Key one_in = std::array<Key, 3>{1, 3, 50}[below(random_, 3)];
    const auto passes = [&](Key one) { return one % one_in == 0; };
    std::vector<Key> listed, others;
    for (const Key one : keys) (passes(one) ? listed : others).push_back(one);
    std::shuffle(listed.begin(), listed.end(), random_);
    const Filter filter = std::array{Filter::where(passes), Filter::only(listed),
                                     Filter::except(others)}[below(random_, 3)];
    std::vector<Hit> hits(k);
    const Result<SearchResult> found = then.search(query, hits, {.filter = filter});
    ASSERT_OK(found);
    hits.resize(found->count);
    ASSERT_TRUE(model.perfect(query, hits, k, passes));
  }

  void reopen() {
    const VectorView query = make_query();
    const auto before = subject_->find(query, 20);
    ASSERT_OK(subject_->reopen());
    for (const Held& held : held_) {
      EXPECT_EQ(held.snapshot.size(), held.model.size());
      EXPECT_ERROR(held.snapshot.contains(0), Code::closed);
    }
    held_.clear();
    EXPECT_EQ(subject_->find(query, 20), before);
    survey();
  }

  // What changes nothing, or everything.
  void upkeep() {
    switch (below(random_, 12)) {
      case 0:
        ASSERT_OK(subject_->start_anew());
        model_.clear();
        for (const Held& held : held_) look_back(held);
        return survey();
      case 1:
      case 2: {
        // The copy is judged in the subject's place.
        std::unique_ptr<Subject> copy;
        ASSERT_OK(subject_->copy(copy));
        std::swap(subject_, copy);
        survey();
        search();
        std::swap(subject_, copy);
        return;
      }
      case 3:
      case 4:
        if (!held_.empty()) {
          EXPECT_ERROR(subject_->compact(), Code::busy);
          held_.clear();
        }
        ASSERT_OK(subject_->compact());
        return;
      default:
        ASSERT_OK(subject_->upkeep(random_()));
    }
  }

  IndexOptions options_;
  Random random_;
  std::unique_ptr<Subject> subject_;
  Model model_;
  std::vector<Held> held_;
  Table scratch_;  // rows that are about to be given to a call
  Table crowd_;    // a few vectors that many keys share
  std::uint64_t removal_share_ = 22;
  std::uint64_t crowd_share_ = 5;
  std::size_t found_ = 0;
  std::size_t wanted_ = 0;
};

}  // namespace skerry::testing

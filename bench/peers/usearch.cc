// usearch.cc - usearch over f32, bf16 and i8, behind the peers' interface.
//
// Built as its own package builds it: NumKong's kernels, chosen at run time. It is fed f32 and
// casts by itself; i8 is meant for vectors of about unit length. Its expansions are ef and
// ef_construction, its connectivity is M with 2 M at the base.
//
// Its table of keys never forgets a removed one. Once it is full of them (2.25), remove() finds
// some keys no more and says so to nobody, and in the end searches its table for ever. So what it
// is given as keys are labels of ours: that of a removed key goes to a new one, and the table stays
// as it is.
#include <algorithm>
#include <deque>
#include <stdexcept>
#include <unordered_map>
#include <usearch/index_dense.hpp>

#include "parallel.h"
#include "peer.h"

namespace skerry::bench {
namespace {

using unum::usearch::index_dense_config_t;
using unum::usearch::index_dense_t;
using unum::usearch::index_limits_t;
using unum::usearch::metric_kind_t;
using unum::usearch::metric_punned_t;
using unum::usearch::scalar_kind_t;

metric_kind_t metric_of(Metric metric) {
  if (metric == Metric::l2) return metric_kind_t::l2sq_k;
  return metric == Metric::ip ? metric_kind_t::ip_k : metric_kind_t::cos_k;
}

class UsearchPeer final : public Peer {
 public:
  UsearchPeer(const Dataset& set, const GraphOptions& graph, scalar_kind_t scalar)
      : base_(set.base), queries_(set.queries) {
    index_dense_config_t config(graph.M, graph.ef_construction, 64);
    config.connectivity_base = 2 * std::size_t{graph.M};
    index_limits_t limits(graph.capacity, graph.threads);
    auto made = index_dense_t::make(metric_punned_t(base_.dimension, metric_of(set.metric), scalar),
                                    config, index_dense_t::vector_key_t(-1), limits);
    check(made.error);
    index_ = std::move(made.index);
  }

  void add(std::size_t first, std::size_t count, unsigned threads) override {
    next_label_ = std::max<Key>(next_label_, first + count);
    if (count == 1) return put(first, first, 0);
    parallel_for(count, threads, "usearch",
                 [&](std::size_t i, unsigned thread) { put(first + i, first + i, thread); });
  }

  bool update(Key key, std::size_t row) override {  // a present key is refused: out, then in
    take_out(label_of(key));
    put(label_of(key), row, 0);
    return true;
  }

  bool remove(Key key) override {
    const Key label = label_of(key);
    take_out(label);
    free_labels_.push_back(label);
    label_of_.erase(key);
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned thread) override {
    put(take_label(key), row, thread);
    return true;
  }

  void set_ef(std::uint32_t ef) override { index_.change_expansion_search(ef); }

  bool set_filter(const std::uint8_t* passes) override {
    filter_ = passes;
    return true;
  }

  std::size_t search(std::size_t query, unsigned thread, std::span<Key> keys) override {
    const auto passes = [this](index_dense_t::vector_key_t key) { return filter_[key] != 0; };
    auto found = filter_ == nullptr
                     ? index_.search(queries_.row(query), keys.size(), thread)
                     : index_.filtered_search(queries_.row(query), keys.size(), passes, thread);
    check(found.error);
    static_assert(sizeof(Key) == sizeof(index_dense_t::vector_key_t));
    index_dense_t::vector_key_t labels[kMostHits];
    const std::size_t count = found.dump_to(labels);
    for (std::size_t i = 0; i < count; ++i) {
      keys[i] = key_of_.empty() ? labels[i] : key_of_[labels[i]];
    }
    return count;
  }

  bool save(const std::string& path) override {
    auto saved = index_.save(path.c_str());
    check(saved.error);
    return true;
  }

  bool open(const std::string& path, bool mapped) override {
    auto opened = mapped ? index_.view(path.c_str()) : index_.load(path.c_str());
    check(opened.error);
    return true;
  }

  Wear wear() const override { return {index_.stats().nodes - index_.size(), std::nullopt}; }

  std::uint64_t bytes() const override { return index_.memory_usage(); }

 private:
  template <class Error>
  static void check(Error& error) {
    if (!error) return;
    const std::string text = error.what();
    error.release();  // it ends the process when dropped unread
    throw std::runtime_error("usearch: " + text);
  }

  void take_out(Key label) {
    auto removed = index_.remove(label);
    check(removed.error);
    if (removed.completed != 1) throw std::runtime_error("usearch: a key was not removed");
  }

  void put(Key label, std::size_t row, unsigned thread) {
    auto added = index_.add(label, base_.row(row), thread);
    check(added.error);
  }

  // A key that is put in while labels are free takes one of them for as long as it is there.
  Key take_label(Key key) {
    Key label = next_label_;
    if (free_labels_.empty()) {
      ++next_label_;
    } else {
      label = free_labels_.front();
      free_labels_.pop_front();
    }
    if (label == key && key_of_.empty()) return label;
    for (Key next = key_of_.size(); next < next_label_; ++next) key_of_.push_back(next);
    key_of_[label] = key;
    label_of_[key] = label;
    return label;
  }

  Key label_of(Key key) const {
    const auto label = label_of_.find(key);
    return label == label_of_.end() ? key : label->second;
  }

  const Matrix& base_;
  const Matrix& queries_;
  index_dense_t index_;
  const std::uint8_t* filter_ = nullptr;
  Key next_label_ = 0;
  std::deque<Key> free_labels_;            // of removed keys, the first removed first
  std::vector<Key> key_of_;                // by label; empty while every label is its key
  std::unordered_map<Key, Key> label_of_;  // of keys that are not their labels
};

}  // namespace

std::vector<PeerKind> usearch_kinds() {
  std::vector<PeerKind> kinds;
  for (const auto& [name, scalar] :
       {std::pair{"f32", scalar_kind_t::f32_k}, std::pair{"bf16", scalar_kind_t::bf16_k},
        std::pair{"i8", scalar_kind_t::i8_k}}) {
    PeerKind kind{"usearch", name, "exact", "", "", nullptr, false, "", nullptr};
    kind.write_note = "new keys, threads and room reserved before: what it allows beside a search";
    kind.make = [scalar = scalar](const Dataset& set, const GraphOptions& graph) {
      return std::make_unique<UsearchPeer>(set, graph, scalar);
    };
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace skerry::bench

// usearch.cc - usearch over f32, bf16 and i8, behind the peers' interface.
//
// Built as its own package builds it: NumKong's kernels, chosen at run time. It is fed f32 and
// casts by itself; i8 is meant for vectors of about unit length. Its expansions are ef and
// ef_construction, its connectivity is M with 2 M at the base.
#include <stdexcept>
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
      : base_(set.base), queries_(set.queries), limits_(graph.capacity, graph.threads) {
    index_dense_config_t config(graph.M, graph.ef_construction, 64);
    config.connectivity_base = 2 * std::size_t{graph.M};
    auto made = index_dense_t::make(metric_punned_t(base_.dimension, metric_of(set.metric), scalar),
                                    config, index_dense_t::vector_key_t(-1), limits_);
    check(made.error);
    index_ = std::move(made.index);
  }

  void add(std::size_t first, std::size_t count, unsigned threads) override {
    if (count == 1) return put(first, first, 0);
    parallel_for(count, threads, "usearch",
                 [&](std::size_t i, unsigned thread) { put(first + i, first + i, thread); });
  }

  bool update(Key key, std::size_t row) override {  // a present key is refused: out, then in
    remove(key);
    put(key, row, 0);
    return true;
  }

  bool remove(Key key) override {
    auto removed = index_.remove(key);
    check(removed.error);
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned thread) override {
    put(key, row, thread);
    return true;
  }

  void set_ef(std::uint32_t ef) override { index_.change_expansion_search(ef); }

  std::size_t search(std::size_t query, unsigned thread, std::span<Key> keys) override {
    auto found = index_.search(queries_.row(query), keys.size(), thread);
    check(found.error);
    static_assert(sizeof(Key) == sizeof(index_dense_t::vector_key_t));
    index_dense_t::vector_key_t labels[kMostHits];
    const std::size_t count = found.dump_to(labels);
    for (std::size_t i = 0; i < count; ++i) keys[i] = labels[i];
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

  // A place that was removed is used again, but its table of keys never forgets a removed key: once
  // it is full of them (2.25), remove() now and then finds nothing to remove and says so to nobody.
  // Then there are more vectors in it than were asked for, and more room is needed, as its users
  // would give it; a larger table begins without removed keys.
  void put(Key key, std::size_t row, unsigned thread) {
    if (index_.size() == index_.capacity()) {
      limits_.members = 2 * index_.capacity();
      if (!index_.try_reserve(limits_)) throw std::runtime_error("usearch: out of memory");
    }
    auto added = index_.add(key, base_.row(row), thread);
    check(added.error);
  }

  const Matrix& base_;
  const Matrix& queries_;
  index_limits_t limits_;
  index_dense_t index_;
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

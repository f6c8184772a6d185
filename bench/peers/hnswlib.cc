// hnswlib.cc - hnswlib behind the peers' interface.
//
// Compiled with -O3 -march=native, because the headers choose their SSE, AVX or AVX-512 code when
// they are compiled. Cosine is its inner product over unit vectors. Its setEf() is of the whole
// index and its addPoint() is safe beside another addPoint(), not beside a search.
//
// The 0.6.2 of Debian 12 marks what is removed and never uses its place again. Newer ones do when
// asked (allow_replace_deleted, addPoint(..., true)); insert() does here what they do: it gives a
// marked place the new label and calls updatePoint().
#include <hnswlib/hnswlib.h>

#include <deque>
#include <optional>
#include <stdexcept>
#include <vector>

#include "parallel.h"
#include "peer.h"

namespace skerry::bench {
namespace {

class HnswlibPeer final : public Peer {
 public:
  HnswlibPeer(const Dataset& set, const GraphOptions& graph)
      : base_(set.fed_base()), queries_(set.fed_queries()) {
    if (set.metric == Metric::l2) {
      space_ = std::make_unique<hnswlib::L2Space>(base_.dimension);
    } else {
      space_ = std::make_unique<hnswlib::InnerProductSpace>(base_.dimension);
    }
    graph_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), graph.capacity,
                                                               graph.M, graph.ef_construction);
  }

  void add(std::size_t first, std::size_t count, unsigned threads) override {
    if (count == 1) return graph_->addPoint(base_.row(first), first);
    parallel_for(count, threads, "hnswlib", [&](std::size_t i, unsigned) {
      graph_->addPoint(base_.row(first + i), first + i);
    });
  }

  bool update(Key key, std::size_t row) override {
    graph_->addPoint(base_.row(row), key);
    return true;
  }

  bool remove(Key key) override {
    graph_->markDelete(key);
    marked_.push_back(graph_->label_lookup_.at(key));
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned) override {
    const auto own = graph_->label_lookup_.find(key);
    if (own != graph_->label_lookup_.end()) {  // its own place, still marked
      std::erase(marked_, own->second);
      return update(key, row);
    }
    if (marked_.empty()) return update(key, row);
    const hnswlib::tableint place = marked_.front();
    marked_.pop_front();
    graph_->label_lookup_.erase(graph_->getExternalLabel(place));
    graph_->setExternalLabel(place, key);
    graph_->label_lookup_[key] = place;
    return update(key, row);  // unmarks it and chooses its links anew
  }

  void set_ef(std::uint32_t ef) override { graph_->setEf(ef); }

  // By its marks: a search walks over marked elements and returns none, which is what the filters
  // of newer ones do.
  bool set_filter(const std::uint8_t* passes) override {
    if (filter_ != nullptr) {
      for (std::size_t i = 0; i < graph_->cur_element_count; ++i) {
        if (filter_[i] == 0) graph_->unmarkDelete(i);
      }
    }
    filter_ = passes;
    if (filter_ != nullptr) {
      for (std::size_t i = 0; i < graph_->cur_element_count; ++i) {
        if (filter_[i] == 0) graph_->markDelete(i);
      }
    }
    return true;
  }

  std::size_t search(std::size_t query, unsigned, std::span<Key> keys) override {
    auto found = graph_->searchKnn(queries_.row(query), keys.size());
    const std::size_t count = found.size();
    for (std::size_t i = count; i > 0; --i) {  // the farthest is on top
      keys[i - 1] = found.top().second;
      found.pop();
    }
    return count;
  }

  bool save(const std::string& path) override {
    graph_->saveIndex(path);
    return true;
  }

  bool open(const std::string& path, bool mapped) override {
    if (mapped) return false;
    graph_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), path);
    return true;
  }

  // The same walk as that of Skerry's check(): over layer 0, through marked elements too.
  Wear wear() const override {
    std::vector<bool> is_met(graph_->cur_element_count);
    std::vector<hnswlib::tableint> to_visit;
    std::uint64_t live = graph_->cur_element_count - graph_->num_deleted_;
    const auto meet = [&](hnswlib::tableint element) {
      if (is_met[element]) return;
      is_met[element] = true;
      if (!graph_->isMarkedDeleted(element)) --live;
      to_visit.push_back(element);
    };
    if (!is_met.empty()) meet(graph_->enterpoint_node_);
    while (!to_visit.empty()) {
      const hnswlib::tableint element = to_visit.back();
      to_visit.pop_back();
      for (const hnswlib::tableint near : graph_->getConnectionsWithLock(element, 0)) meet(near);
    }
    return {graph_->num_deleted_, live};
  }

  // It has no account of its own: layer 0, the lists above it, a lock, a level and a label's place
  // for each element, as its constructor and addPoint() take them.
  std::uint64_t bytes() const override {
    std::uint64_t bytes =
        graph_->max_elements_ * (graph_->size_data_per_element_ + sizeof(void*) +
                                 sizeof(std::mutex) + sizeof(int) + 2 * sizeof(unsigned short));
    for (std::size_t i = 0; i < graph_->cur_element_count; ++i) {
      bytes +=
          static_cast<std::uint64_t>(graph_->element_levels_[i]) * graph_->size_links_per_element_;
    }
    return bytes + graph_->label_lookup_.size() * 32 + graph_->label_lookup_.bucket_count() * 8;
  }

 private:
  const Matrix& base_;
  const Matrix& queries_;
  std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph_;
  const std::uint8_t* filter_ = nullptr;
  std::deque<hnswlib::tableint> marked_;  // places of removed elements, the first removed first
};

}  // namespace

std::vector<PeerKind> hnswlib_kinds() {
  PeerKind kind{"hnswlib", "f32", "exact", "", "", nullptr, false, "", nullptr};
  kind.write_note = "new keys, without a lock: its documentation allows no write beside a search";
  kind.make = [](const Dataset& set, const GraphOptions& graph) {
    return std::make_unique<HnswlibPeer>(set, graph);
  };
  return {kind};
}

}  // namespace skerry::bench

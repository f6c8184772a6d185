// faiss.cc - faiss's HNSW over floats and over 8-bit codes, behind the peers' interface.
//
// Searches go through HNSW::search() with a visited table kept for each thread: the index's own
// search() makes a new table of one byte a vector for every call, which no one-query caller who
// cares would pay. Cosine is squared Euclidean over unit vectors. It can neither update nor remove.
#include <faiss/IndexHNSW.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/utils/Heap.h>
#include <omp.h>

#include "peer.h"

namespace skerry::bench {
namespace {

class FaissPeer final : public Peer {
 public:
  FaissPeer(const Dataset& set, const GraphOptions& graph, bool sq8)
      : base_(set.fed_base()), queries_(set.fed_queries()), threads_(graph.threads) {
    const auto metric = set.metric == Metric::ip ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2;
    const auto dimension = static_cast<int>(base_.dimension);
    const auto links = static_cast<int>(graph.M);
    if (sq8) {
      index_ = std::make_unique<faiss::IndexHNSWSQ>(dimension, faiss::ScalarQuantizer::QT_8bit,
                                                    links, metric);
    } else {
      index_ = std::make_unique<faiss::IndexHNSWFlat>(dimension, links, metric);
    }
    index_->hnsw.efConstruction = static_cast<int>(graph.ef_construction);
    is_similarity_ = metric == faiss::METRIC_INNER_PRODUCT;
  }

  void add(std::size_t first, std::size_t count, unsigned threads) override {
    omp_set_num_threads(static_cast<int>(threads));
    // The codes' ranges are learnt from all of the data, as its users would.
    if (!index_->is_trained) {
      index_->train(static_cast<faiss::Index::idx_t>(base_.rows), base_.values.data());
    }
    index_->add(static_cast<faiss::Index::idx_t>(count), base_.row(first));
    searchers_.clear();
  }

  bool update(Key, std::size_t) override { return false; }
  bool remove(Key) override { return false; }
  bool insert(Key, std::size_t, unsigned) override { return false; }

  void set_ef(std::uint32_t ef) override {
    index_->hnsw.efSearch = static_cast<int>(ef);
    if (!searchers_.empty()) return;
    for (unsigned thread = 0; thread < threads_; ++thread) {
      searchers_.push_back({std::unique_ptr<faiss::DistanceComputer>(distances()),
                            faiss::VisitedTable(static_cast<int>(index_->ntotal))});
    }
  }

  std::size_t search(std::size_t query, unsigned thread, std::span<Key> keys) override {
    Searcher& searcher = searchers_[thread];
    const auto k = static_cast<int>(keys.size());
    float near[kMostHits];
    faiss::Index::idx_t labels[kMostHits];
    faiss::maxheap_heapify(static_cast<std::size_t>(k), near, labels);
    searcher.distances->set_query(queries_.row(query));
    index_->hnsw.search(*searcher.distances, k, labels, near, searcher.visited);
    faiss::maxheap_reorder(static_cast<std::size_t>(k), near, labels);
    std::size_t count = 0;
    for (int i = 0; i < k; ++i) {
      if (labels[i] >= 0) keys[count++] = static_cast<Key>(labels[i]);
    }
    return count;
  }

  // It has no account of its own: the codes, and the arrays of the graph.
  std::uint64_t bytes() const override {
    const auto& codes = static_cast<const faiss::IndexFlatCodes&>(*index_->storage);
    const faiss::HNSW& graph = index_->hnsw;
    return codes.codes.capacity() + graph.neighbors.capacity() * sizeof(graph.neighbors[0]) +
           graph.offsets.capacity() * sizeof(graph.offsets[0]) +
           graph.levels.capacity() * sizeof(graph.levels[0]);
  }

 private:
  struct Searcher {
    std::unique_ptr<faiss::DistanceComputer> distances;
    faiss::VisitedTable visited;
  };

  // The graph walks towards small numbers: similarities are negated, as IndexHNSW does inside.
  struct Negated final : faiss::DistanceComputer {
    std::unique_ptr<faiss::DistanceComputer> inner;

    void set_query(const float* x) override { inner->set_query(x); }
    float operator()(faiss::Index::idx_t i) override { return -(*inner)(i); }
    float symmetric_dis(faiss::Index::idx_t i, faiss::Index::idx_t j) override {
      return -inner->symmetric_dis(i, j);
    }
  };

  faiss::DistanceComputer* distances() const {
    faiss::DistanceComputer* plain = index_->storage->get_distance_computer();
    if (!is_similarity_) return plain;
    auto negated = std::make_unique<Negated>();
    negated->inner.reset(plain);
    return negated.release();
  }

  const Matrix& base_;
  const Matrix& queries_;
  unsigned threads_;
  bool is_similarity_ = false;
  std::unique_ptr<faiss::IndexHNSW> index_;
  std::vector<Searcher> searchers_;  // by thread; made after the last add
};

}  // namespace

std::vector<PeerKind> faiss_kinds() {
  std::vector<PeerKind> kinds;
  for (const bool sq8 : {false, true}) {
    PeerKind kind{"faiss", "f32",  sq8 ? "sq8" : "exact", SKERRY_FAISS_NOTE, "", nullptr, false,
                  "",      nullptr};
    if (sq8) {
      kind.scalar = "none";
      kind.note += "; codes only, not re-ranked";
    }
    kind.make = [sq8](const Dataset& set, const GraphOptions& graph) {
      return std::make_unique<FaissPeer>(set, graph, sq8);
    };
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace skerry::bench

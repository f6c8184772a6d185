// skerry.cc - Skerry's own Index behind the peers' interface: public headers only.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <numeric>
#include <stdexcept>

#include "must.h"
#include "parallel.h"
#include "peer.h"
#include "skerry/index.h"

namespace skerry::bench {
namespace {

// Vectors in the storage's own type, so that a user's bytes are bytes here as well. Empty for
// floats, which are used where they lie.
std::vector<std::byte> converted(const Matrix& matrix, Scalar scalar) {
  if (scalar == Scalar::f32) return {};
  const std::size_t size = vector_bytes(scalar, 1);
  std::vector<std::byte> bytes(matrix.values.size() * size);
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    const float value = matrix.values[i];
    std::byte* out = bytes.data() + i * size;
    const auto put = [&](auto component) { std::memcpy(out, &component, sizeof(component)); };
    if (scalar == Scalar::f16) {
      put(to_f16(value));
    } else if (scalar == Scalar::bf16) {
      put(to_bf16(value));
    } else {
      const bool is_signed = scalar == Scalar::i8;
      const float low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
      if (!(value >= low && value <= high) ||
          value != static_cast<float>(static_cast<int>(value))) {
        throw std::runtime_error(fmt::format("--scalar {}: component {} of row {} is {}",
                                             name_of(scalar), i % matrix.dimension,
                                             i / matrix.dimension, value));
      }
      put(static_cast<std::uint8_t>(static_cast<int>(value)));  // -1 and 255 are the same bits
    }
  }
  return bytes;
}

class SkerryPeer final : public Peer {
 public:
  SkerryPeer(const Dataset& set, Scalar scalar, const IndexOptions& options, std::size_t capacity,
             const std::filesystem::path& folder)
      : scalar_(scalar),
        base_bytes_(converted(set.base, scalar)),
        query_bytes_(converted(set.queries, scalar)),
        base_(view(set.base, base_bytes_)),
        queries_(view(set.queries, query_bytes_)),
        keys_(set.base.rows) {
    std::iota(keys_.begin(), keys_.end(), Key{0});
    Result<Index> made = Index::create(options, folder);
    check(made.status());
    index_ = std::make_unique<Index>(std::move(*made));
    check(index_->reserve(capacity));
  }

  void add(std::size_t first, std::size_t count, unsigned threads) override {
    if (count == 1) return check(index_->insert(keys_[first], base_.row(first)));
    const MatrixView rows(base_.row(first).data(), scalar_, count, base_.dimension());
    check(index_->insert(std::span(keys_).subspan(first, count), rows, {.threads = threads}));
  }

  void add_each(std::size_t first, std::size_t count, unsigned threads) override {
    parallel_for(count, threads, "skerry", [&](std::size_t i, unsigned) {
      check(index_->insert(keys_[first + i], base_.row(first + i)));
    });
  }

  bool update(Key key, std::size_t row) override {
    check(index_->upsert(key, base_.row(row)));
    return true;
  }

  bool remove(Key key) override {
    check(index_->remove(key).status());
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned) override {
    check(index_->insert(key, base_.row(row)));
    return true;
  }

  void set_ef(std::uint32_t ef) override { options_ = {.ef = ef, .filter = options_.filter}; }
  bool set_recall_target(float target) override {
    options_ = {.recall_target = target, .filter = options_.filter};
    return true;
  }
  bool set_filter(const std::uint8_t* passes) override {
    passes_.bytes = passes;
    options_.filter = passes != nullptr ? Filter::where(passes_) : Filter();
    return true;
  }

  std::size_t search(std::size_t query, unsigned, std::span<Key> keys) override {
    return ask(query, keys).count;
  }
  std::optional<SearchResult> count_search(std::size_t query, std::span<Key> keys) override {
    return ask(query, keys);
  }

  Wear wear() const override {
    const Result<CheckReport> report = index_->check();
    check(report.status());
    return {report->tombstones, report->unreachable};
  }

  std::uint64_t bytes() const override {
    const IndexStats stats = index_->stats();
    return stats.vector_bytes - stats.vector_disk_bytes + stats.code_bytes + stats.link_bytes +
           stats.other_bytes;
  }

  std::optional<Codes> picked() const override {
    if (index_->options().codes != Codes::automatic) return std::nullopt;
    return index_->stats().codes;
  }

  std::uint64_t feed_bytes() const override {
    return base_bytes_.size() + query_bytes_.size() + keys_.size() * sizeof(Key);
  }

 private:
  SearchResult ask(std::size_t query, std::span<Key> keys) const {
    Hit hits[kMostHits];
    const Result<SearchResult> found =
        index_->search(queries_.row(query), std::span(hits, keys.size()), options_);
    check(found.status());
    for (std::size_t i = 0; i < found->count; ++i) keys[i] = hits[i].key;
    return *found;
  }

  MatrixView view(const Matrix& matrix, const std::vector<std::byte>& bytes) const {
    const void* data =
        bytes.empty() ? static_cast<const void*>(matrix.values.data()) : bytes.data();
    return MatrixView(data, scalar_, matrix.rows, matrix.dimension);
  }

  Scalar scalar_;
  std::vector<std::byte> base_bytes_;
  std::vector<std::byte> query_bytes_;
  MatrixView base_;
  MatrixView queries_;
  std::vector<Key> keys_;  // keys_[row] == row
  std::unique_ptr<Index> index_;
  SearchOptions options_;
  struct {
    const std::uint8_t* bytes;
    bool operator()(Key key) const { return bytes[key] != 0; }
  } passes_{nullptr};
};

}  // namespace

PeerKind skerry_kind(Scalar scalar, Codes codes, Vectors vectors, std::uint32_t ef_construction,
                     const PeerChoice& choice) {
  PeerKind kind;
  kind.impl = "skerry";
  kind.scalar = name_of(scalar);
  kind.codes = name_of(codes);
  if (vectors == Vectors::disk) kind.vectors = name_of(vectors);
  kind.ef_construction = ef_construction;
  kind.may_update_beside_search = true;
  kind.index_options = [=, flat_below = choice.flat_below](const Dataset& set,
                                                           const GraphOptions& graph) {
    IndexOptions options;
    options.dimension = static_cast<std::uint32_t>(set.base.dimension);
    options.metric = set.metric;
    options.scalar = scalar;
    options.codes = codes;
    options.vectors = vectors;
    options.M = graph.M;
    options.ef_construction = ef_construction != 0 ? ef_construction : graph.ef_construction;
    options.flat_below = flat_below;
    return options;
  };
  const std::filesystem::path folder = choice.folder.empty()
                                           ? std::filesystem::temp_directory_path()
                                           : std::filesystem::path(choice.folder);
  kind.make = [=, index_options = kind.index_options](const Dataset& set,
                                                      const GraphOptions& graph) {
    return std::make_unique<SkerryPeer>(set, scalar, index_options(set, graph), graph.capacity,
                                        folder);
  };
  return kind;
}

}  // namespace skerry::bench

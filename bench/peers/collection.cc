// collection.cc - Skerry's Collection behind the peers' interface: every change is a commit of its
// own, in a database that goes when the peer does.
#include <fmt/format.h>

#include "durable_store.h"
#include "peer.h"
#include "temporary_folder.h"

namespace skerry::bench {
namespace {

class CollectionPeer final : public Peer {
 public:
  CollectionPeer(const PeerKind& index, Durability durability, const std::string& folder,
                 const Dataset& set, const GraphOptions& graph)
      : folder_(folder), store_(folder_.path(), index, set, graph, durability) {}

  void add(std::size_t first, std::size_t count, unsigned threads) override {
    store_.upsert(first, count, threads);
  }

  bool update(Key key, std::size_t row) override {
    store_.upsert(key, row);
    return true;
  }

  bool remove(Key key) override {
    store_.remove(key);
    return true;
  }

  bool insert(Key key, std::size_t row, unsigned) override { return update(key, row); }

  void set_ef(std::uint32_t ef) override { ef_ = ef; }

  std::size_t search(std::size_t query, unsigned, std::span<Key> keys) override {
    Hit hits[kMostHits];
    const std::size_t count = store_.search(query, std::span(hits, keys.size()), {.ef = ef_});
    for (std::size_t i = 0; i < count; ++i) keys[i] = hits[i].key;
    return count;
  }

  Wear wear() const override {
    const CheckReport report = store_.check_index();
    return {report.tombstones, report.unreachable};
  }

  void keep_up(Upkeep upkeep) override {
    upkeep == Upkeep::image ? store_.save_images() : store_.compact();
  }

  // Of the store, with the log trimmed behind an image: what a program has that has been left alone
  // for a while. The images can be deleted and are not counted.
  std::optional<std::uint64_t> disk_bytes() override {
    store_.save_images();
    return store_.stats().store_disk_bytes;
  }

  std::uint64_t bytes() const override { return store_.index_bytes(); }

 private:
  TemporaryFolder folder_;
  DurableStore store_;
  std::uint32_t ef_ = 0;
};

}  // namespace

PeerKind collection_kind(const PeerKind& index, Durability durability, const std::string& folder) {
  PeerKind kind = index;
  kind.impl = fmt::format("{}-{}", index.impl, name_of(durability));
  kind.index_options = nullptr;
  kind.has_upkeep = true;
  kind.make = [=](const Dataset& set, const GraphOptions& graph) {
    return std::make_unique<CollectionPeer>(index, durability, folder, set, graph);
  };
  return kind;
}

}  // namespace skerry::bench

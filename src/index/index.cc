// index.cc - the front door: Index in terms of Engine.
#include "skerry/index.h"

#include <utility>

#include "base/fork.h"
#include "base/watch.h"
#include "index/engine.h"

namespace skerry {
namespace {

Changes one(const Key& key, VectorView vector) noexcept {
  return Changes{std::span<const Key>(&key, 1),
                 MatrixView(vector.data(), vector.scalar(), 1, vector.dimension()), false};
}

// A folder that is no good is told before the index is large enough to use it.
Status try_folder(const IndexOptions& options, const std::filesystem::path& folder) {
  const Status status = check_folder(options, folder);
  if (!status.ok() || options.vectors == Vectors::memory) return status;
  return ScratchFile::create(folder).status();
}

}  // namespace

Index::Index(std::unique_ptr<Engine> engine) noexcept
    : engine_(std::move(engine)), generation_(fork_generation()) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

Status Index::usable() const noexcept {
  if (engine_ == nullptr) return Status(Code::closed, "the index was moved from");
  if (generation_ != fork_generation()) {
    return Status(Code::closed, "the index belongs to the process that was forked");
  }
  return {};
}

Result<Index> Index::create(const IndexOptions& options, const std::filesystem::path& folder) {
  if (Status status = check_options(options); !status.ok()) return status;
  if (Status status = try_folder(options, folder); !status.ok()) return status;
  auto engine = Engine::create(options, {}, folder);
  if (!engine) return engine.status();
  return Index(std::move(*engine));
}

Result<Index> Index::load(const std::filesystem::path& path, CustomDistance custom,
                          const std::filesystem::path& folder) {
  auto engine = Engine::load(path, ImageMode::copy, custom, nullptr, folder);
  if (!engine) return engine.status();
  return Index(std::move(*engine));
}

Result<Index> Index::view(const std::filesystem::path& path, CustomDistance custom) {
  auto engine = Engine::load(path, ImageMode::view, custom, nullptr);
  if (!engine) return engine.status();
  return Index(std::move(*engine));
}

Status Index::save(const std::filesystem::path& path, const Control& control) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->save(path, ImageTag(), control).status();
}

Status Index::reserve(std::size_t count) {
  if (Status status = usable(); !status.ok()) return status;
  const std::uint64_t live = engine_->size();
  if (count <= live) return {};
  const std::size_t more = count - static_cast<std::size_t>(live);
  return engine_->make_room(more);
}

Status Index::insert(Key key, VectorView vector) {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->insert(one(key, vector), {.threads = 1});
}

Status Index::upsert(Key key, VectorView vector) {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->upsert(one(key, vector), {.threads = 1});
}

Status Index::insert(std::span<const Key> keys, MatrixView vectors, const BatchOptions& options) {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->insert(Changes{keys, vectors, false}, options);
}

Status Index::upsert(std::span<const Key> keys, MatrixView vectors, const BatchOptions& options) {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->upsert(Changes{keys, vectors, false}, options);
}

Result<std::uint64_t> Index::remove(Key key) {
  return remove(std::span<const Key>(&key, 1));
}

Result<std::uint64_t> Index::remove(std::span<const Key> keys) {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->remove(Changes{keys, MatrixView(), true});
}

bool Index::contains(Key key) const {
  return usable().ok() && engine_->contains(key);
}

std::uint64_t Index::size() const {
  return usable().ok() ? engine_->size() : 0;
}

Status Index::get(Key key, std::span<float> out) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->get(key, out);
}

Status Index::get_bytes(Key key, std::span<std::byte> out) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->get_bytes(key, out);
}

Status Index::for_each(FunctionRef<bool(Key)> visit) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->for_each(visit);
}

Result<SearchResult> Index::search(VectorView query, std::span<Hit> hits,
                                   const SearchOptions& options) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->search(query, hits, options);
}

Result<Explanation> Index::explain(VectorView query, Key key, std::span<Hit> hits,
                                   std::span<Hop> hops, const SearchOptions& options) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->explain(query, key, hits, hops, options);
}

Result<SearchResult> Index::search_batch(MatrixView queries, std::span<Hit> hits,
                                         std::span<std::uint32_t> counts,
                                         const SearchOptions& options) const {
  if (Status status = usable(); !status.ok()) return status;
  return engine_->search_batch(queries, hits, counts, options);
}

Result<CheckReport> Index::check(const Control& control) const {
  if (Status status = usable(); !status.ok()) return status;
  Watch watch(control, engine_->size());
  Result<CheckReport> report = engine_->check_invariants(watch);
  if (!report) return report;
  if (Status status = watch.finish(); !status.ok()) return status;
  return report;
}

Result<GraphShape> Index::shape(const Control& control) const {
  if (Status status = usable(); !status.ok()) return status;
  Watch watch(control, engine_->size());
  return engine_->shape(watch);
}

IndexStats Index::stats() const {
  return usable().ok() ? engine_->stats() : IndexStats();
}

const IndexOptions& Index::options() const {
  static const IndexOptions kNone;
  return engine_ == nullptr ? kNone : engine_->options();
}

}  // namespace skerry

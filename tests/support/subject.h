// subject.h - one test text for the index and for the collection.
//
// The contract is the same at both doors, so a test is written once against a Subject and run for
// an Index in memory and for a Collection in a database of its own. reopen() is what each has:
// save and load, or close and open.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "skerry/index.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {

enum class Door { index, collection };

class Subject {
 public:
  virtual ~Subject() = default;

  virtual Status insert(Key key, VectorView vector) = 0;
  virtual Status upsert(Key key, VectorView vector) = 0;
  virtual Status insert(std::span<const Key> keys, MatrixView vectors,
                        const BatchOptions& options = {}) = 0;
  virtual Status upsert(std::span<const Key> keys, MatrixView vectors,
                        const BatchOptions& options = {}) = 0;
  virtual Result<std::uint64_t> remove(Key key) = 0;
  virtual Result<std::uint64_t> remove(std::span<const Key> keys) = 0;
  virtual bool contains(Key key) const = 0;
  virtual std::uint64_t size() const = 0;
  virtual Status get(Key key, std::span<float> out) const = 0;
  virtual Status get_bytes(Key key, std::span<std::byte> out) const = 0;
  virtual Status for_each(FunctionRef<bool(Key)> visit) const = 0;
  virtual Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                                      const SearchOptions& options = {}) const = 0;
  virtual Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                            std::span<std::uint32_t> counts,
                                            const SearchOptions& options = {}) const = 0;
  virtual Result<CheckReport> check() const = 0;
  virtual IndexStats stats() const = 0;
  virtual IndexOptions options() const = 0;

  // Puts everything away and takes it out again.
  virtual Status reopen() = 0;

  // Drops what there is and begins empty, with the same options.
  virtual Status start_anew() = 0;

  // Another subject, made from a backup or from a saved file.
  virtual Status copy(std::unique_ptr<Subject>& out) const = 0;

  // Of a collection, what it holds now; an index leaves `out` empty.
  virtual Status snapshot(std::optional<Snapshot>& out) const = 0;

  // Gives space back to the file system.
  virtual Status compact() = 0;

  // One of the other calls that change nothing that can be seen, as the dice say.
  virtual Status upkeep(std::uint64_t dice) = 0;

  // The hits of a search that must succeed.
  std::vector<Hit> find(VectorView query, std::size_t k, const SearchOptions& options = {}) const {
    std::vector<Hit> hits(k);
    const Result<SearchResult> result = search(query, hits, options);
    EXPECT_OK(result);
    if (!result.ok()) return {};
    EXPECT_LE(result->count, k);
    hits.resize(result->count);
    return hits;
  }

  // Every key that for_each() visits, sorted.
  std::vector<Key> keys() const {
    std::vector<Key> all;
    EXPECT_OK(for_each([&](Key key) {
      all.push_back(key);
      return true;
    }));
    std::sort(all.begin(), all.end());
    return all;
  }
};

// Vectors on disk are in a file without a name: it may be anywhere.
inline std::filesystem::path temporary_folder() {
  return std::filesystem::temp_directory_path();
}

class IndexSubject final : public Subject {
 public:
  explicit IndexSubject(Index index) : index_(std::move(index)) {}
  static Status create(const IndexOptions& options, std::unique_ptr<Subject>& out) {
    Result<Index> index = Index::create(options, temporary_folder());
    if (!index.ok()) return index.status();
    out = std::make_unique<IndexSubject>(*std::move(index));
    return {};
  }

  Status insert(Key key, VectorView v) override { return index_.insert(key, v); }
  Status upsert(Key key, VectorView v) override { return index_.upsert(key, v); }
  Status insert(std::span<const Key> keys, MatrixView m, const BatchOptions& o) override {
    return index_.insert(keys, m, o);
  }
  Status upsert(std::span<const Key> keys, MatrixView m, const BatchOptions& o) override {
    return index_.upsert(keys, m, o);
  }
  Result<std::uint64_t> remove(Key key) override { return index_.remove(key); }
  Result<std::uint64_t> remove(std::span<const Key> keys) override { return index_.remove(keys); }
  bool contains(Key key) const override { return index_.contains(key); }
  std::uint64_t size() const override { return index_.size(); }
  Status get(Key key, std::span<float> out) const override { return index_.get(key, out); }
  Status get_bytes(Key key, std::span<std::byte> out) const override {
    return index_.get_bytes(key, out);
  }
  Status for_each(FunctionRef<bool(Key)> visit) const override { return index_.for_each(visit); }
  Result<SearchResult> search(VectorView q, std::span<Hit> h,
                              const SearchOptions& o) const override {
    return index_.search(q, h, o);
  }
  Result<SearchResult> search_batch(MatrixView q, std::span<Hit> h, std::span<std::uint32_t> c,
                                    const SearchOptions& o) const override {
    return index_.search_batch(q, h, c, o);
  }
  Result<CheckReport> check() const override { return index_.check(); }
  IndexStats stats() const override { return index_.stats(); }
  IndexOptions options() const override { return index_.options(); }

  Status reopen() override {
    const auto path = folder_ / "index";
    const CustomDistance custom = index_.options().custom;
    if (Status saved = index_.save(path); !saved.ok()) return saved;
    Result<Index> again = Index::load(path, custom, folder_.path());
    if (!again.ok()) return again.status();
    index_ = *std::move(again);
    return {};
  }

  Status start_anew() override {
    Result<Index> fresh = Index::create(index_.options(), temporary_folder());
    if (fresh.ok()) index_ = *std::move(fresh);
    return fresh.status();
  }

  Status copy(std::unique_ptr<Subject>& out) const override {
    const auto path = folder_ / "copy";
    if (Status saved = index_.save(path); !saved.ok()) return saved;
    Result<Index> loaded = Index::load(path, index_.options().custom, folder_.path());
    if (loaded.ok()) out = std::make_unique<IndexSubject>(*std::move(loaded));
    return loaded.status();
  }

  Status snapshot(std::optional<Snapshot>&) const override { return {}; }
  Status compact() override { return {}; }
  Status upkeep(std::uint64_t) override { return index_.save(folder_ / "index"); }

 private:
  Index index_;
  TempDir folder_;
};

// The payload that belongs to a vector: for some of them none.
inline Payload payload_of(VectorView vector) {
  const auto* at = static_cast<const std::byte*>(vector.data());
  const std::size_t bytes = vector_bytes(vector.scalar(), vector.dimension());
  return {at, std::to_integer<std::size_t>(at[bytes / 2]) % (bytes + 1)};
}

class CollectionSubject final : public Subject {
 public:
  // `payloads`: every row is given the payload_of() its vector.
  static Status create(const IndexOptions& options, std::unique_ptr<Subject>& out,
                       bool payloads = false) {
    auto subject = std::make_unique<CollectionSubject>();
    subject->payloads_ = payloads;
    subject->database_options_ = {.durability = Durability::none, .custom = options.custom};
    if (Status opened = subject->open(); !opened.ok()) return opened;
    Result<Collection> made = subject->database_->create("vectors", {.index = options});
    if (!made.ok()) return made.status();
    subject->collection_.emplace(*std::move(made));
    out = std::move(subject);
    return {};
  }

  Status insert(Key key, VectorView v) override {
    return collection_->insert(key, v, payloads_ ? payload_of(v) : Payload());
  }
  Status upsert(Key key, VectorView v) override {
    return collection_->upsert(key, v, payloads_ ? payload_of(v) : Payload());
  }
  Status insert(std::span<const Key> keys, MatrixView m, const BatchOptions& o) override {
    return collection_->insert(keys, m, payloads_of(m), o);
  }
  Status upsert(std::span<const Key> keys, MatrixView m, const BatchOptions& o) override {
    return collection_->upsert(keys, m, payloads_of(m), o);
  }
  Result<std::uint64_t> remove(Key key) override { return collection_->remove(key); }
  Result<std::uint64_t> remove(std::span<const Key> keys) override {
    return collection_->remove(keys);
  }
  bool contains(Key key) const override { return collection_->contains(key); }
  std::uint64_t size() const override { return collection_->size(); }
  Status get(Key key, std::span<float> out) const override { return collection_->get(key, out); }
  Status get_bytes(Key key, std::span<std::byte> out) const override {
    return collection_->get_bytes(key, out);
  }
  Status for_each(FunctionRef<bool(Key)> visit) const override {
    return collection_->for_each(visit);
  }
  Result<SearchResult> search(VectorView q, std::span<Hit> h,
                              const SearchOptions& o) const override {
    return collection_->search(q, h, o);
  }
  Result<SearchResult> search_batch(MatrixView q, std::span<Hit> h, std::span<std::uint32_t> c,
                                    const SearchOptions& o) const override {
    return collection_->search_batch(q, h, c, o);
  }
  Result<CheckReport> check() const override {
    const Result<VerifyReport> report = collection_->verify();
    if (!report.ok()) return report.status();
    return report->index;
  }
  IndexStats stats() const override {
    const Result<CollectionStats> stats = collection_->stats();
    EXPECT_OK(stats);
    return stats.ok() ? stats->index : IndexStats{};
  }
  IndexOptions options() const override {
    const Result<CollectionOptions> options = collection_->options();
    EXPECT_OK(options);
    return options.ok() ? options->index : IndexOptions{};
  }

  Status reopen() override {
    collection_.reset();
    if (Status closed = database_->close(); !closed.ok()) return closed;
    database_.reset();
    return open_all();
  }

  Status start_anew() override {
    const IndexOptions same = options();
    if (Status dropped = database_->drop("vectors"); !dropped.ok()) return dropped;
    Result<Collection> made = database_->create("vectors", {.index = same});
    if (made.ok()) collection_.emplace(*std::move(made));
    return made.status();
  }

  Status copy(std::unique_ptr<Subject>& out) const override {
    auto subject = std::make_unique<CollectionSubject>();
    subject->database_options_ = database_options_;
    subject->payloads_ = payloads_;
    Status status = database_->backup(subject->folder_ / "db");
    if (status.ok()) status = subject->open_all();
    if (status.ok()) out = std::move(subject);
    return status;
  }

  Status snapshot(std::optional<Snapshot>& out) const override {
    Result<Snapshot> taken = collection_->snapshot();
    if (taken.ok()) out = *std::move(taken);
    return taken.status();
  }

  Status compact() override { return database_->compact(); }

  Status upkeep(std::uint64_t dice) override {
    switch (dice % 3) {
      case 0:
        return database_->checkpoint();
      case 1:
        return collection_->save_image();
      default:
        return database_->sync();
    }
  }

 private:
  Status open() {
    Result<Database> opened = Database::open(folder_ / "db", database_options_);
    if (!opened.ok()) return opened.status();
    database_.emplace(*std::move(opened));
    return {};
  }

  Status open_all() {
    if (Status opened = open(); !opened.ok()) return opened;
    Result<Collection> again = database_->open_collection("vectors");
    if (again.ok()) collection_.emplace(*std::move(again));
    return again.status();
  }

  std::vector<Payload> payloads_of(MatrixView rows) const {
    std::vector<Payload> payloads;
    for (std::size_t r = 0; payloads_ && r < rows.rows(); ++r) {
      payloads.push_back(payload_of(rows.row(r)));
    }
    return payloads;
  }

  TempDir folder_;
  bool payloads_ = false;
  DatabaseOptions database_options_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

inline Status create_subject(Door door, const IndexOptions& options, std::unique_ptr<Subject>& out,
                             bool payloads = false) {
  return door == Door::index ? IndexSubject::create(options, out)
                             : CollectionSubject::create(options, out, payloads);
}

// How a contract test is run: at which door, over which codes, with or without a graph.
struct Form {
  Door door = Door::index;
  Codes codes = Codes::exact;
  bool graph = false;

  // `options` in this form.
  IndexOptions shape(IndexOptions options) const {
    options.codes = codes;
    options.flat_below = graph ? 0 : 1'000'000;
    return options;
  }
};

inline std::vector<Form> all_forms() {
  std::vector<Form> forms;
  for (const Door door : {Door::index, Door::collection}) {
    for (const Codes codes : {Codes::exact, Codes::sq8, Codes::rot4}) {
      for (const bool graph : {false, true}) forms.push_back({door, codes, graph});
    }
    forms.push_back({door, Codes::automatic, true});
  }
  return forms;
}

inline std::string name_of(const Form& form) {
  return std::string(form.door == Door::index ? "index" : "collection") + "_" +
         std::string(skerry::name_of(form.codes)) + (form.graph ? "_graph" : "_flat");
}

inline void PrintTo(const Form& form, std::ostream* out) {
  *out << name_of(form);
}

// The fixture of the contract's tests.
class ContractTest : public ::testing::TestWithParam<Form> {
 protected:
  std::unique_ptr<Subject> make(IndexOptions options) const {
    std::unique_ptr<Subject> subject;
    const Status status = create_subject(GetParam().door, GetParam().shape(options), subject);
    EXPECT_OK(status);
    if (subject == nullptr) throw std::runtime_error(status.message());
    return subject;
  }
};

// Instantiates a suite for every form.
#define SKERRY_IN_EVERY_FORM(Suite)                                 \
  INSTANTIATE_TEST_SUITE_P(                                         \
      , Suite, ::testing::ValuesIn(::skerry::testing::all_forms()), \
      [](const auto& info) { return ::skerry::testing::name_of(info.param); })

}  // namespace skerry::testing

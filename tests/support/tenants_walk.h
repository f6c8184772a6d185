// tenants_walk.h - a long run of random calls on many small collections of one database, each
// answer compared with that of std::maps.
//
// A dozen names: collections of them are made alone and together, renamed, cloned and dropped,
// written, searched alone and together, listed and counted, while only two keep their index in
// memory. Some are scanned and some have a graph. Handles are kept as long as their collection: one
// that was renamed goes on under its new name, one that was dropped is closed. Half of the vectors
// are small whole numbers, so that distances tie. Everything follows from the seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {

class TenantsWalk {
 public:
  explicit TenantsWalk(std::uint64_t seed) : random_(seed) { open(); }

  void step(std::size_t) {
    const std::uint64_t dice = below(random_, 100);
    if (dice < 6) return create();
    if (dice < 8) return create_several();
    if (dice < 13) return drop();
    if (dice < 18) return rename();
    if (dice < 23) return clone();
    if (dice < 48) return put();
    if (dice < 58) return remove();
    if (dice < 74) return search();
    if (dice < 92) return search_union();
    if (dice < 96) return survey();
    if (dice < 98) return upkeep();
    reopen();
  }

  // The list of all with their counts, and of one everything.
  void survey() {
    const auto found = database_->collections();
    ASSERT_OK(found);
    ASSERT_EQ(found->size(), tenants_.size());
    std::size_t at = 0;
    for (auto& [name, tenant] : tenants_) {
      const CollectionInfo& info = (*found)[at++];
      ASSERT_EQ(info.name, name);
      EXPECT_EQ(info.size, tenant.model.size()) << name;
      EXPECT_EQ(info.payload_count, payloads_of(tenant.model)) << name;
      EXPECT_EQ(info.options.index.flat_below, tenant.flat_below) << name;
      if (tenant.handle.has_value()) {
        EXPECT_EQ(tenant.handle->name(), name);
        EXPECT_EQ(tenant.handle->size(), tenant.model.size()) << name;
      }
    }
    EXPECT_EQ(database_->stats()->collections, tenants_.size());
    if (tenants_.empty()) return;
    const auto one = any_tenant();
    std::vector<Key> keys, expected;
    for (const auto& [key, bytes] : one->second.model.rows()) expected.push_back(key);
    ASSERT_OK(handle(one).for_each([&](Key key) {
      keys.push_back(key);
      return true;
    }));
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, expected);
    ASSERT_OK(handle(one).verify().status());
  }

 private:
  static constexpr std::uint32_t kDimension = 5;
  static constexpr std::size_t kNames = 12;
  static constexpr std::size_t kKeys = 60;
  static constexpr std::size_t kBatchMax = 20;

  struct Tenant {
    std::uint32_t flat_below = 0;
    Model model{Metric::l2, Scalar::f32, kDimension};
    std::optional<Collection> handle;  // none: not opened since the database was
  };
  using Tenants = std::map<std::string, Tenant>;

  void open() {
    Result<Database> opened =
        Database::open(folder_.path(), {.durability = Durability::none, .warm_collections = 2});
    ASSERT_OK(opened.status());
    database_.emplace(*std::move(opened));
  }

  std::string any_name() { return "tenant " + std::to_string(below(random_, kNames)); }
  Tenants::iterator any_tenant() {
    return std::next(tenants_.begin(),
                     static_cast<std::ptrdiff_t>(below(random_, tenants_.size())));
  }

  Collection& handle(Tenants::iterator tenant) {
    std::optional<Collection>& handle = tenant->second.handle;
    if (!handle.has_value()) {
      Result<Collection> opened = database_->open_collection(tenant->first);
      EXPECT_OK(opened.status());
      handle.emplace(*std::move(opened));
    }
    return *handle;
  }

  static bool has_payload(Key key) { return key % 3 == 0; }
  static std::uint64_t payloads_of(const Model& model) {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        model.rows(), [](const auto& row) { return has_payload(row.first); }));
  }

  // A new one, not in the database yet.
  Tenant fresh() {
    Tenant tenant;
    tenant.flat_below = below(random_, 2) == 0 ? 0 : 1024;
    return tenant;
  }
  static CollectionOptions options_of(const Tenant& tenant) {
    return {.index = {.dimension = kDimension, .M = 6, .flat_below = tenant.flat_below}};
  }

  void create() {
    const std::string name = any_name();
    Tenant tenant = fresh();
    Result<Collection> made = database_->create(name, options_of(tenant));
    EXPECT_EQ(made.status().code(), tenants_.contains(name) ? Code::already_exists : Code::ok);
    if (!made.ok()) return;
    tenant.handle.emplace(*std::move(made));
    tenants_.emplace(name, std::move(tenant));
  }

  // All or none: a name may be taken, or come twice.
  void create_several() {
    const std::vector<std::string> names = {any_name(), any_name(), any_name()};
    const std::vector<std::string_view> views(names.begin(), names.end());
    const Tenant tenant = fresh();
    bool taken = false;
    for (std::size_t i = 0; i < names.size(); ++i) {
      taken |= tenants_.contains(names[i]);
      taken |= std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
               names.begin() + static_cast<std::ptrdiff_t>(i);
    }
    const Status status = database_->create(views, options_of(tenant));
    ASSERT_EQ(status.code(), taken ? Code::already_exists : Code::ok);
    if (taken) return;
    for (const std::string& name : names) tenants_.emplace(name, tenant);
  }

  void drop() {
    const std::string name = any_name();
    const auto gone = tenants_.extract(name);
    ASSERT_EQ(database_->drop(name).code(), gone.empty() ? Code::not_found : Code::ok);
    if (gone.empty() || !gone.mapped().handle.has_value()) return;
    Collection& closed = *gone.mapped().handle;
    EXPECT_ERROR(closed.upsert(1, vectors_.row(0)), Code::closed);
    EXPECT_EQ(closed.size(), 0u);
  }

  void rename() {
    const std::string from = any_name();
    const std::string to = any_name();
    const Code expected = !tenants_.contains(from)              ? Code::not_found
                          : from != to && tenants_.contains(to) ? Code::already_exists
                                                                : Code::ok;
    ASSERT_EQ(database_->rename(from, to).code(), expected);
    if (expected != Code::ok) return;
    auto node = tenants_.extract(from);
    node.key() = to;
    tenants_.insert(std::move(node));
  }

  void clone() {
    const std::string from = any_name();
    const std::string to = any_name();
    const auto source = tenants_.find(from);
    const Code expected = source == tenants_.end() ? Code::not_found
                          : tenants_.contains(to)  ? Code::already_exists
                                                   : Code::ok;
    Result<Collection> made = database_->clone(from, to);
    ASSERT_EQ(made.status().code(), expected);
    if (expected != Code::ok) return;
    Tenant copy = source->second;
    copy.handle.emplace(*std::move(made));
    EXPECT_EQ(copy.handle->size(), copy.model.size());
    tenants_.emplace(to, std::move(copy));
  }

  void make(std::size_t row) {
    const bool whole = below(random_, 2) == 0;
    for (std::size_t i = 0; i < kDimension; ++i) {
      vectors_.set(row, i,
                   whole ? static_cast<double>(below(random_, 3)) : uniform(random_, -1, 3));
    }
  }

  void put() {
    if (tenants_.empty()) return create();
    const auto tenant = any_tenant();
    std::vector<Key> keys(1 + below(random_, kBatchMax));
    std::vector<Payload> payloads(keys.size());
    for (std::size_t r = 0; r < keys.size(); ++r) {
      keys[r] = below(random_, kKeys);
      make(r);
      if (has_payload(keys[r])) payloads[r] = vectors_.bytes(r);
    }
    ASSERT_OK(handle(tenant).upsert(keys, vectors_.matrix(0, keys.size()), payloads));
    for (std::size_t r = 0; r < keys.size(); ++r)
      tenant->second.model.put(keys[r], vectors_.row(r));
  }

  void remove() {
    if (tenants_.empty()) return;
    const auto tenant = any_tenant();
    std::vector<Key> keys(1 + below(random_, kBatchMax));
    std::uint64_t expected = 0;
    for (Key& key : keys) {
      key = below(random_, kKeys);
      expected += tenant->second.model.erase(key) ? 1 : 0;
    }
    const auto removed = handle(tenant).remove(keys);
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, expected);
  }

  void search() {
    if (tenants_.empty()) return;
    const auto tenant = any_tenant();
    const Model& model = tenant->second.model;
    make(0);
    const VectorView query = vectors_.row(0);
    std::vector<Hit> hits(below(random_, 30));
    const std::size_t k = hits.size();
    const auto found = handle(tenant).search(query, hits, {.exact = true});
    ASSERT_OK(found);
    hits.resize(found->count);
    ASSERT_TRUE(model.perfect(query, hits, k)) << tenant->first;
    const Key key = below(random_, kKeys);
    EXPECT_EQ(handle(tenant).contains(key), model.contains(key));
    std::vector<std::byte> payload(vectors_.row_bytes());
    const auto size = handle(tenant).get_payload(key, payload);
    ASSERT_EQ(size.status().code(), model.contains(key) ? Code::ok : Code::not_found);
    if (!size.ok()) return;
    EXPECT_EQ(*size, has_payload(key) ? payload.size() : 0);
    EXPECT_TRUE(!has_payload(key) || std::ranges::equal(payload, model.bytes(key)));
  }

  // Of some, in any order: the nearest of all, in order, ties by key and then by place.
  void search_union() {
    std::vector<Tenants::iterator> asked;
    for (auto tenant = tenants_.begin(); tenant != tenants_.end(); ++tenant) {
      if (below(random_, 3) == 0) asked.push_back(tenant);
    }
    std::shuffle(asked.begin(), asked.end(), random_);
    make(0);
    const VectorView query = vectors_.row(0);
    std::vector<Collection> collections;
    std::vector<Model::Answer> truth;
    for (const auto& tenant : asked) {
      collections.push_back(handle(tenant));
      const auto ranking = tenant->second.model.ranking(query);
      truth.insert(truth.end(), ranking.begin(), ranking.end());
    }
    std::ranges::sort(truth, {}, &Model::Answer::distance);
    std::vector<UnionHit> hits(below(random_, 60));
    const auto found = database_->search_union(collections, query, hits, {.exact = true});
    ASSERT_OK(found);
    ASSERT_EQ(found->count, std::min(hits.size(), truth.size()));
    hits.resize(found->count);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const UnionHit& hit = hits[i];
      ASSERT_LT(hit.collection, asked.size());
      const Model& model = asked[hit.collection]->second.model;
      ASSERT_TRUE(model.contains(hit.key)) << hit.key;
      const Model::Answer answer = model.answer(query, hit.key);
      ASSERT_LE(std::abs(hit.distance - answer.distance), answer.slack);
      ASSERT_LE(std::abs(hit.distance - truth[i].distance), answer.slack + truth[i].slack);
      if (i == 0) continue;
      const UnionHit& before = hits[i - 1];
      ASSERT_LT(std::tie(before.distance, before.key, before.collection),
                std::tie(hit.distance, hit.key, hit.collection));
    }
  }

  void upkeep() {
    const std::uint64_t dice = below(random_, 3);
    if (dice == 0) {
      ASSERT_OK(database_->compact());
    } else if (dice == 1) {
      ASSERT_OK(database_->checkpoint());
    } else if (!tenants_.empty()) {
      ASSERT_OK(handle(any_tenant()).save_image());
    }
  }

  void reopen() {
    for (auto& [name, tenant] : tenants_) tenant.handle.reset();
    ASSERT_OK(database_->close());
    database_.reset();
    open();
    survey();
  }

  TempDir folder_;
  Random random_;
  std::optional<Database> database_;
  Tenants tenants_;
  Table vectors_{Scalar::f32, kBatchMax, kDimension};  // that are about to be given to a call
};

}  // namespace skerry::testing

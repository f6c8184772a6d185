// c_header_test.cc - is c.h clean C++, and are its defaults those of the C++ headers?
#include "skerry/c.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

TEST(CHeader, OptionsHaveTheDefaultsOfCpp) {
  const skerry_options options = SKERRY_OPTIONS_INIT;
  const CollectionOptions collection;
  const IndexOptions& index = collection.index;
  EXPECT_EQ(options.struct_size, sizeof options);
  EXPECT_EQ(options.dimension, index.dimension);
  EXPECT_EQ(options.metric, static_cast<std::uint32_t>(index.metric));
  EXPECT_EQ(options.scalar, static_cast<std::uint32_t>(index.scalar));
  EXPECT_EQ(options.codes, static_cast<std::uint32_t>(index.codes));
  EXPECT_EQ(options.vectors, static_cast<std::uint32_t>(index.vectors));
  EXPECT_EQ(options.M, index.M);
  EXPECT_EQ(options.ef_construction, index.ef_construction);
  EXPECT_EQ(options.ef, index.ef);
  EXPECT_EQ(options.flat_below, index.flat_below);
  EXPECT_EQ(options.byte_keys, collection.byte_keys ? 1U : 0U);
  EXPECT_EQ(options.seed, index.seed);
  EXPECT_EQ(options.custom.call, index.custom.call);

  const skerry_database_options opened = SKERRY_DATABASE_OPTIONS_INIT;
  const DatabaseOptions database;
  EXPECT_EQ(opened.struct_size, sizeof opened);
  EXPECT_EQ(opened.create_if_missing, database.create_if_missing ? 1U : 0U);
  EXPECT_EQ(opened.read_only, database.read_only ? 1U : 0U);
  EXPECT_EQ(opened.durability, static_cast<std::uint32_t>(database.durability));
  EXPECT_EQ(opened.sync_interval_ms, database.sync_interval_ms);
  EXPECT_EQ(opened.map_bytes, database.map_bytes);
  EXPECT_EQ(opened.max_readers, database.max_readers);
  EXPECT_EQ(opened.threads, database.threads);
  EXPECT_EQ(opened.use_images, database.use_images ? 1U : 0U);
  EXPECT_EQ(opened.warm_collections, database.warm_collections);

  const skerry_search_options searched = SKERRY_SEARCH_OPTIONS_INIT;
  const SearchOptions search;
  EXPECT_EQ(searched.struct_size, sizeof searched);
  EXPECT_EQ(searched.ef, search.ef);
  EXPECT_EQ(searched.recall_target, search.recall_target);
  EXPECT_EQ(searched.max_distance, search.max_distance);
  EXPECT_EQ(searched.exact, search.exact ? 1U : 0U);
  EXPECT_EQ(searched.budget, search.budget);
  EXPECT_EQ(searched.threads, search.threads);

  const skerry_verify_options verified = SKERRY_VERIFY_OPTIONS_INIT;
  const VerifyOptions verify;
  EXPECT_EQ(verified.level, static_cast<std::uint32_t>(verify.level));
  EXPECT_EQ(verified.samples, verify.samples);
  EXPECT_EQ(verified.seed, verify.seed);
  const skerry_batch_options batch = SKERRY_BATCH_OPTIONS_INIT;
  EXPECT_EQ(batch.threads, BatchOptions().threads);
  const skerry_control control = SKERRY_CONTROL_INIT;
  EXPECT_EQ(control.deadline_ns, SKERRY_NO_DEADLINE);
  const skerry_filter filter = SKERRY_FILTER_INIT;
  EXPECT_EQ(filter.struct_size, sizeof filter);
  const skerry_repair_options repair = SKERRY_REPAIR_OPTIONS_INIT;
  EXPECT_EQ(repair.struct_size, sizeof repair);
}

// A repair told in C says what it says in C++: of one damaged store, repaired twice.
TEST(CHeader, ARepairTellsWhatCppTells) {
  const TempDir folder;
  const std::filesystem::path path = folder / "db";
  {
    Result<Database> database =
        Database::open(path, {.durability = Durability::none, .use_images = false});
    ASSERT_OK(database);
    Result<Collection> numbers = database->create("numbers", {.index = {.dimension = 64}});
    Result<Collection> names =
        database->create("names", {.index = {.dimension = 64}, .byte_keys = true});
    ASSERT_OK(numbers);
    ASSERT_OK(names);
    std::vector<float> vector(64, 1);
    const std::string text(100, 'x');
    const Payload payload(reinterpret_cast<const std::byte*>(text.data()), text.size());
    for (Key key = 0; key < 400; ++key) {
      vector[0] = static_cast<float>(key);
      ASSERT_OK(numbers->upsert(key, vector, payload));
      ASSERT_OK(names->upsert("name " + std::to_string(key), vector, payload));
    }
  }
  // Every third page of payloads or of vectors is lost, so that there is something to tell.
  constexpr std::size_t kPage = 4096;
  const std::filesystem::path file = path / "store" / "data.mdb";
  std::string bytes = read_file(file);
  std::string ones;
  for (int i = 0; i < 20; ++i) ones.append("\0\0\x80\x3f", 4);  // floats
  std::size_t pages = 0;
  for (std::size_t at = 0; at + kPage <= bytes.size(); at += kPage) {
    const std::string_view page = std::string_view(bytes).substr(at, kPage);
    const bool is_rows =
        page.find(std::string(50, 'x')) != page.npos || page.find(ones) != page.npos;
    if (is_rows && pages++ % 3 == 0) bytes.replace(at, kPage, kPage, '\0');
  }
  ASSERT_GT(pages, 30U);
  write_file(file, bytes);

  const Result<RepairReport> cpp = Database::repair(path, {.destination = folder / "cpp"});
  ASSERT_OK(cpp);
  EXPECT_TRUE(cpp->has_losses);
  const std::string destination = (folder / "c").string();
  skerry_repair_options options = SKERRY_REPAIR_OPTIONS_INIT;
  options.destination = destination.c_str();
  skerry_repair_report* report = nullptr;
  skerry_error error;
  ASSERT_EQ(skerry_database_repair(path.c_str(), &options, &report, &error), SKERRY_OK)
      << error.message;
  skerry_repair_summary summary = SKERRY_REPAIR_SUMMARY_INIT;
  ASSERT_EQ(skerry_repair_report_summary(report, &summary, nullptr), SKERRY_OK);
  EXPECT_EQ(summary.is_whole, cpp->is_whole ? 1U : 0U);
  EXPECT_EQ(summary.has_losses, cpp->has_losses ? 1U : 0U);
  EXPECT_EQ(summary.may_lack_last_commit, cpp->may_lack_last_commit ? 1U : 0U);
  EXPECT_EQ(summary.may_mix_moments, cpp->may_mix_moments ? 1U : 0U);
  EXPECT_EQ(summary.may_lack_collections, cpp->may_lack_collections ? 1U : 0U);
  EXPECT_EQ(summary.pages, cpp->pages);
  EXPECT_EQ(summary.pages_damaged, cpp->pages_damaged);
  EXPECT_EQ(summary.pages_found, cpp->pages_found);
  EXPECT_EQ(std::string(summary.set_aside), cpp->set_aside.string());
  ASSERT_EQ(summary.collections, cpp->collections.size());
  std::uint64_t told = 0;
  for (std::size_t i = 0; i < summary.collections; ++i) {
    const CollectionRepair& there = cpp->collections[i];
    SCOPED_TRACE(there.name);
    skerry_collection_repair here = SKERRY_COLLECTION_REPAIR_INIT;
    ASSERT_EQ(skerry_repair_report_collection(report, i, &here, nullptr), SKERRY_OK);
    EXPECT_EQ(here.name, there.name);
    EXPECT_EQ(here.number, there.number);
    EXPECT_EQ(here.is_kept, there.is_kept ? 1U : 0U);
    EXPECT_EQ(here.rows, there.rows);
    EXPECT_EQ(here.rows_mended, there.rows_mended);
    EXPECT_EQ(here.rows_from_image, there.rows_from_image);
    EXPECT_EQ(here.places_rebuilt, there.places_rebuilt);
    EXPECT_EQ(here.rows_lost, there.rows_lost);
    EXPECT_EQ(here.is_rows_lost_exact, there.is_rows_lost_exact ? 1U : 0U);
    EXPECT_EQ(std::vector<Key>(here.keys_lost, here.keys_lost + here.keys_lost_count),
              there.keys_lost);
    ASSERT_EQ(here.names_lost_count, there.names_lost.size());
    for (std::size_t n = 0; n < here.names_lost_count; ++n) {
      EXPECT_EQ(std::string(here.names_lost[n].data, here.names_lost[n].size), there.names_lost[n]);
    }
    ASSERT_EQ(here.ranges_lost_count, there.ranges_lost.size());
    for (std::size_t n = 0; n < here.ranges_lost_count; ++n) {
      EXPECT_EQ(here.ranges_lost[n].first, there.ranges_lost[n].first);
      EXPECT_EQ(here.ranges_lost[n].last, there.ranges_lost[n].last);
    }
    EXPECT_EQ(here.payloads, there.payloads);
    EXPECT_EQ(here.payloads_lost, there.payloads_lost);
    EXPECT_EQ(here.payload_keys_lost_count, there.payload_keys_lost.size());
    EXPECT_EQ(here.payload_names_lost_count, there.payload_names_lost.size());
    EXPECT_EQ(here.payload_ranges_lost_count, there.payload_ranges_lost.size());
    told += here.rows_lost + here.payloads_lost + here.keys_lost_count + here.names_lost_count;
  }
  EXPECT_GT(told, 0U) << "nothing was lost, so nothing was compared";
  skerry_repair_report_free(report);
}

}  // namespace
}  // namespace skerry::testing

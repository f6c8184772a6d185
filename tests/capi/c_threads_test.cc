// c_threads_test.cc - may every thread use a handle of C at once?
//
// Contract: "threads: every method from any thread at once, with no lock outside". Writers,
// readers, searchers with filters by name, unions and snapshots on one database; ThreadSanitizer
// watches it in scripts/test.sh. Counts at the end are known.
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "capi/every_call.h"

namespace skerry::testing {
namespace {

constexpr int kThreads = 4;
constexpr std::uint64_t kRounds = 60;

TEST(CThreads, EveryHandleFromEveryThread) {
  World world(Of::collection);
  std::atomic<int> failures{0};
  const auto must = [&](skerry_code code) { failures += code == SKERRY_OK ? 0 : 1; };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::array<float, kDimension> components = {};
      const skerry_vector vector = {components.data(), kDimension, SKERRY_F32};
      std::array<skerry_hit, 5> hits;
      std::array<skerry_named_hit, 5> named_hits;
      std::array<skerry_union_hit, 5> union_hits;
      skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
      skerry_search_options how = SKERRY_SEARCH_OPTIONS_INIT;
      skerry_filter filter = SKERRY_FILTER_INIT;
      const std::array<skerry_name, 2> list = {skerry_name{"0", 1}, skerry_name{"1", 1}};
      filter.kind = SKERRY_FILTER_EXCEPT_NAMES;
      filter.names = list.data();
      filter.count = list.size();
      how.filter = &filter;
      const std::array<const skerry_collection*, 2> both = {world.collection, world.collection};
      for (std::uint64_t i = 0; i < kRounds; ++i) {
        const std::uint64_t key = 100 + i * kThreads + static_cast<std::uint64_t>(t);
        const std::string text = "key " + std::to_string(key);
        const skerry_name name = {text.data(), text.size()};
        components[0] = static_cast<float>(key);
        must(skerry_collection_upsert(world.collection, key, &vector, nullptr, nullptr));
        must(skerry_collection_upsert_named(world.names, &name, &vector, nullptr, nullptr));
        must(skerry_collection_search(world.collection, &vector, 5, hits.data(), nullptr, &found,
                                      nullptr));
        failures += hits[0].key == key ? 0 : 1;  // read after write
        must(skerry_collection_search_named(world.names, &vector, 5, named_hits.data(), &how,
                                            &found, nullptr));
        must(skerry_database_search_union(world.database, both.data(), 2, &vector, 5,
                                          union_hits.data(), nullptr, &found, nullptr));
        skerry_snapshot* snapshot = nullptr;
        must(skerry_collection_snapshot(world.collection, &snapshot, nullptr));
        skerry_bool is_there = 0;
        must(skerry_snapshot_contains(snapshot, key, &is_there, nullptr));
        failures += is_there == 1 ? 0 : 1;
        skerry_snapshot_free(snapshot);
        if (i % 2 == 0) {
          std::uint64_t removed = 0;
          must(skerry_collection_remove(world.collection, key, &removed, nullptr));
          failures += removed == 1 ? 0 : 1;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  std::uint64_t size = 0;
  ASSERT_EQ(skerry_collection_size(world.collection, &size, nullptr), SKERRY_OK);
  EXPECT_EQ(size, kRows + kThreads * kRounds / 2);
  skerry_verify_report report = SKERRY_VERIFY_REPORT_INIT;
  EXPECT_EQ(skerry_collection_verify(world.names, nullptr, &report, nullptr), SKERRY_OK);
  EXPECT_EQ(report.live, kRows + kThreads * kRounds);
}

}  // namespace
}  // namespace skerry::testing

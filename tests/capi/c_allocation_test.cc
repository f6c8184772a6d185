// c_allocation_test.cc - does a warm search through c.h ask for memory?
//
// Contract: "search, filtered search and get allocate nothing after warm-up". C lends names and
// lists of handles in a shape of its own; the room that they are copied to is kept.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "capi/every_call.h"
#include "support/allocations.h"

namespace skerry::testing {
namespace {

constexpr int kCalls = 2000;

// Calls body() until it is warm, and then under the tally.
template <class Body>
void expect_nothing(Body body) {
  for (int i = 0; i < 100; ++i) ASSERT_EQ(body(), SKERRY_OK);
  const Tally tally;
  int failures = 0;
  for (int i = 0; i < kCalls; ++i) failures += body() == SKERRY_OK ? 0 : 1;
  EXPECT_EQ(tally.calls(), 0U) << tally.bytes() << " bytes";
  EXPECT_EQ(failures, 0);
}

skerry_bool is_odd(void*, std::uint64_t key) {
  return key % 2;
}
skerry_bool is_short(void*, const char*, std::size_t size) {
  return size < 3;
}
skerry_bool go(void*, std::uint64_t, std::uint64_t) {
  return 1;
}

TEST(CAllocation, EveryReadAllocatesNothing) {
  for (const Call& call : kEveryCall) {
    const std::string_view name = call.name;
    const bool is_read = name.find("_search") != std::string_view::npos ||
                         name.find("_get") != std::string_view::npos ||
                         name.find("_contains") != std::string_view::npos;
    const bool reads_the_store = name.find("payload") != std::string_view::npos ||
                                 name.find("snapshot") != std::string_view::npos ||
                                 name.find("_stats") != std::string_view::npos;
    if (!is_read || reads_the_store) continue;
    SCOPED_TRACE(call.name);
    World world(call.of);
    expect_nothing([&] { return call.make(world, nullptr); });
  }
}

TEST(CAllocation, FilteredSearchesAllocateNothing) {
  World world(Of::names);
  std::vector<std::string> words;
  for (int i = 0; i < 100; ++i) words.push_back(std::to_string(i));
  std::vector<skerry_name> names;
  for (const std::string& word : words) names.push_back({word.data(), word.size()});
  const std::array<std::uint64_t, 2> keys = {1, 2};

  skerry_control control = SKERRY_CONTROL_INIT;
  control.progress = &go;
  control.deadline_ns = INT64_MAX - 1;
  skerry_filter filter = SKERRY_FILTER_INIT;
  skerry_search_options options = SKERRY_SEARCH_OPTIONS_INIT;
  options.filter = &filter;
  options.control = &control;
  const auto by_number = [&] {
    return skerry_collection_search(world.collection, &world.vector, 3, world.hits.data(), &options,
                                    &world.result, nullptr);
  };
  const auto by_name = [&] {
    return skerry_collection_search_named(world.names, &world.vector, 3, world.named_hits.data(),
                                          &options, &world.result, nullptr);
  };

  filter.kind = SKERRY_FILTER_WHERE;
  filter.where = &is_odd;
  expect_nothing(by_number);
  EXPECT_EQ(world.result.count, 1U);
  filter.where = nullptr;
  filter.keys = keys.data();
  filter.count = keys.size();
  for (const auto kind : {SKERRY_FILTER_ONLY, SKERRY_FILTER_EXCEPT}) {
    filter.kind = kind;
    expect_nothing(by_number);
    EXPECT_EQ(world.result.count, kind == SKERRY_FILTER_ONLY ? 2U : 1U);
  }
  filter.keys = nullptr;
  filter.names = names.data();
  filter.count = names.size();
  for (const auto kind : {SKERRY_FILTER_ONLY_NAMES, SKERRY_FILTER_EXCEPT_NAMES}) {
    filter.kind = kind;
    expect_nothing(by_name);
    EXPECT_EQ(world.result.count, kind == SKERRY_FILTER_ONLY_NAMES ? 3U : 0U);
  }
  filter.names = nullptr;
  filter.count = 0;
  filter.kind = SKERRY_FILTER_WHERE_NAME;
  filter.where_name = &is_short;
  expect_nothing(by_name);
  EXPECT_EQ(world.result.count, 3U);
}

}  // namespace
}  // namespace skerry::testing

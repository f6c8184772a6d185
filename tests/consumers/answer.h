// answer.h - does the Skerry that was linked answer rightly?
//
// Creates an index, replaces and removes a key, searches, and compares with what is known; makes a
// durable collection in a folder of its own and finds it again after a second open. Whoever
// includes this has included Skerry's headers, in its own way.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include <unistd.h>

namespace consumer {

using Point = std::array<float, 3>;

inline bool index_answers() {
  auto index = skerry::Index::create({.dimension = 3});
  if (!index) return false;
  if (!index->upsert(1, Point{0, 0, 0}).ok()) return false;
  if (!index->upsert(2, Point{1, 0, 0}).ok()) return false;
  if (!index->upsert(3, Point{5, 5, 5}).ok()) return false;
  if (!index->upsert(1, Point{4, 5, 5}).ok()) return false;
  if (index->remove(2).value_or(0) != 1) return false;

  std::array<skerry::Hit, 10> hits;
  const auto found = index->search(Point{5, 5, 5}, hits);
  return found && found->count == 2 && hits[0] == skerry::Hit{3, 0} && hits[1] == skerry::Hit{1, 1};
}

inline bool collection_answers(const std::filesystem::path& folder) {
  for (const bool first : {true, false}) {
    auto database = skerry::Database::open(folder);
    if (!database) return false;
    auto points = database->open_or_create("points", {.index = {.dimension = 3}});
    if (!points) return false;
    if (first && !points->upsert(7, Point{1, 2, 3}).ok()) return false;
    std::array<skerry::Hit, 1> hits;
    const auto found = points->search(Point{1, 2, 4}, hits);
    if (!found || found->count != 1 || hits[0] != skerry::Hit{7, 1}) return false;
    if (!database->close().ok()) return false;
  }
  return true;
}

inline bool finds_the_nearest() {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("skerry-consumer-" + std::to_string(static_cast<long>(getpid())));
  const bool right = index_answers() && collection_answers(folder);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return right;
}

}  // namespace consumer

// Images: what was saved comes back, and what was damaged is told.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/test_folder.h"
#include "index/image_format.h"
#include "skerry/index.h"

namespace skerry {
namespace {

std::vector<float> random_vector(std::mt19937_64& random, std::size_t dimension) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(dimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

Index build(Codes codes, std::uint32_t flat_below, std::size_t count, std::mt19937_64& random) {
  auto index = Index::create({.dimension = 12,
                              .metric = Metric::cosine,
                              .codes = codes,
                              .M = 6,
                              .ef_construction = 40,
                              .flat_below = flat_below});
  EXPECT_TRUE(index.ok());
  for (Key key = 0; key < count; ++key) {
    EXPECT_TRUE(index->upsert(key * 3, random_vector(random, 12)).ok());
  }
  for (Key key = 0; key < count; key += 5) EXPECT_EQ(*index->remove(key * 3), 1U);
  return std::move(*index);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::vector<Hit> answers(const Index& index, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<Hit> all;
  for (int q = 0; q < 20; ++q) {
    Hit hits[10];
    const auto result = index.search(random_vector(random, 12), hits);
    EXPECT_TRUE(result.ok()) << result.status().message();
    all.insert(all.end(), hits, hits + result->count);
  }
  return all;
}

TEST(Image, LoadedAndViewedAnswerLikeTheOriginal) {
  std::mt19937_64 random(3);
  for (const Codes codes : {Codes::exact, Codes::sq8}) {
    for (const std::uint32_t flat_below : {0U, 300U, 5000U}) {
      const TestFolder folder;
      const auto path = folder.path() / "image";
      const Index original = build(codes, flat_below, 1000, random);
      ASSERT_TRUE(original.save(path).ok());
      auto loaded = Index::load(path);
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      auto viewed = Index::view(path);
      ASSERT_TRUE(viewed.ok()) << viewed.status().message();
      EXPECT_EQ(answers(original, 5), answers(*loaded, 5));
      EXPECT_EQ(answers(original, 5), answers(*viewed, 5));
      EXPECT_TRUE(loaded->check().ok()) << loaded->check().status().message();
      EXPECT_EQ(viewed->upsert(1, random_vector(random, 12)).code(), Code::read_only);
      EXPECT_EQ(viewed->remove(3).status().code(), Code::read_only);
      for (Key key = 0; key < 500; ++key) {
        ASSERT_TRUE(loaded->upsert(key, random_vector(random, 12)).ok());
      }
      const auto report = loaded->check();
      ASSERT_TRUE(report.ok()) << report.status().message();
      EXPECT_EQ(answers(original, 5), answers(*viewed, 5)) << "a view keeps to its file";
    }
  }
}

TEST(Image, OfNothingIsLoadedAsNothing) {
  const TestFolder folder;
  const auto path = folder.path() / "image";
  ASSERT_TRUE(Index::create({.dimension = 3})->save(path).ok());
  auto loaded = Index::load(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_EQ(loaded->size(), 0U);
  ASSERT_TRUE(loaded->insert(1, std::vector<float>{1, 2, 3}).ok());
  auto viewed = Index::view(path);
  ASSERT_TRUE(viewed.ok());
  EXPECT_EQ(viewed->size(), 0U);
}

TEST(Image, MissingEmptyForeignNewerAndDamagedAreDifferentAnswers) {
  std::mt19937_64 random(4);
  const TestFolder folder;
  const auto path = folder.path() / "image";
  EXPECT_EQ(Index::load(path).status().code(), Code::not_found);
  write_file(path, "");
  EXPECT_EQ(Index::load(path).status().code(), Code::corruption);
  write_file(path, "SQLite format 3, or anything else that is long enough to be looked at");
  EXPECT_EQ(Index::load(path).status().code(), Code::incompatible);

  ASSERT_TRUE(build(Codes::sq8, 0, 200, random).save(path).ok());
  const std::string good = read_file(path);
  std::string newer = good;
  newer[offsetof(image::Header, version)] = 2;
  write_file(path, newer);
  const Status status = Index::load(path).status();
  EXPECT_EQ(status.code(), Code::incompatible);
  EXPECT_NE(status.message().find("newer"), std::string::npos);
}

TEST(Image, EveryTruncationAndFlippedByteIsToldOrHarmless) {
  std::mt19937_64 random(5);
  const TestFolder folder;
  const auto path = folder.path() / "image";
  const Index original = build(Codes::sq8, 0, 150, random);
  ASSERT_TRUE(original.save(path).ok());
  const std::string good = read_file(path);
  for (std::size_t length = 0; length < good.size(); length += 509) {
    write_file(path, good.substr(0, length));
    EXPECT_FALSE(Index::load(path).ok()) << "cut at " << length;
    EXPECT_FALSE(Index::view(path).ok()) << "cut at " << length;
  }
  for (std::size_t at = 0; at < good.size(); at += 127) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    write_file(path, bad);
    auto loaded = Index::load(path);
    // Padding between sections belongs to nobody: a flip there changes nothing.
    if (!loaded.ok()) continue;
    EXPECT_EQ(answers(original, 6), answers(*loaded, 6)) << "flipped at " << at;
  }
}

// A file whose checksums are right and whose links are not, as somebody might write on purpose.
TEST(Image, LinksAreNotTrustedBecauseTheirChecksumIsRight) {
  std::mt19937_64 random(6);
  const TestFolder folder;
  const auto path = folder.path() / "image";
  ASSERT_TRUE(build(Codes::exact, 0, 150, random).save(path).ok());
  const std::string good = read_file(path);
  image::Header header;
  std::memcpy(&header, good.data(), sizeof(header));
  for (const std::uint32_t section :
       {image::kStates, image::kFlags, image::kLayer0, image::kUpper}) {
    for (int round = 0; round < 200; ++round) {
      std::string bad = good;
      image::SectionEntry& entry = header.section[section];
      const std::size_t at = entry.offset + random() % entry.bytes;
      bad[at] = static_cast<char>(random());
      image::Header forged = header;
      forged.section[section].crc = crc32c(std::as_bytes(
          std::span(bad.data() + entry.offset, static_cast<std::size_t>(entry.bytes))));
      forged.crc = 0;
      std::string page(image::kPage, '\0');
      std::memcpy(page.data(), &forged, sizeof(forged));
      forged.crc = crc32c(std::as_bytes(std::span(page.data(), page.size())));
      std::memcpy(bad.data(), &forged, sizeof(forged));
      write_file(path, bad);
      auto loaded = Index::load(path);
      if (loaded.ok()) answers(*loaded, 7);  // must not crash, whatever it answers
    }
  }
}

}  // namespace
}  // namespace skerry

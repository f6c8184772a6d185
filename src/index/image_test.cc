// Images: what was saved comes back, and what was damaged is told.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "index/engine.h"
#include "index/test_image.h"
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

image::Header header_of(const std::string& file) {
  image::Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  return header;
}

std::vector<Hit> answers(const Index& index, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<Hit> all;
  for (int q = 0; q < 20; ++q) {
    Hit hits[10];
    // What it knows of its own recall is a part of it too.
    SearchOptions options;
    if (q % 2 == 0) options.recall_target = 0.9F;
    const auto result = index.search(random_vector(random, 12), hits, options);
    EXPECT_TRUE(result.ok()) << result.status().message();
    all.insert(all.end(), hits, hits + result->count);
  }
  return all;
}

TEST(Image, LoadedAndViewedAnswerLikeTheOriginal) {
  std::mt19937_64 random(3);
  for (const Codes codes : {Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic}) {
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

// A file whose checksums are right and whose contents are not, as somebody might write on purpose:
// searches and writes answer whatever they like, and break nothing.
TEST(Image, NothingIsTrustedBecauseItsChecksumIsRight) {
  std::mt19937_64 random(6);
  const TestFolder folder;
  const auto path = folder.path() / "image";
  ASSERT_TRUE(build(Codes::exact, 0, 150, random).save(path).ok());
  const std::string good = read_file(path);
  const image::Header header = header_of(good);
  for (const std::uint32_t section : {image::kStates, image::kFlags, image::kLayer0, image::kUpper,
                                      image::kDirectory, image::kSections}) {
    for (int round = 0; round < 60; ++round) {
      std::string bad = good;
      // Beyond the sections: the header itself.
      const image::SectionEntry entry = section == image::kSections
                                            ? image::SectionEntry{8, sizeof(image::Header) - 8}
                                            : header.section[section];
      bad[entry.offset + random() % entry.bytes] = static_cast<char>(random());
      image::mend_checksums(std::as_writable_bytes(std::span(bad)));
      write_file(path, bad);
      auto loaded = Index::load(path);
      if (!loaded.ok()) continue;
      if (loaded->options().dimension != 12) continue;
      answers(*loaded, 7);
      for (Key key = 0; key < 60; ++key) {
        ASSERT_TRUE(loaded->upsert(key, random_vector(random, 12)).ok());
        ASSERT_TRUE(loaded->remove(key * 7).ok());
      }
      answers(*loaded, 7);
    }
  }
}

TEST(Image, OfTheFormerLayoutIsIncompatible) {
  std::mt19937_64 random(8);
  const TestFolder folder;
  const auto path = folder.path() / "image";
  ASSERT_TRUE(build(Codes::exact, 0, 50, random).save(path).ok());
  std::string former = read_file(path);
  const std::uint32_t sections = 6;
  std::memcpy(&former[offsetof(image::Header, sections)], &sections, sizeof(sections));
  image::mend_checksums(std::as_writable_bytes(std::span(former)));
  write_file(path, former);
  EXPECT_EQ(Index::load(path).status().code(), Code::incompatible);
}

// -- written beside writers -----------------------------------------------------------------------

// What the image of an engine must look like: one that nobody disturbed.
std::string undisturbed(Engine& engine, const std::filesystem::path& path) {
  EXPECT_TRUE(engine.save(path, ImageTag()).ok());
  return read_file(path);
}

class ImageOfCodes : public ::testing::TestWithParam<Codes> {};

INSTANTIATE_TEST_SUITE_P(Codes, ImageOfCodes,
                         ::testing::Values(Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(ImageOfCodes, ShowsOneMomentWhateverIsWrittenMeanwhile) {
  const std::uint64_t seed = 11;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const std::uint32_t flat_below : {0U, 700U}) {
    const TestFolder folder;
    auto made = Engine::create({.dimension = 12,
                                .metric = Metric::cosine,
                                .codes = GetParam(),
                                .M = 4,
                                .ef_construction = 30,
                                .flat_below = flat_below});
    ASSERT_TRUE(made.ok());
    Engine& engine = **made;
    const auto change = [&](std::uint32_t threads) {
      const std::size_t count = 1 + random() % 40;
      std::vector<Key> keys(count);
      std::vector<float> rows;
      for (Key& key : keys) {
        key = random() % 1500;
        const auto row = random_vector(random, 12);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      if (random() % 3 == 0) {
        ASSERT_TRUE(engine.remove({keys, {}, true}).ok());
      } else {
        ASSERT_TRUE(engine.upsert({keys, MatrixView(rows, 12), false}, {.threads = threads}).ok());
      }
    };
    for (int i = 0; i < 60; ++i) change(1);
    for (int round = 0; round < 6; ++round) {
      const std::string expected = undisturbed(engine, folder.path() / "still");
      const std::uint64_t sequence = engine.sequence();
      int changes = 0;
      const auto saved = engine.save(
          folder.path() / "image", ImageTag(),
          [&] {
            // Some in a burst, so that most blocks are kept by the writers; the storage moves to
            // a larger one on the way.
            for (int i = 0; i < (changes == 0 ? 20 : 2); ++i) change(round % 2 == 0 ? 1 : 0);
            ++changes;
            return true;
          },
          [] { return Status(); });
      ASSERT_TRUE(saved.ok()) << saved.status().message();
      EXPECT_EQ(*saved, sequence);
      EXPECT_GT(changes, 5);
      EXPECT_TRUE(read_file(folder.path() / "image") == expected) << "round " << round;
      EXPECT_TRUE(engine.check_invariants().ok());
      auto loaded = Index::load(folder.path() / "image");
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      const auto report = loaded->check();
      EXPECT_TRUE(report.ok()) << report.status().message();
    }
  }
}

TEST(Image, ThatIsNotWantedOrFailsLeavesTheOldOne) {
  std::mt19937_64 random(12);
  const TestFolder folder;
  const auto path = folder.path() / "image";
  auto engine = Engine::create({.dimension = 12, .flat_below = 0});
  ASSERT_TRUE(engine.ok());
  const auto write = [&](Key key) {
    ASSERT_TRUE((*engine)
                    ->upsert({std::span<const Key>(&key, 1),
                              MatrixView(random_vector(random, 12), 12), false},
                             {})
                    .ok());
  };
  for (Key key = 0; key < 100; ++key) write(key);
  const std::string before = undisturbed(**engine, path);
  const auto ready = [] { return Status(); };
  for (int stop_at = 0; stop_at < 8; ++stop_at) {
    int steps = 0;
    write(200);
    const auto saved = (*engine)->save(
        path, ImageTag(), [&] { return steps++ < stop_at; }, ready);
    EXPECT_EQ(saved.status().code(), Code::closed);
    EXPECT_TRUE(read_file(path) == before);
    EXPECT_FALSE(std::filesystem::exists(path.string() + ".new"));
  }
  const auto saved = (*engine)->save(
      path, ImageTag(), [] { return true; }, [] { return Status(Code::io_error, "no"); });
  EXPECT_EQ(saved.status().code(), Code::io_error);
  EXPECT_TRUE(read_file(path) == before);
  // Freed slots are used again afterwards.
  ASSERT_TRUE((*engine)->check_invariants().ok());
  const std::uint64_t tombstones = (*engine)->stats().tombstones + (*engine)->stats().free_slots;
  for (int i = 0; i < 50; ++i) write(200);
  EXPECT_LE((*engine)->stats().tombstones + (*engine)->stats().free_slots, tombstones + 2);
}

// -- rows that are looked at when they are touched -----------------------------------------------

constexpr std::size_t kWide = 2000;
constexpr std::size_t kWideRows = 180;

std::vector<float> wide_row(Key key) {
  std::mt19937_64 random(1000 + key);
  return random_vector(random, kWide);
}

// More than a megabyte of rows.
std::unique_ptr<Engine> build_wide(Codes codes, const std::filesystem::path& path,
                                   Vectors vectors = Vectors::memory) {
  auto engine = Engine::create({.dimension = kWide,
                                .metric = Metric::cosine,
                                .codes = codes,
                                .vectors = vectors,
                                .M = 6,
                                .ef_construction = 30,
                                .flat_below = 0},
                               {}, path.parent_path());
  EXPECT_TRUE(engine.ok());
  std::vector<Key> keys;
  std::vector<float> rows;
  for (Key key = 0; key < kWideRows; ++key) {
    keys.push_back(key);
    const auto row = wide_row(key);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  EXPECT_TRUE((*engine)->upsert({keys, MatrixView(rows, kWide), false}, {.threads = 0}).ok());
  for (Key key = 0; key < kWideRows; key += 9) {
    EXPECT_TRUE((*engine)->remove({std::span<const Key>(&key, 1), {}, true}).ok());
  }
  EXPECT_TRUE((*engine)->save(path, ImageTag()).ok());
  return std::move(*engine);
}

// Gives any row as it was made, and counts.
struct Source {
  std::atomic<int> asked{0};
  RowSource rows() {
    return RowSource{[](void* context, Key key, std::uint64_t, std::span<std::byte> out) {
                       static_cast<Source*>(context)->asked.fetch_add(1);
                       const auto row = wide_row(key);
                       std::memcpy(out.data(), row.data(), out.size());
                       return RowSource::Answer::given;
                     },
                     this};
  }
};

template <class AnyIndex>
std::vector<Hit> wide_answers(const AnyIndex& index, bool exact) {
  std::vector<Hit> all;
  for (Key q = 0; q < 30; ++q) {
    Hit hits[10];
    const auto result = index.search(wide_row(5000 + q), hits, {.exact = exact});
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (result.ok()) all.insert(all.end(), hits, hits + result->count);
  }
  return all;
}

struct Rows {
  Codes codes;
  Vectors vectors;
};
constexpr Rows kRows[] = {{Codes::exact, Vectors::memory},
                          {Codes::sq8, Vectors::memory},
                          {Codes::rot4, Vectors::memory},
                          {Codes::sq8, Vectors::disk},
                          {Codes::rot4, Vectors::disk}};

TEST(Image, RowsThatAreDamagedAreMendedWhenTheyAreTouched) {
  for (const auto [codes, vectors] : kRows) {
    const TestFolder folder;
    const auto path = folder.path() / "image";
    const auto original = build_wide(codes, path, vectors);
    std::string bad = read_file(path);
    const image::Header header = header_of(bad);
    std::uint64_t spoilt = 0;
    for (const std::uint32_t section : {image::kVectors, image::kCodes}) {
      for (std::uint64_t at = 100; at < header.section[section].bytes; at += 3 * image::kPage) {
        bad[header.section[section].offset + at] ^= 0x10;
        ++spoilt;
      }
    }
    write_file(path, bad);
    for (const bool walks_first : {true, false}) {
      Source source;
      const ImageOwner owner{original->options(), ImageTag(), KeyOrder(), source.rows()};
      auto loaded = Engine::load(path, ImageMode::map, {}, &owner, folder.path());
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      EXPECT_TRUE((*loaded)->has_unverified_rows());
      EXPECT_EQ((*loaded)->mended(), 0U);
      if (walks_first) {
        EXPECT_EQ(wide_answers(**loaded, false), wide_answers(*original, false));
        EXPECT_EQ(wide_answers(**loaded, true), wide_answers(*original, true));
        EXPECT_GT((*loaded)->mended(), 0U);
      }
      ASSERT_TRUE((*loaded)->verify_rows([] { return true; }).ok());
      EXPECT_FALSE((*loaded)->has_unverified_rows());
      EXPECT_EQ((*loaded)->mended(), spoilt);
      EXPECT_GT(source.asked.load(), 0);
      std::vector<float> got(kWide);
      for (Key key = 0; key < kWideRows; ++key) {
        const Status status = (*loaded)->get(key, got);
        EXPECT_EQ(status.ok(), key % 9 != 0);
        if (status.ok()) {
          EXPECT_EQ(got, wide_row(key));
        }
      }
      EXPECT_EQ(wide_answers(**loaded, false), wide_answers(*original, false));
      // What is saved now is whole.
      ASSERT_TRUE((*loaded)->save(folder.path() / "again", ImageTag()).ok());
      EXPECT_TRUE(Index::load(folder.path() / "again", {}, folder.path()).ok());
    }
  }
}

TEST(Image, WritesIntoDamagedRowsAreRight) {
  for (const Vectors vectors : {Vectors::memory, Vectors::disk}) {
    const TestFolder folder;
    const auto path = folder.path() / "image";
    const auto original = build_wide(Codes::sq8, path, vectors);
    std::string bad = read_file(path);
    const image::Header header = header_of(bad);
    for (const std::uint32_t section : {image::kVectors, image::kCodes}) {
      for (std::uint64_t at = 7; at < header.section[section].bytes; at += image::kPage) {
        bad[header.section[section].offset + at] ^= 1;
      }
    }
    write_file(path, bad);
    Source source;
    const ImageOwner owner{original->options(), ImageTag(), KeyOrder(), source.rows()};
    auto loaded = Engine::load(path, ImageMode::map, {}, &owner, folder.path());
    ASSERT_TRUE(loaded.ok());
    // Into slots that were freed before, beside rows that are damaged.
    for (Key key = 0; key < kWideRows; key += 9) {
      const auto row = wide_row(key);
      ASSERT_TRUE((*loaded)
                      ->upsert({std::span<const Key>(&key, 1), MatrixView(row, kWide), false}, {})
                      .ok());
    }
    std::vector<float> got(kWide);
    for (Key key = 0; key < kWideRows; ++key) {
      ASSERT_TRUE((*loaded)->get(key, got).ok());
      EXPECT_EQ(got, wide_row(key));
      Hit hit[1];
      ASSERT_TRUE((*loaded)->search(wide_row(key), hit, {.exact = true}).ok());
      EXPECT_EQ(hit[0].key, key);
    }
    EXPECT_TRUE((*loaded)->check_invariants().ok());
    const IndexStats stats = (*loaded)->stats();
    EXPECT_EQ(stats.vector_disk_bytes, vectors == Vectors::disk ? stats.vector_bytes : 0);
  }
}

TEST(Image, AViewOfDamagedRowsSaysSo) {
  for (const Codes codes : {Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic}) {
    const TestFolder folder;
    const auto path = folder.path() / "image";
    const auto original = build_wide(codes, path);
    const auto good = wide_answers(*original, true);
    std::string bad = read_file(path);
    const image::Header header = header_of(bad);
    const std::uint32_t section = codes == Codes::exact ? image::kVectors : image::kCodes;
    bad[header.section[section].offset + header.section[section].bytes * 4 / 7] ^= 4;  // a live row
    write_file(path, bad);
    EXPECT_EQ(Index::load(path).status().code(), Code::corruption);
    const auto viewed = Index::view(path);
    ASSERT_TRUE(viewed.ok()) << viewed.status().message();
    Hit hits[10];
    int refused = 0;
    for (Key q = 0; q < 200; ++q) {
      const auto walked = viewed->search(wide_row(5000 + q), hits, {.ef = 100});
      if (!walked.ok()) {
        EXPECT_EQ(walked.status().code(), Code::corruption);
        ++refused;
      }
    }
    EXPECT_GT(refused, 0);
    EXPECT_EQ(viewed->check().status().code(), Code::corruption);
    if (codes != Codes::exact) {
      EXPECT_EQ(wide_answers(*viewed, true), good);  // the exact rows are whole
    } else {
      EXPECT_EQ(viewed->search(wide_row(1), hits, {.exact = true}).status().code(),
                Code::corruption);
    }
  }
}

}  // namespace
}  // namespace skerry

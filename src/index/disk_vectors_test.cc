// Vectors on a disk: the same answers, and no memory for the vectors.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "index/engine.h"
#include "skerry/index.h"

namespace skerry {
namespace {

// Wide, so that room for the second stage of a storage, 1,024 slots, is more than an index has in
// memory.
constexpr std::uint32_t kDimension = 1100;

IndexOptions options_of(Vectors vectors, Codes codes = Codes::rot4) {
  return {.dimension = kDimension,
          .metric = Metric::cosine,
          .codes = codes,
          .vectors = vectors,
          .M = 6,
          .ef_construction = 40,
          .flat_below = 0};
}

std::vector<float> vector_of(Key key, std::uint64_t version) {
  std::mt19937_64 random(key * 1000 + version);
  std::normal_distribution<float> normal;
  std::vector<float> vector(kDimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

Status put(Engine& engine, Key key, std::uint64_t version) {
  const std::vector<float> row = vector_of(key, version);
  return engine.upsert({std::span(&key, 1), MatrixView(row, kDimension), false}, {});
}

template <class AnyIndex>
std::vector<Hit> answers(const AnyIndex& index) {
  std::vector<Hit> all;
  for (std::uint64_t query = 0; query < 20; ++query) {
    for (const bool exact : {false, true}) {
      Hit hits[10];
      const auto result = index.search(vector_of(7, 100 + query), hits, {.exact = exact});
      EXPECT_TRUE(result.ok()) << result.status().message();
      if (result.ok()) all.insert(all.end(), hits, hits + result->count);
    }
  }
  return all;
}

void expect_rows(const Engine& engine, Key end, std::uint64_t version) {
  std::vector<float> got(kDimension);
  for (Key key = 0; key < end; ++key) {
    ASSERT_TRUE(engine.get(key, got).ok()) << key;
    ASSERT_EQ(got, vector_of(key, version)) << key;
  }
}

TEST(DiskVectors, AnswersAreThoseOfVectorsInMemory) {
  const TestFolder folder;
  for (const Codes codes : {Codes::sq8, Codes::rot4}) {
    auto on_disk = Index::create(options_of(Vectors::disk, codes), folder.path());
    auto in_memory = Index::create(options_of(Vectors::memory, codes));
    ASSERT_TRUE(on_disk.ok()) << on_disk.status().message();
    ASSERT_TRUE(in_memory.ok());
    for (Index* index : {&*on_disk, &*in_memory}) {
      for (Key key = 0; key < 300; ++key) {
        ASSERT_TRUE(index->upsert(key, vector_of(key, 0)).ok());
        if (key % 3 == 2) {
          ASSERT_TRUE(index->upsert(key - 1, vector_of(key, 1)).ok());
        }
        if (key % 7 == 6) {
          ASSERT_TRUE(index->remove(key - 3).ok());
        }
      }
    }
    EXPECT_EQ(answers(*on_disk), answers(*in_memory));
    EXPECT_TRUE(on_disk->check().ok());
    EXPECT_EQ(on_disk->stats().vector_disk_bytes, on_disk->stats().vector_bytes);
    EXPECT_GE(on_disk->stats().vector_bytes,
              on_disk->size() * vector_bytes(Scalar::f32, kDimension));
    EXPECT_EQ(in_memory->stats().vector_disk_bytes, 0U);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "the file has no name";

    // Saved, and made again in each way.
    const TestFolder saved;
    ASSERT_TRUE(on_disk->save(saved / "image").ok());
    EXPECT_EQ(Index::load(saved / "image").status().code(), Code::invalid_argument);
    const auto loaded = Index::load(saved / "image", {}, folder.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    EXPECT_EQ(loaded->options().vectors, Vectors::disk);
    EXPECT_EQ(loaded->stats().vector_disk_bytes, loaded->stats().vector_bytes);
    EXPECT_EQ(answers(*loaded), answers(*in_memory));
    const auto viewed = Index::view(saved / "image");
    ASSERT_TRUE(viewed.ok()) << viewed.status().message();
    EXPECT_EQ(viewed->stats().vector_disk_bytes, viewed->stats().vector_bytes);
    EXPECT_EQ(answers(*viewed), answers(*in_memory));
  }
}

TEST(DiskVectors, ASmallIndexHasThemInMemory) {
  const TestFolder folder;
  auto index = Index::create(options_of(Vectors::disk), folder.path());
  ASSERT_TRUE(index.ok());
  ASSERT_TRUE(index->upsert(1, vector_of(1, 0)).ok());
  EXPECT_EQ(index->stats().vector_disk_bytes, 0U);
  for (Key key = 0; key < 40; ++key) ASSERT_TRUE(index->upsert(key, vector_of(key, 0)).ok());
  EXPECT_EQ(index->stats().vector_disk_bytes, index->stats().vector_bytes);
}

TEST(DiskVectors, OptionsThatCannotBeHadAreRefused) {
  const TestFolder folder;
  const auto says = [](const Status& status, Code code, const std::string& word) {
    EXPECT_EQ(status.code(), code);
    EXPECT_NE(status.message().find(word), std::string::npos) << status.message();
  };
  const IndexOptions good = options_of(Vectors::disk);
  says(Index::create(good).status(), Code::invalid_argument, "folder");
  says(Index::create(good, folder / "absent").status(), Code::io_error, "No such file");
  IndexOptions bad = good;
  bad.codes = Codes::exact;
  says(Index::create(bad, folder.path()).status(), Code::invalid_argument, "given exact");
  bad = good;
  bad.scalar = Scalar::u8;
  says(Index::create(bad, folder.path()).status(), Code::invalid_argument, "f32, f16 or bf16");
  bad = good;
  bad.vectors = static_cast<Vectors>(2);
  says(Index::create(bad, folder.path()).status(), Code::invalid_argument, "vectors");
}

// An index that was opened from an image and is then written anew, every vector many times.
TEST(DiskVectors, AnOverwrittenImageBecomesNoMemory) {
  constexpr Key kKeys = 400;
  const TestFolder folder;
  const auto path = folder / "image";
  {
    auto made = Engine::create(options_of(Vectors::disk), {}, folder.path());
    ASSERT_TRUE(made.ok());
    for (Key key = 0; key < kKeys; ++key) ASSERT_TRUE(put(**made, key, 0).ok());
    ASSERT_TRUE((*made)->save(path, ImageTag()).ok());
  }
  auto loaded = Engine::load(path, ImageMode::map, {}, nullptr, folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  expect_rows(**loaded, kKeys, 0);
  for (std::uint64_t version = 1; version <= 4; ++version) {
    for (Key key = 0; key < kKeys; ++key) ASSERT_TRUE(put(**loaded, key, version).ok());
    const IndexStats stats = (*loaded)->stats();
    EXPECT_EQ(stats.vector_disk_bytes, stats.vector_bytes);
    expect_rows(**loaded, kKeys, version);
  }
  EXPECT_TRUE((*loaded)->check_invariants().ok());
  // The image is what it was.
  const auto again = Engine::load(path, ImageMode::copy, {}, nullptr, folder.path());
  ASSERT_TRUE(again.ok()) << again.status().message();
  expect_rows(**again, kKeys, 0);
}

// It outgrows its storage while its vectors are an image and a file.
TEST(DiskVectors, AMappedImageMovesToALargerStorage) {
  const TestFolder folder;
  const auto path = folder / "image";
  {
    auto made = Engine::create(options_of(Vectors::disk), {}, folder.path());
    ASSERT_TRUE(made.ok());
    for (Key key = 0; key < 1000; ++key) ASSERT_TRUE(put(**made, key, 0).ok());
    ASSERT_TRUE((*made)->save(path, ImageTag()).ok());
  }
  auto loaded = Engine::load(path, ImageMode::map, {}, nullptr, folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  for (Key key = 1000; key < 1100; ++key) ASSERT_TRUE(put(**loaded, key, 0).ok());
  expect_rows(**loaded, 1100, 0);
  EXPECT_EQ((*loaded)->stats().vector_disk_bytes, (*loaded)->stats().vector_bytes);
  EXPECT_TRUE((*loaded)->check_invariants().ok());
}

// Runs `work` in a process of its own in which files may be limited; it returns 0.
void expect_in_child(int (*work)(const std::filesystem::path&)) {
  const TestFolder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    _exit(work(folder.path()));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// A file-size limit stands for a full disk.
bool limit_files(rlim_t bytes) {
  const rlimit limit = {bytes, RLIM_INFINITY};
  return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

TEST(DiskVectors, AFullDiskIsStorageFullAndReadsAndLaterWritesGoOn) {
  expect_in_child([](const std::filesystem::path& folder) {
    auto made = Engine::create(options_of(Vectors::disk), {}, folder);
    if (!made.ok()) return 1;
    Engine& engine = **made;
    if (!limit_files(2 << 20)) return 2;
    Key key = 0;
    Status status;
    for (; key < 1000 && status.ok(); ++key) status = put(engine, key, 0);
    if (status.code() != Code::storage_full || key < 100) return 3;
    --key;  // the one that was refused
    if (engine.size() != key || engine.contains(key)) return 4;
    std::vector<float> got(kDimension);
    for (Key there = 0; there < key; ++there) {
      if (!engine.get(there, got).ok() || got != vector_of(there, 0)) return 5;
    }
    if (put(engine, key, 0).code() != Code::storage_full) return 6;
    if (!engine.remove({std::span(&key, 1), {}, true}).ok()) return 7;
    if (!limit_files(RLIM_INFINITY)) return 8;
    for (; key < 600; ++key) {
      if (!put(engine, key, 0).ok()) return 9;
    }
    return engine.check_invariants().ok() && engine.size() == 600 ? 0 : 10;
  });
}

// What an image has cannot be left when there is no room: it is written to in memory.
TEST(DiskVectors, AFullDiskLeavesOverwrittenRowsOfAnImageInMemory) {
  expect_in_child([](const std::filesystem::path& folder) {
    constexpr Key kKeys = 300;
    const auto path = folder / "image";
    {
      auto made = Engine::create(options_of(Vectors::disk), {}, folder);
      if (!made.ok()) return 1;
      for (Key key = 0; key < kKeys; ++key) {
        if (!put(**made, key, 0).ok()) return 2;
      }
      // Slots that are free when there is no room.
      for (Key key = 0; key < kKeys; key += 3) {
        if (!(*made)->remove({std::span(&key, 1), {}, true}).ok()) return 3;
      }
      if (!(*made)->save(path, ImageTag()).ok()) return 4;
    }
    auto loaded = Engine::load(path, ImageMode::map, {}, nullptr, folder);
    if (!loaded.ok()) return 5;
    if (!limit_files(1)) return 6;
    for (Key key = 0; key < kKeys / 2; key += 3) {
      if (!put(**loaded, key, 0).ok()) return 7;
    }
    const IndexStats full = (*loaded)->stats();
    if (full.vector_disk_bytes >= full.vector_bytes || full.vector_disk_bytes == 0) return 8;
    if (!limit_files(RLIM_INFINITY)) return 9;
    for (Key key = kKeys / 2 / 3 * 3; key < kKeys; key += 3) {
      if (!put(**loaded, key, 0).ok()) return 10;
    }
    std::vector<float> got(kDimension);
    for (Key key = 0; key < kKeys; ++key) {
      if (!(*loaded)->get(key, got).ok() || got != vector_of(key, 0)) return 11;
    }
    return (*loaded)->check_invariants().ok() ? 0 : 12;
  });
}

}  // namespace
}  // namespace skerry

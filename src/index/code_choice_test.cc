// What automatic codes become, of which data; when; and that it stays.
#include "index/code_choice.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/crc32c.h"
#include "base/test_folder.h"
#include "index/engine.h"
#include "index/image_file.h"
#include "skerry/index.h"

namespace skerry {
namespace {

constexpr std::uint64_t kSeed = 17;

std::vector<float> normal_rows(std::size_t rows, std::size_t dimension, float offset = 0) {
  std::mt19937_64 random(kSeed);
  std::normal_distribution<float> normal;
  std::vector<float> shift(dimension);
  for (float& component : shift) component = offset * normal(random);
  std::vector<float> all(rows * dimension);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = normal(random) + shift[i % dimension];
  return all;
}

// As embeddings are: of far fewer dimensions than components.
std::vector<float> embedded_rows(std::size_t rows, std::size_t dimension, float offset = 0) {
  constexpr std::size_t kLatent = 12;
  const std::vector<float> basis = normal_rows(kLatent, dimension);
  const std::vector<float> latent = normal_rows(rows, kLatent);
  std::vector<float> shift = normal_rows(1, dimension);
  for (float& component : shift) component *= offset;
  std::vector<float> all;
  all.reserve(rows * dimension);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < dimension; ++j) {
      float sum = shift[j];
      for (std::size_t i = 0; i < kLatent; ++i) {
        sum += latent[row * kLatent + i] * basis[i * dimension + j];
      }
      all.push_back(sum);
    }
  }
  return all;
}

IndexOptions options_of(std::uint32_t dimension) {
  IndexOptions options;
  options.dimension = dimension;
  options.codes = Codes::automatic;
  options.M = 6;
  options.ef_construction = 40;
  options.flat_below = 200;
  return options;
}

Codes choice(const IndexOptions& options, const MatrixView& rows) {
  std::vector<VectorView> sample;
  for (std::size_t i = 0; i < rows.rows(); ++i) sample.push_back(rows.row(i));
  const Result<Codes> codes = choose_codes(options, sample);
  EXPECT_TRUE(codes.ok()) << codes.status().message();
  return codes.ok() ? *codes : Codes::automatic;
}

TEST(CodeChoice, TheCheapestCodeThatHidesNobodyIsTaken) {
  SCOPED_TRACE(kSeed);
  const std::vector<float> wide = embedded_rows(1024, 384);
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine}) {
    IndexOptions options = options_of(384);
    options.metric = metric;
    EXPECT_EQ(choice(options, MatrixView(wide, 384)), Codes::rot4);
    EXPECT_EQ(choice(options, MatrixView(wide, 384)), Codes::rot4) << "the same again";
  }
  // Of noise all are nearly as far as each other: four bits do not tell, and eight do.
  const std::vector<float> noise = normal_rows(1024, 384);
  IndexOptions options = options_of(384);
  options.metric = Metric::cosine;
  EXPECT_EQ(choice(options, MatrixView(noise, 384)), Codes::sq8);
}

TEST(CodeChoice, ExactRowsAreTakenWhereNoCodeIsGoodOrCheaper) {
  SCOPED_TRACE(kSeed);
  // Neighbours differ by a millionth of what all have in common.
  const std::vector<float> far = normal_rows(1024, 384, 1e5F);
  EXPECT_EQ(choice(options_of(384), MatrixView(far, 384)), Codes::exact);
  const std::vector<float> tiny = normal_rows(1024, 2);
  EXPECT_EQ(choice(options_of(2), MatrixView(tiny, 2)), Codes::exact);

  IndexOptions bytes = options_of(384);
  bytes.scalar = Scalar::u8;
  const std::vector<std::uint8_t> rows(std::size_t{384} * 100, 7);
  EXPECT_EQ(choice(bytes, MatrixView(rows, 384)), Codes::exact);
  IndexOptions globe = options_of(2);
  globe.metric = Metric::haversine;
  EXPECT_EQ(choice(globe, MatrixView(tiny, 2)), Codes::exact);
}

TEST(CodeChoice, OfVectorsOnDiskItIsACodeWhateverTheData) {
  SCOPED_TRACE(kSeed);
  IndexOptions options = options_of(384);
  options.vectors = Vectors::disk;
  const std::vector<float> far = normal_rows(1024, 384, 1e5F);
  EXPECT_NE(choice(options, MatrixView(far, 384)), Codes::exact);
  options = options_of(2);
  options.vectors = Vectors::disk;
  const std::vector<float> tiny = normal_rows(1024, 2);
  EXPECT_NE(choice(options, MatrixView(tiny, 2)), Codes::exact);
  EXPECT_EQ(choice(options, MatrixView()), Codes::sq8) << "by the dimension";
}

TEST(CodeChoice, OfAFewVectorsTheDimensionDecides) {
  const std::vector<float> few = normal_rows(63, 384, 1e5F);
  EXPECT_EQ(choice(options_of(384), MatrixView(few, 384)), Codes::rot4);
  EXPECT_EQ(choice(options_of(100), MatrixView()), Codes::sq8);
  EXPECT_EQ(choice(options_of(300), MatrixView()), Codes::rot4);
  EXPECT_EQ(choice(options_of(2), MatrixView()), Codes::exact);
}

TEST(CodeChoice, EqualVectorsHideNobody) {
  const std::vector<float> same(std::size_t{384} * 200, 1.5F);
  EXPECT_EQ(choice(options_of(384), MatrixView(same, 384)), Codes::rot4);
}

// -- in an index ----------------------------------------------------------------------------------

constexpr std::uint32_t kWide = 256;

std::vector<Key> first_keys(Key count) {
  std::vector<Key> keys;
  for (Key key = 0; key < count; ++key) keys.push_back(key);
  return keys;
}

Index grown(const IndexOptions& options, const std::vector<float>& rows, bool one_by_one) {
  auto index = Index::create(options);
  EXPECT_TRUE(index.ok()) << index.status().message();
  const MatrixView all(rows, options.dimension);
  if (one_by_one) {
    for (Key key = 0; key < all.rows(); ++key) {
      EXPECT_TRUE(index->insert(key, all.row(key)).ok());
      const IndexStats stats = index->stats();
      if (key < options.flat_below) {
        EXPECT_EQ(stats.codes, Codes::exact);
        EXPECT_EQ(stats.code_bytes, 0U);
      }
    }
  } else {
    EXPECT_TRUE(index->insert(first_keys(all.rows()), all, {}).ok());
  }
  return std::move(*index);
}

std::vector<Hit> answers(const Index& index, const std::vector<float>& rows) {
  std::vector<Hit> all;
  for (std::size_t q = 0; q < 20; ++q) {
    Hit hits[10];
    const auto found =
        index.search(MatrixView(rows, index.options().dimension).row(q * 4), hits, {});
    EXPECT_TRUE(found.ok()) << found.status().message();
    if (found.ok()) all.insert(all.end(), hits, hits + found->count);
  }
  return all;
}

TEST(AutomaticCodes, AreChosenWhenTheIndexOutgrowsItsScan) {
  SCOPED_TRACE(kSeed);
  const std::vector<float> rows = embedded_rows(500, kWide);
  for (const bool one_by_one : {true, false}) {
    const Index index = grown(options_of(kWide), rows, one_by_one);
    EXPECT_EQ(index.options().codes, Codes::automatic);
    EXPECT_EQ(index.stats().codes, Codes::rot4);
    EXPECT_NE(index.stats().code_bytes, 0U);
    EXPECT_TRUE(index.check().ok());
    std::size_t found = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      Hit hit[1];
      ASSERT_TRUE(index.search(MatrixView(rows, kWide).row(i), hit, {}).ok());
      found += hit[0].key == i;
    }
    EXPECT_GE(found, 495U);
  }
}

TEST(AutomaticCodes, MadeRoomChoosesNothing) {
  SCOPED_TRACE(kSeed);
  auto index = Index::create(options_of(kWide));
  ASSERT_TRUE(index.ok());
  ASSERT_TRUE(index->reserve(100'000).ok());
  EXPECT_EQ(index->stats().code_bytes, 0U);
  const std::vector<float> rows = embedded_rows(300, kWide, 1e5F);
  ASSERT_TRUE(index->insert(first_keys(300), MatrixView(rows, kWide), {}).ok());
  EXPECT_EQ(index->stats().codes, Codes::exact) << "by the data, not by the dimension";
}

TEST(AutomaticCodes, StayWhenTheIndexIsEmptiedAndFilledAnew) {
  SCOPED_TRACE(kSeed);
  Index index = grown(options_of(kWide), embedded_rows(300, kWide), false);
  const std::vector<Key> keys = first_keys(300);
  ASSERT_TRUE(index.remove(keys).ok());
  const std::vector<float> far = embedded_rows(300, kWide, 1e5F);
  ASSERT_TRUE(index.insert(keys, MatrixView(far, kWide), {}).ok());
  EXPECT_EQ(index.stats().codes, Codes::rot4);
  EXPECT_TRUE(index.check().ok());
}

TEST(AutomaticCodes, AreInTheImage) {
  SCOPED_TRACE(kSeed);
  const TestFolder folder;
  for (const std::size_t count : {100, 500}) {
    for (const float offset : {0.0F, 1e5F}) {
      const std::vector<float> rows = embedded_rows(count, kWide, offset);
      const Index index = grown(options_of(kWide), rows, false);
      const auto path = folder / "image";
      ASSERT_TRUE(index.save(path).ok());
      auto loaded = Index::load(path);
      auto viewed = Index::view(path);
      auto mapped = Engine::load(path, ImageMode::map, {}, nullptr);
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      ASSERT_TRUE(viewed.ok()) << viewed.status().message();
      ASSERT_TRUE(mapped.ok()) << mapped.status().message();
      for (const IndexStats& stats : {loaded->stats(), viewed->stats(), (*mapped)->stats()}) {
        EXPECT_EQ(stats.codes, index.stats().codes);
      }
      EXPECT_EQ(loaded->options().codes, Codes::automatic);
      EXPECT_EQ(answers(*loaded, rows), answers(index, rows));
      EXPECT_EQ(answers(*viewed, rows), answers(index, rows));
      // Who had not chosen chooses now, and who had does not.
      const std::vector<float> more = embedded_rows(200, kWide, offset);
      std::vector<Key> keys;
      for (Key key = 1000; key < 1200; ++key) keys.push_back(key);
      const Changes changes{keys, MatrixView(more, kWide), false};
      ASSERT_TRUE((*mapped)->insert(changes, {}).ok());
      EXPECT_EQ((*mapped)->stats().codes, offset == 0 ? Codes::rot4 : Codes::exact);
      EXPECT_TRUE((*mapped)->check_invariants().ok());
    }
  }
}

TEST(AutomaticCodes, AChoiceThatCannotBeIsADamagedImage) {
  SCOPED_TRACE(kSeed);
  const TestFolder folder;
  const auto path = folder / "image";
  const auto with = [&](const std::string& good, std::uint8_t chosen) {
    image::Header header;
    std::memcpy(&header, good.data(), sizeof(header));
    header.chosen = chosen;
    header.crc = image::crc_of(header);
    std::string bad = good;
    std::memcpy(bad.data(), &header, sizeof(header));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    return Index::load(path).status().code();
  };
  const auto image_of = [&](const Index& index) {
    EXPECT_TRUE(index.save(path).ok());
    std::ifstream in(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  };
  const std::string chosen = image_of(grown(options_of(kWide), embedded_rows(300, kWide), false));
  EXPECT_EQ(with(chosen, 3), Code::ok);
  for (const std::uint8_t bad : {0, 1, 2, 4, 255}) {
    EXPECT_EQ(with(chosen, bad), Code::corruption) << unsigned{bad};
  }
  IndexOptions given = options_of(kWide);
  given.codes = Codes::rot4;
  const std::string told = image_of(grown(given, embedded_rows(300, kWide), false));
  EXPECT_EQ(with(told, 0), Code::ok);
  EXPECT_EQ(with(told, 3), Code::corruption);
}

TEST(AutomaticCodes, OfVectorsOnDiskAreOneOfTheTwo) {
  SCOPED_TRACE(kSeed);
  const TestFolder folder;
  IndexOptions options = options_of(1100);
  options.vectors = Vectors::disk;
  auto index = Index::create(options, folder.path());
  ASSERT_TRUE(index.ok()) << index.status().message();
  const std::vector<float> rows = embedded_rows(300, 1100, 1e5F);
  ASSERT_TRUE(index->insert(first_keys(300), MatrixView(rows, 1100), {}).ok());
  EXPECT_NE(index->stats().codes, Codes::exact);
  EXPECT_TRUE(index->check().ok());
  options.scalar = Scalar::u8;
  EXPECT_EQ(Index::create(options, folder.path()).status().code(), Code::invalid_argument);
}

TEST(AutomaticCodes, SearchesGoOnWhileTheyAreChosen) {
  SCOPED_TRACE(kSeed);
  const std::vector<float> rows = embedded_rows(400, kWide);
  const MatrixView all(rows, kWide);
  for (int round = 0; round < 5; ++round) {
    auto index = Index::create(options_of(kWide));
    ASSERT_TRUE(index.ok());
    ASSERT_TRUE(index->insert(0, all.row(0)).ok());
    std::atomic<bool> done{false};
    std::vector<std::thread> readers;
    for (int r = 0; r < 2; ++r) {
      readers.emplace_back([&] {
        while (!done.load(std::memory_order_relaxed)) {
          Hit hits[5];
          const auto found = index->search(all.row(0), hits, {});
          ASSERT_TRUE(found.ok()) << found.status().message();
          ASSERT_GE(found->count, 1U);
          ASSERT_EQ(hits[0].key, 0U);
        }
      });
    }
    for (Key key = 1; key < 400; ++key) EXPECT_TRUE(index->insert(key, all.row(key)).ok());
    done.store(true, std::memory_order_relaxed);
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(index->stats().codes, Codes::rot4);
  }
}

}  // namespace
}  // namespace skerry

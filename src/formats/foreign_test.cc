// foreign_test.cc - are index files of other libraries read as they were written, and damaged ones
// refused?
//
// The files are made here, byte for byte as their libraries lay them out; bench/peer_test.cc reads
// what the libraries themselves have written.
#include "formats/foreign.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/test_folder.h"

namespace skerry::formats {
namespace {

namespace fs = std::filesystem;

template <class... Values>
std::string bytes_of(Values... values) {
  std::string bytes;
  (bytes.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
  return bytes;
}

// A small index of hnswlib. What stands where can be changed before it is written.
struct HnswlibFile {
  std::uint64_t level0_offset = 0, elements_max = 10, elements = 4;
  std::uint64_t element_bytes = 0, label_offset = 0, vector_offset = 0;  // 0: as it should be
  std::int32_t level_max = 1;
  std::uint32_t entry = 2;
  std::uint64_t upper_links = 2, base_links = 4, M = 2;
  double level_factor = 1 / std::log(2.0);
  std::uint64_t ef_construction = 200;

  std::string components(std::uint64_t i) const {
    return bytes_of(static_cast<float>(i), 0.5F, -static_cast<float>(i));
  }
  static std::uint64_t label(std::uint64_t i) { return 1000 + 7 * i; }

  std::string header() const {
    const std::uint64_t links = 4 + 4 * 4;
    return bytes_of(
        level0_offset, elements_max, elements, element_bytes != 0 ? element_bytes : links + 12 + 8,
        label_offset != 0 ? label_offset : links + 12, vector_offset != 0 ? vector_offset : links,
        level_max, entry, upper_links, base_links, M, level_factor, ef_construction);
  }
  // Every element links to the other three; element 1 is removed; element 2 is on level 1.
  std::string whole() const {
    std::string file = header();
    for (std::uint32_t i = 0; i < 4; ++i) {
      file += bytes_of(std::uint16_t{3}, std::uint8_t(i == 1), std::uint8_t{0});
      for (std::uint32_t to = 0; to < 4; ++to) {
        if (to != i) file += bytes_of(to);
      }
      file += bytes_of(std::uint32_t{0}) + components(i) + bytes_of(label(i));
    }
    for (std::uint32_t i = 0; i < 4; ++i) {
      if (i != 2) {
        file += bytes_of(std::uint32_t{0});
      } else {
        file += bytes_of(std::uint32_t{12}, std::uint32_t{0}, std::uint64_t{0});
      }
    }
    return file;
  }
};

// A small index of usearch.
struct UsearchFile {
  bool is_wide = false;  // numbers of 64 bits before the vectors
  std::uint16_t major = 2, minor = 21, patch = 3;
  std::uint8_t metric = 'c', component = 11, key = 14, slot = 15;
  std::uint64_t present = 3, removed = 1, dimension = 3;
  std::uint64_t rows = 4, row_bytes = 12, elements = 4;
  std::uint64_t upper_links = 2, base_links = 4, level_max = 1, entry = 2;
  std::vector<std::string> vectors;
  std::string magic = "usearch";
  std::vector<std::int16_t> levels = {0, 0, 1, 0};
  std::vector<std::uint64_t> keys = {5, std::numeric_limits<std::uint64_t>::max(), 6, 1ULL << 40};
  std::uint32_t count = 3;

  UsearchFile() {
    for (int i = 0; i < 4; ++i) {
      const auto x = static_cast<float>(i);
      vectors.push_back(bytes_of(x, 0.5F, -x));
    }
  }

  std::string slot_of(std::uint64_t number) const {
    return bytes_of(number).substr(0, slot == 2 ? 5 : 4);
  }
  std::string list(std::uint32_t links, std::uint64_t places) const {
    std::string out = bytes_of(links);
    for (std::uint64_t i = 0; i < places; ++i) out += slot_of(i < links ? i : 0);
    return out;
  }
  std::string whole() const {
    std::string file =
        is_wide ? bytes_of(rows, row_bytes)
                : bytes_of(static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(row_bytes));
    for (std::size_t i = 0; i < rows; ++i) file += vectors[i];
    std::string head = magic + bytes_of(major, minor, patch, metric, component, key, slot, present,
                                        removed, dimension, false);
    head.resize(64, '\0');
    file += head + bytes_of(elements, upper_links, base_links, level_max, entry);
    for (std::size_t i = 0; i < rows; ++i) file += bytes_of(levels[i]);
    for (std::size_t i = 0; i < rows; ++i) {
      file += bytes_of(keys[i], levels[i]) + list(count, base_links);
      for (int level = 0; level < levels[i]; ++level) file += list(0, upper_links);
    }
    return file;
  }
};

class ForeignFiles : public testing::Test {
 protected:
  // Opens it and reads all of it, a few rows at a time; what went wrong, if something did.
  std::string read(Foreign kind, std::string_view content, Scalar components = Scalar::f32) {
    const std::string path = (folder_ / "index").string();
    std::ofstream(path, std::ios::binary) << content;
    index_ = ForeignIndex();
    all_ = Batch();
    InputOptions options;
    options.path = path;
    std::unique_ptr<VectorReader> reader;
    if (Outcome opened = open_foreign(kind, options, components, reader, index_); !opened.ok()) {
      EXPECT_NE(opened.trouble, Trouble::none);
      EXPECT_TRUE(opened.text.starts_with(path + ": ")) << opened.text;
      return opened.text.substr(path.size() + 2);
    }
    all_.scalar = reader->shape().scalar;
    all_.dimension = reader->shape().dimension;
    for (Batch batch;;) {
      if (Outcome step = reader->next(2, batch); !step.ok()) {
        return step.text.substr(path.size() + 2);
      }
      if (batch.rows == 0) break;
      EXPECT_EQ(batch.keys.size(), batch.rows);
      all_.vectors.insert(all_.vectors.end(), batch.vectors.begin(), batch.vectors.end());
      all_.keys.insert(all_.keys.end(), batch.keys.begin(), batch.keys.end());
      all_.rows += batch.rows;
    }
    EXPECT_EQ(reader->shape().rows, all_.rows);
    EXPECT_TRUE(reader->shape().keys);
    return "";
  }

  std::vector<float> floats() const { return to_floats(all_.matrix()); }

  TestFolder folder_;
  ForeignIndex index_;
  Batch all_;
};

TEST_F(ForeignFiles, NamesAreTheLibraries) {
  for (const Foreign foreign : {Foreign::hnswlib, Foreign::usearch}) {
    EXPECT_EQ(parse_foreign(name_of(foreign)), foreign);
    EXPECT_NE(kForeignNames.find(name_of(foreign)), std::string_view::npos);
  }
  EXPECT_FALSE(parse_foreign("faiss").has_value());
}

TEST_F(ForeignFiles, HnswlibsLiveElementsAreReadWithTheirLabels) {
  ASSERT_EQ(read(Foreign::hnswlib, HnswlibFile().whole()), "");
  EXPECT_EQ(all_.keys, (std::vector<std::string>{"1000", "1014", "1021"}));
  EXPECT_EQ(floats(), (std::vector<float>{0, 0.5F, -0.0F, 2, 0.5F, -2, 3, 0.5F, -3}));
  EXPECT_EQ(index_.removed, 1U);
  EXPECT_EQ(index_.M, 2U);
  EXPECT_EQ(index_.ef_construction, 200U);
  EXPECT_FALSE(index_.metric.has_value());
}

TEST_F(ForeignFiles, HnswlibsComponentsAreWhatTheCallerSays) {
  ASSERT_EQ(read(Foreign::hnswlib, HnswlibFile().whole(), Scalar::u8), "");
  EXPECT_EQ(all_.dimension, 12U);
  EXPECT_EQ(all_.scalar, Scalar::u8);
  EXPECT_EQ(floats()[7], 63) << "the last byte of 0.5";
  ASSERT_EQ(read(Foreign::hnswlib, HnswlibFile().whole(), Scalar::bf16), "");
  EXPECT_EQ(all_.dimension, 6U);
}

TEST_F(ForeignFiles, AnEmptyIndexOfHnswlibHasNoRows) {
  HnswlibFile file;
  file.elements = 0;
  file.level_max = -1;
  file.entry = 0xFFFFFFFF;
  file.label_offset = 20 + 400;
  file.element_bytes = 20 + 400 + 8;
  EXPECT_EQ(read(Foreign::hnswlib, file.header()), "");
  EXPECT_EQ(all_.rows, 0U);
  EXPECT_EQ(all_.dimension, 100U);
  file.label_offset = 20 + 4 * 65536;
  file.element_bytes = 20 + 4 * 65536 + 8;
  EXPECT_EQ(read(Foreign::hnswlib, file.header()), "dimension 65536, expected 1 to 65535");
}

TEST_F(ForeignFiles, EveryFieldOfHnswlibsHeaderIsChecked) {
  const auto error = [&](auto change) {
    HnswlibFile file;
    change(file);
    return read(Foreign::hnswlib, file.whole());
  };
  EXPECT_EQ(error([](auto& f) { f.level0_offset = 8; }),
            "not an index of hnswlib: its elements begin at 8, expected 0");
  EXPECT_EQ(error([](auto& f) { f.elements_max = 3; }),
            "not an index of hnswlib: there are elements: 4, expected at most 3");
  EXPECT_EQ(error([](auto& f) { f.elements = f.elements_max = 1ULL << 60; }),
            "truncated: 1152921504606846976 elements promised, there is room for 4");
  EXPECT_EQ(error([](auto& f) { f.element_bytes = 41; }),
            "not an index of hnswlib: bytes of an element are 41, expected 40");
  EXPECT_EQ(
      error([](auto& f) { f.label_offset = 1ULL << 62; }),
      "not an index of hnswlib: a label begins at 4611686018427387904, expected a place behind "
      "the vector");
  EXPECT_EQ(error([](auto& f) { f.vector_offset = 16; }),
            "not an index of hnswlib: a vector begins at 16, expected 20");
  EXPECT_EQ(error([](auto& f) { f.level_max = -1; }), "the highest level is -1 of 4 elements");
  EXPECT_EQ(error([](auto& f) { f.level_max = 2; }), "the entry point has 1 levels, expected 2");
  EXPECT_EQ(error([](auto& f) { f.level_max = 0; }),
            "element 2 has 12 bytes of upper levels, expected at most 0 times 12");
  EXPECT_EQ(error([](auto& f) { f.entry = 4; }),
            "the entry point is element 4, expected less than 4");
  EXPECT_EQ(error([](auto& f) { f.upper_links = 3; }),
            "not an index of hnswlib: links on upper levels are 3, expected 2");
  EXPECT_EQ(error([](auto& f) { f.base_links = 5; }),
            "not an index of hnswlib: links on level 0 are 5, expected 4");
  EXPECT_EQ(error([](auto& f) { f.M = 0; }),
            "not an index of hnswlib: M is 0, expected 1 to 10000");
  EXPECT_EQ(error([](auto& f) { f.level_factor = std::nan(""); }),
            "the header's level factor is not greater than 0");
  EXPECT_EQ(error([](auto& f) { f.ef_construction = 0; }),
            "ef_construction is 0, expected at least 1");
}

TEST_F(ForeignFiles, EveryElementOfHnswlibIsChecked) {
  const std::string whole = HnswlibFile().whole();
  constexpr std::size_t kElement = 40;
  const auto error = [&](std::size_t at, std::string_view bytes) {
    std::string file = whole;
    file.replace(at, bytes.size(), bytes);
    return read(Foreign::hnswlib, file);
  };
  EXPECT_EQ(error(96, bytes_of(std::uint16_t{5})), "element 0 has 5 links, expected at most 4");
  EXPECT_EQ(error(96 + kElement + 8, bytes_of(std::uint32_t{4})),
            "element 1 links to element 4, expected less than 4");
  EXPECT_EQ(error(96 + 2, "\x02"), "element 0 has marks that hnswlib does not set");
  EXPECT_EQ(error(96 + 3, "\x01"), "element 0 has marks that hnswlib does not set");
  EXPECT_EQ(error(96 + 20, bytes_of(std::numeric_limits<float>::infinity())),
            "row 0: component 0 is infinite");
  EXPECT_EQ(error(96 + 3 * kElement + 32, bytes_of(HnswlibFile::label(0))),
            "key 1000 belongs to more than one vector");
  // A removed one may have any.
  EXPECT_EQ(error(96 + kElement + 32, bytes_of(HnswlibFile::label(0))), "");
  EXPECT_EQ(error(96 + 4 * kElement, bytes_of(std::uint32_t{5})),
            "element 0 has 5 bytes of upper levels, expected at most 1 times 12");
  EXPECT_EQ(error(96 + 4 * kElement + 12, bytes_of(std::uint16_t{3})),
            "element 2 has 3 links, expected at most 2");
  EXPECT_EQ(read(Foreign::hnswlib, whole + "x"), "too long: more bytes follow the index");
}

TEST_F(ForeignFiles, UsearchsLiveElementsAreReadWithTheirKeys) {
  for (const bool is_wide : {false, true}) {
    for (const std::uint8_t slot : {15, 2}) {
      UsearchFile file;
      file.is_wide = is_wide;
      file.slot = slot;
      ASSERT_EQ(read(Foreign::usearch, file.whole()), "") << is_wide << " " << int{slot};
      EXPECT_EQ(all_.keys, (std::vector<std::string>{"5", "6", "1099511627776"}));
      EXPECT_EQ(floats(), (std::vector<float>{0, 0.5F, -0.0F, 2, 0.5F, -2, 3, 0.5F, -3}));
      EXPECT_EQ(index_.removed, 1U);
      EXPECT_EQ(index_.M, 2U);
      EXPECT_EQ(index_.metric, Metric::cosine);
    }
  }
}

TEST_F(ForeignFiles, UsearchsMetricsAreOursWhereWeHaveThem) {
  const std::pair<char, std::optional<Metric>> kMetrics[] = {
      {'i', Metric::ip},      {'c', Metric::cosine},    {'e', Metric::l2},   {'b', Metric::hamming},
      {'t', Metric::jaccard}, {'h', Metric::haversine}, {'p', std::nullopt}, {'d', std::nullopt},
      {'s', std::nullopt},    {'j', std::nullopt},      {'\0', std::nullopt}};
  for (const auto& [kind, metric] : kMetrics) {
    UsearchFile file;
    file.metric = static_cast<std::uint8_t>(kind);
    ASSERT_EQ(read(Foreign::usearch, file.whole()), "");
    EXPECT_EQ(index_.metric, metric) << kind;
  }
}

TEST_F(ForeignFiles, EveryKindOfComponentOfUsearchIsRead) {
  const auto check = [&](std::uint8_t component, Scalar scalar, std::uint64_t dimension,
                         const std::string& vector, const std::vector<float>& expected) {
    UsearchFile file;
    file.component = component;
    file.dimension = dimension;
    file.row_bytes = vector.size();
    file.vectors.assign(4, vector);
    ASSERT_EQ(read(Foreign::usearch, file.whole()), "") << int{component};
    EXPECT_EQ(all_.scalar, scalar) << int{component};
    ASSERT_EQ(all_.dimension, dimension) << int{component};
    std::vector<float> first = floats();
    first.resize(dimension);
    EXPECT_EQ(first, expected) << int{component};
    if (scalar == Scalar::b1) {
      EXPECT_EQ(std::to_integer<int>(all_.vectors[1]), 0b10) << "what is not used is zero";
    }
  };
  check(11, Scalar::f32, 2, bytes_of(1.5F, -2.0F), {1.5F, -2});
  check(10, Scalar::f32, 2, bytes_of(1.5, 1e-3), {1.5F, 1e-3F});
  check(12, Scalar::f16, 2, bytes_of(to_f16(1.5F), to_f16(-2)), {1.5F, -2});
  check(4, Scalar::bf16, 2, bytes_of(to_bf16(1.5F), to_bf16(-2)), {1.5F, -2});
  check(23, Scalar::i8, 3, bytes_of(std::int8_t{-127}, std::int8_t{0}, std::int8_t{127}),
        {-127, 0, 127});
  check(17, Scalar::u8, 2, bytes_of(std::uint8_t{255}, std::uint8_t{3}), {255, 3});
  // Its first component is the highest bit; the six behind the tenth are noise here.
  check(1, Scalar::b1, 10, bytes_of(std::uint8_t{0b10010001}, std::uint8_t{0b01111111}),
        {1, 0, 0, 1, 0, 0, 0, 1, 0, 1});
}

TEST_F(ForeignFiles, ADoubleBeyondFloatsIsRefusedByItsRow) {
  UsearchFile file;
  file.component = 10;
  file.dimension = 1;
  file.row_bytes = 8;
  file.vectors.assign(4, bytes_of(1.0));
  file.vectors[3] = bytes_of(1e300);
  EXPECT_EQ(read(Foreign::usearch, file.whole()), "row 2: component 0 is infinite");
}

TEST_F(ForeignFiles, AnEmptyIndexOfUsearchHasNoRows) {
  UsearchFile file;
  file.rows = file.elements = file.present = file.removed = 0;
  file.level_max = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(read(Foreign::usearch, file.whole()), "");
  EXPECT_EQ(all_.rows, 0U);
  EXPECT_EQ(all_.dimension, 3U);
  EXPECT_EQ(read(Foreign::usearch, file.whole() + "x"), "too long: more bytes follow the index");
}

TEST_F(ForeignFiles, EveryFieldOfUsearchIsChecked) {
  const auto error = [&](auto change) {
    UsearchFile file;
    change(file);
    return read(Foreign::usearch, file.whole());
  };
  const std::string old = error([](auto& f) { f.minor = 9; });
  EXPECT_EQ(old,
            "written by usearch 2.9.3, expected 2.10 or a later 2: load and save it with one of "
            "those");
  EXPECT_NE(error([](auto& f) { f.major = 3; }), "");
  EXPECT_EQ(
      error([](auto& f) { f.component = 6; }),
      "usearch's kind of components is 6, expected f32 (11), f64 (10), f16 (12), bf16 (4), i8 "
      "(23), u8 (17) or b1 (1)");
  EXPECT_EQ(error([](auto& f) { f.key = 3; }),
            "usearch's kind of keys is 3, expected numbers of 64 bits (14)");
  EXPECT_EQ(error([](auto& f) { f.slot = 14; }),
            "usearch's kind of slots is 14, expected numbers of 32 or 40 bits (15, 2)");
  EXPECT_EQ(error([](auto& f) { f.present = 4; }),
            "4 vectors, of which 4 are present and 1 removed");
  EXPECT_EQ(error([](auto& f) { f.present = 1ULL << 63; }),
            "4 vectors, of which 9223372036854775808 are present and 1 removed");
  EXPECT_EQ(error([](auto& f) { f.removed = 2, f.present = 2; }),
            "1 elements have the key of removed ones, expected 2");
  EXPECT_EQ(error([](auto& f) { f.dimension = 4; }),
            "a vector of 4 components has 12 bytes, expected 16");
  EXPECT_EQ(error([](auto& f) { f.dimension = 0; }), "dimension 0, expected 1 to 65535");
  EXPECT_EQ(error([](auto& f) { f.dimension = 1ULL << 62; }),
            "dimension 4611686018427387904, expected 1 to 65535");
  EXPECT_EQ(error([](auto& f) { f.elements = 5; }), "a graph of 5 elements, expected 4");
  EXPECT_EQ(error([](auto& f) { f.entry = 4; }),
            "the entry point is element 4, expected less than 4");
  EXPECT_EQ(error([](auto& f) { f.entry = 0; }), "the entry point is on level 0, expected 1");
  EXPECT_EQ(error([](auto& f) { f.level_max = 1 << 20; }),
            "the highest level is 1048576, expected at most 32767");
  EXPECT_EQ(error([](auto& f) { f.levels[1] = 2; }), "element 1 is on level 2, expected 0 to 1");
  EXPECT_EQ(error([](auto& f) { f.levels[1] = -1; }), "element 1 is on level -1, expected 0 to 1");
  EXPECT_EQ(error([](auto& f) { f.count = 5; }), "element 0 has 5 links, expected at most 4");
  EXPECT_EQ(error([](auto& f) { f.keys[3] = 5; }), "key 5 belongs to more than one vector");
  EXPECT_EQ(error([](auto& f) { f.magic = "Usearch"; }).substr(0, 39),
            "not an index of usearch, or truncated: ");
  EXPECT_EQ(error([](auto& f) { f.vectors[2] = bytes_of(NAN, 1.0F, 2.0F); }),
            "row 1: component 0 is NaN");
  const std::string whole = UsearchFile().whole();
  EXPECT_EQ(read(Foreign::usearch, whole + "x"), "too long: more bytes follow the index");
  std::string links = whole;
  const std::size_t first_element = 8 + 48 + 64 + 40 + 8;
  links.replace(first_element + 14, 4, bytes_of(std::uint32_t{4}));
  EXPECT_EQ(read(Foreign::usearch, links), "element 0 links to element 4, expected less than 4");
  std::string level = whole;
  level.replace(first_element + 8, 2, bytes_of(std::int16_t{1}));
  EXPECT_EQ(read(Foreign::usearch, level), "element 0 is on level 1, expected 0");
  EXPECT_EQ(read(Foreign::usearch, whole.substr(8 + 48)),
            "it has no vectors: it was saved without them (exclude_vectors)");
  UsearchFile wide;
  wide.upper_links = 1ULL << 40;
  EXPECT_EQ(read(Foreign::usearch, whole.substr(0, 8 + 48 + 64) +
                                       bytes_of(wide.elements, wide.upper_links, wide.base_links,
                                                wide.level_max, wide.entry)),
            "1099511627776 and 4 links of an element, expected 1 to 1048576");
}

TEST_F(ForeignFiles, AFileCutAnywhereIsRefused) {
  const std::pair<Foreign, std::string> kFiles[] = {{Foreign::hnswlib, HnswlibFile().whole()},
                                                    {Foreign::usearch, UsearchFile().whole()}};
  for (const auto& [kind, whole] : kFiles) {
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      EXPECT_NE(read(kind, whole.substr(0, bytes)), "") << name_of(kind) << " " << bytes;
    }
  }
}

// What a byte that is another leaves is refused, or is read with as many rows as there are.
TEST_F(ForeignFiles, AByteThatIsAnotherIsNoCrash) {
  const std::pair<Foreign, std::string> kFiles[] = {{Foreign::hnswlib, HnswlibFile().whole()},
                                                    {Foreign::usearch, UsearchFile().whole()}};
  for (const auto& [kind, whole] : kFiles) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const int turned : {1, 0xFF}) {
        std::string file = whole;
        file[at] = static_cast<char>(file[at] ^ turned);
        if (read(kind, file).empty()) {
          EXPECT_LE(all_.rows, 4U) << name_of(kind) << " " << at << " " << turned;
        }
      }
    }
  }
}

TEST_F(ForeignFiles, FilesOfOneLibraryAreNotThoseOfTheOther) {
  EXPECT_NE(read(Foreign::hnswlib, UsearchFile().whole()), "");
  EXPECT_NE(read(Foreign::usearch, HnswlibFile().whole()), "");
  EXPECT_NE(read(Foreign::hnswlib, std::string(5000, 'x')), "");
  EXPECT_NE(read(Foreign::usearch, std::string(5000, 'x')), "");
}

TEST_F(ForeignFiles, RowsArePassedOverByCount) {
  const std::string path = (folder_ / "index").string();
  std::ofstream(path, std::ios::binary) << UsearchFile().whole();
  InputOptions options;
  options.path = path;
  std::unique_ptr<VectorReader> reader;
  ASSERT_TRUE(open_foreign(Foreign::usearch, options, Scalar::f32, reader, index_).ok());
  ASSERT_TRUE(reader->skip(1).ok());
  Batch batch;
  ASSERT_TRUE(reader->next(10, batch).ok());
  EXPECT_EQ(batch.first_row, 1U);
  EXPECT_EQ(batch.keys, (std::vector<std::string>{"6", "1099511627776"}));
  EXPECT_EQ(to_floats(batch.matrix())[0], 2);
  EXPECT_FALSE(reader->skip(1).ok());
}

TEST_F(ForeignFiles, AMissingFileIsMissing) {
  InputOptions options;
  options.path = (folder_ / "absent").string();
  std::unique_ptr<VectorReader> reader;
  for (const Foreign kind : {Foreign::hnswlib, Foreign::usearch}) {
    EXPECT_EQ(open_foreign(kind, options, Scalar::f32, reader, index_).trouble, Trouble::missing);
  }
  options.path = "/dev/null";
  EXPECT_EQ(open_foreign(Foreign::usearch, options, Scalar::f32, reader, index_).trouble,
            Trouble::usage);
}

}  // namespace
}  // namespace skerry::formats

// seeds.cc - writes small good files for the fuzzers to spoil: fuzz_seeds FOLDER

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "formats/foreign.h"
#include "formats/format.h"
#include "skerry/index.h"

namespace {

namespace fs = std::filesystem;
using skerry::formats::Foreign;
using skerry::formats::Format;

bool write_image(const fs::path& path, const skerry::IndexOptions& options, std::uint64_t rows) {
  auto index = skerry::Index::create(options);
  if (!index.ok()) return false;
  std::vector<float> vector(options.dimension);
  for (std::uint64_t key = 0; key < rows; ++key) {
    for (std::size_t i = 0; i < vector.size(); ++i) {
      vector[i] = static_cast<float>((key * 7 + i * 3) % 11);
    }
    if (!index->upsert(key, vector).ok()) return false;
    if (key % 5 == 4 && !index->remove(key - 2).ok()) return false;
  }
  return index->save(path).ok();
}

void write_seed(const fs::path& path, int kind, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << static_cast<char>(kind) << bytes;
}
void write_seed(const fs::path& path, Format format, std::string_view bytes) {
  write_seed(path, static_cast<int>(format), bytes);
}
void write_seed(const fs::path& path, Foreign foreign, std::string_view bytes) {
  write_seed(path, static_cast<int>(Format::csv) + 1 + static_cast<int>(foreign), bytes);
}

template <class... Values>
std::string bytes_of(Values... values) {
  std::string bytes;
  (bytes.append(reinterpret_cast<const char*>(&values), sizeof values), ...);
  return bytes;
}

}  // namespace

// Into FOLDER/image and FOLDER/formats.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const fs::path image = fs::path(argv[1]) / "image";
  const fs::path formats = fs::path(argv[1]) / "formats";
  fs::create_directories(image);
  fs::create_directories(formats);
  using skerry::Codes, skerry::Metric, skerry::Scalar;
  const bool good =
      write_image(image / "empty", {.dimension = 3}, 0) &&
      write_image(image / "flat", {.dimension = 3}, 12) &&
      write_image(image / "graph", {.dimension = 4, .M = 2, .flat_below = 0}, 40) &&
      write_image(image / "sq8", {.dimension = 4, .codes = Codes::sq8, .flat_below = 0}, 20) &&
      write_image(image / "rot4", {.dimension = 5, .codes = Codes::rot4, .flat_below = 0}, 20) &&
      write_image(image / "half", {.dimension = 4, .metric = Metric::ip, .scalar = Scalar::f16}, 9);
  if (!good) return 1;

  const auto two = std::int32_t{2};
  write_seed(formats / "fvecs", Format::fvecs, bytes_of(two, 1.0F, 2.0F, two, 3.0F, 4.0F));
  write_seed(formats / "bvecs", Format::bvecs, bytes_of(two, std::uint16_t{0x0102}));
  write_seed(formats / "ivecs", Format::ivecs, bytes_of(two, 5, 6));
  write_seed(formats / "fbin", Format::fbin, bytes_of(two, two, 1.0F, 2.0F, 3.0F, 4.0F));
  write_seed(formats / "u8bin", Format::u8bin, bytes_of(two, two, 0x01020304));
  write_seed(formats / "i8bin", Format::i8bin, bytes_of(two, two, 0x01020304));
  write_seed(formats / "f16bin", Format::f16bin, bytes_of(1, two, 0x3c003c00));
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  header.resize(117, ' ');
  write_seed(formats / "npy", Format::npy,
             std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + bytes_of(1.0F, 2.0F));
  write_seed(formats / "jsonl", Format::jsonl,
             "{\"key\": 1, \"vector\": [1, 2.5], \"payload\": \"a\"}\n"
             "{\"key\": 2, \"vector\": [3, -4e-1]}\n");
  write_seed(formats / "csv", Format::csv, "key,x,y\n1,0.5,2\n2,\"3\",4\n");

  // Two elements of two floats each, the second of them removed and on level 1.
  using u8 = std::uint8_t;
  using u16 = std::uint16_t;
  using u32 = std::uint32_t;
  using u64 = std::uint64_t;
  const auto links = [](u16 mark) { return bytes_of(u16{1}, mark, u32(mark == 0), u32{0}); };
  write_seed(formats / "hnswlib", Foreign::hnswlib,
             bytes_of(u64{0}, u64{9}, u64{2}, u64{28}, u64{20}, u64{12}, 1, u32{1}, u64{1}, u64{2},
                      u64{1}, 1.5, u64{200}) +
                 links(0) + bytes_of(1.0F, 2.0F, u64{7}) + links(1) + bytes_of(3.0F, 4.0F, u64{8}) +
                 bytes_of(u32{0}, u32{8}, u32{0}, u32{0}));
  std::string head = "usearch" + bytes_of(u16{2}, u16{21}, u16{0}, u8{'e'}, u8{11}, u8{14}, u8{15},
                                          u64{1}, u64{1}, u64{2}, u8{0});
  head.resize(64, '\0');
  const auto element = [](u64 key, u16 level) {
    std::string bytes = bytes_of(key, level, u32{1}, u32(level == 0), u32{0});
    return level == 0 ? bytes : bytes + bytes_of(u32{0}, u32{0});
  };
  write_seed(formats / "usearch", Foreign::usearch,
             bytes_of(u32{2}, u32{8}, 1.0F, 2.0F, 3.0F, 4.0F) + head +
                 bytes_of(u64{2}, u64{1}, u64{2}, u64{1}, u64{1}, u16{0}, u16{1}) + element(7, 0) +
                 element(~u64{0}, 1));
  return 0;
}

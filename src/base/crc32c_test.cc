// crc32c_test.cc - the known vectors, and the fast way against the table.
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string_view>
#include <vector>

namespace skerry {
namespace {

std::uint32_t of(std::string_view text) {
  return crc32c(std::as_bytes(std::span(text)));
}

TEST(Crc32c, KnownVectors) {
  EXPECT_EQ(of(""), 0U);
  EXPECT_EQ(of("123456789"), 0xE3069283U);
  // RFC 3720, appendix B.4
  std::vector<std::byte> bytes(32);
  EXPECT_EQ(crc32c(bytes), 0x8A9136AAU);
  for (std::byte& byte : bytes) byte = std::byte{0xFF};
  EXPECT_EQ(crc32c(bytes), 0x62A8AB43U);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(bytes), 0x46DD794EU);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(31 - i);
  EXPECT_EQ(crc32c(bytes), 0x113FDB5CU);
}

TEST(Crc32c, TheFastWayIsTheTable) {
  std::mt19937 random(7);
  std::vector<std::byte> bytes(20000);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (std::size_t size = 0; size < 80; ++size) {
    const std::span<const std::byte> part(bytes.data() + size % 9, size);
    EXPECT_EQ(crc32c(part), crc32c_by_table(part)) << size;
  }
  for (int round = 0; round < 300; ++round) {
    const std::size_t begin = random() % 100;
    const std::size_t size = random() % (bytes.size() - begin);
    const std::span<const std::byte> part(bytes.data() + begin, size);
    const auto start = static_cast<std::uint32_t>(random());
    EXPECT_EQ(crc32c(part, start), crc32c_by_table(part, start)) << begin << " " << size;
  }
}

TEST(Crc32c, PartsAddUp) {
  std::vector<std::byte> bytes(10000, std::byte{0x5A});
  for (const std::size_t cut : {0, 1, 7, 3072, 5000, 10000}) {
    const std::span<const std::byte> all(bytes);
    EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), crc32c(all)) << cut;
  }
}

TEST(Crc32c, OneFlippedBitIsSeen) {
  std::vector<std::byte> bytes(4096, std::byte{1});
  const std::uint32_t before = crc32c(bytes);
  for (const std::size_t at : {0, 1, 1023, 1024, 3071, 3072, 4095}) {
    bytes[at] ^= std::byte{0x10};
    EXPECT_NE(crc32c(bytes), before) << at;
    bytes[at] ^= std::byte{0x10};
  }
}

TEST(Crc32c, OneBitThatTurnedOverIsFoundAndTwoAreNot) {
  std::mt19937 random(9);
  for (const std::size_t size : {1U, 2U, 12U, 70U, 1548U, 4096U}) {
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    const std::uint32_t sum = crc32c(bytes);
    for (int round = 0; round < 200; ++round) {
      const std::uint64_t bit = random() % (size * 8);
      const auto turn = [&](std::uint64_t which) {
        bytes[which / 8] ^= static_cast<std::byte>(1U << which % 8);
      };
      turn(bit);
      EXPECT_EQ(turned_bit(size, crc32c(bytes) ^ sum), bit) << "of " << size << " bytes";
      const std::uint64_t other = random() % (size * 8);
      turn(other);
      const auto found = turned_bit(size, crc32c(bytes) ^ sum);
      EXPECT_EQ(found, std::nullopt) << bit << " and " << other;
      turn(other);
      turn(bit);
    }
    EXPECT_EQ(turned_bit(size, 0), std::nullopt);
  }
}

}  // namespace
}  // namespace skerry

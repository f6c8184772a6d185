// codec_test.cc - are the bytes those that the file formats draw?
#include "base/codec.h"

#include <gtest/gtest.h>

#include <array>

namespace skerry {
namespace {

TEST(Codec, ValuesAreLittleEndian) {
  std::array<std::byte, 8> bytes{};
  put_le<std::uint64_t>(bytes.data(), 0x0102030405060708ULL);
  EXPECT_EQ(bytes[0], std::byte{8});
  EXPECT_EQ(bytes[7], std::byte{1});
  EXPECT_EQ(get_le<std::uint64_t>(bytes.data()), 0x0102030405060708ULL);
  put_le<std::uint16_t>(bytes.data(), 0x0102);
  EXPECT_EQ(bytes[0], std::byte{2});
  EXPECT_EQ(get_le<std::uint16_t>(bytes.data()), 0x0102);
}

TEST(Codec, KeysCompareAsNumbers) {
  std::array<std::byte, 4> less{};
  std::array<std::byte, 4> more{};
  put_be<std::uint32_t>(less.data(), 255);
  put_be<std::uint32_t>(more.data(), 256);
  EXPECT_LT(std::memcmp(less.data(), more.data(), 4), 0);
  EXPECT_EQ(get_be<std::uint32_t>(more.data()), 256U);
}

TEST(Codec, AReaderStopsAtTheEnd) {
  std::array<std::byte, 7> bytes{};
  Writer writer(bytes.data());
  writer.put<std::uint8_t>(1);
  writer.put<std::uint32_t>(7);
  writer.put_bytes(std::span<const std::byte>());
  EXPECT_EQ(writer.position(), bytes.data() + 5);

  Reader reader(bytes);
  EXPECT_EQ(reader.take<std::uint8_t>(), 1);
  EXPECT_EQ(reader.take<std::uint32_t>(), 7U);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 2U);
  EXPECT_EQ(reader.take<std::uint32_t>(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.take<std::uint8_t>(), 0);  // nothing is read after a failure
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace skerry

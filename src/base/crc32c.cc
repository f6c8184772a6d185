// crc32c.cc - CRC-32C by table, and by three streams of the CPU's own instruction.
#include "base/crc32c.h"

#include <array>

#include "base/codec.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace skerry {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

// kBytes[i][b]: the register after byte b and then i zero bytes.
constexpr Table make_byte_table() {
  Table table{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    table[0][b] = crc;
  }
  for (std::size_t i = 1; i < 8; ++i) {
    for (std::size_t b = 0; b < 256; ++b) {
      const std::uint32_t before = table[i - 1][b];
      table[i][b] = (before >> 8) ^ table[0][before & 0xFF];
    }
  }
  return table;
}
constexpr Table kBytes = make_byte_table();

// Which entry of kBytes[0] has this highest byte?
constexpr std::array<std::uint8_t, 256> make_highest_table() {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t b = 0; b < 256; ++b) table[kBytes[0][b] >> 24] = static_cast<std::uint8_t>(b);
  return table;
}
constexpr std::array<std::uint8_t, 256> kByHighest = make_highest_table();

std::uint32_t by_table(const std::byte* data, std::size_t size, std::uint32_t crc) noexcept {
  for (; size >= 8; data += 8, size -= 8) {
    const std::uint64_t word = get_le<std::uint64_t>(data) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kBytes[7 - i][(word >> (8 * i)) & 0xFF];
  }
  for (; size > 0; ++data, --size) {
    crc = (crc >> 8) ^ kBytes[0][(crc ^ std::to_integer<std::uint32_t>(*data)) & 0xFF];
  }
  return crc;
}

#if defined(__x86_64__) || (defined(__aarch64__) && defined(__linux__))

// One stream is this long. A round is three of them, so that a join (12 look-ups) is rare, and
// short enough for the pages of a store to have several.
constexpr std::size_t kStream = 1024;

// kShift[i][b]: what byte i of the register, holding b, becomes after kStream zero bytes. The
// register is linear, so four look-ups move a whole one.
constexpr std::array<std::array<std::uint32_t, 256>, 4> make_shift_table() {
  std::array<std::array<std::uint32_t, 256>, 4> table{};
  std::array<std::uint32_t, 32> column{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = 1U << bit;
    for (std::size_t i = 0; i < kStream; ++i) crc = (crc >> 8) ^ kBytes[0][crc & 0xFF];
    column[bit] = crc;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t b = 0; b < 256; ++b) {
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if ((b >> bit & 1) != 0) table[i][b] ^= column[8 * i + bit];
      }
    }
  }
  return table;
}
constexpr std::array<std::array<std::uint32_t, 256>, 4> kShift = make_shift_table();

std::uint32_t shifted(std::uint64_t crc) noexcept {
  return kShift[0][crc & 0xFF] ^ kShift[1][crc >> 8 & 0xFF] ^ kShift[2][crc >> 16 & 0xFF] ^
         kShift[3][crc >> 24 & 0xFF];
}

// The instruction itself, by name: it is reached only when the CPU was asked for it, and so needs
// no flag for the whole file.
#if defined(__x86_64__)
inline void step(std::uint64_t& crc, std::uint64_t word) noexcept {
  __asm__("crc32q %1, %0" : "+r"(crc) : "rm"(word));
}
inline void step(std::uint64_t& crc, std::uint8_t byte) noexcept {
  __asm__("crc32b %1, %0" : "+r"(crc) : "rm"(byte));
}
bool has_instruction() noexcept {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#else
inline void step(std::uint64_t& crc, std::uint64_t word) noexcept {
  __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
}
inline void step(std::uint64_t& crc, std::uint8_t byte) noexcept {
  const std::uint32_t wide = byte;
  __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(wide));
}
bool has_instruction() noexcept {
  return (getauxval(AT_HWCAP) & (1UL << 7)) != 0;
}  // HWCAP_CRC32
#endif

std::uint32_t by_instruction(const std::byte* data, std::size_t size,
                             std::uint32_t start) noexcept {
  std::uint64_t crc = start;
  for (; size >= 3 * kStream; data += 3 * kStream, size -= 3 * kStream) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kStream; i += 8) {
      step(crc, get_le<std::uint64_t>(data + i));
      step(second, get_le<std::uint64_t>(data + kStream + i));
      step(third, get_le<std::uint64_t>(data + 2 * kStream + i));
    }
    crc = shifted(shifted(crc) ^ second) ^ third;
  }
  for (; size >= 8; data += 8, size -= 8) step(crc, get_le<std::uint64_t>(data));
  for (; size > 0; ++data, --size) step(crc, std::to_integer<std::uint8_t>(*data));
  return static_cast<std::uint32_t>(crc);
}

#else
bool has_instruction() noexcept {
  return false;
}
std::uint32_t by_instruction(const std::byte* data, std::size_t size, std::uint32_t crc) noexcept {
  return by_table(data, size, crc);
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
  return ~by_table(bytes.data(), bytes.size(), ~crc);
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
  static const bool fast = has_instruction();
  return fast ? ~by_instruction(bytes.data(), bytes.size(), ~crc) : crc32c_by_table(bytes, crc);
}

std::optional<std::uint64_t> turned_bit(std::size_t size, std::uint32_t difference) noexcept {
  // What a bit of the last byte changes is in the table. A bit of the byte before changes that,
  // gone through one byte of zeroes: so we take the difference back through one after the other.
  // The table's entries have different highest bytes, which tell the one that was used.
  for (std::size_t i = size; i-- > 0;) {
    for (std::uint32_t bit = 0; bit < 8; ++bit) {
      if (difference == kBytes[0][1U << bit]) return std::uint64_t{i} * 8 + bit;
    }
    const std::uint32_t index = kByHighest[difference >> 24];
    difference = (difference ^ kBytes[0][index]) << 8 | index;
  }
  return std::nullopt;
}

}  // namespace skerry

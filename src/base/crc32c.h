// crc32c.h - are these the bytes that were written?
//
// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected), the checksum of iSCSI (RFC 3720) and
// ext4. It finds every error of up to 32 bits in a row and all but 2^-32 of the rest.
//
// Three streams run beside each other through the CPU's own instruction (SSE4.2, ARMv8 CRC), which
// takes 3 cycles and can start one a cycle; their sums are joined by a table. Without the
// instruction: eight table look-ups per eight bytes. Both give the same number.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace skerry {

// The checksum of what came before (`crc`, 0 at the beginning) followed by `bytes`.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept;

// The same by tables alone: the definition that the fast one is tested against.
std::uint32_t crc32c_by_table(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept;

// Which one bit of `size` bytes, turned over, changes their checksum by `difference`? Bit b of byte
// i has number 8 i + b. None: no single bit does.
//
// Any two rows of bytes with right checksums differ in at least four bits (up to 2^31 bits of
// them), so one bit that turned over is found for certain, and two are never taken for one. More
// than two pass for one with a chance of bits / 2^32. Cost: a step a byte, some ten times that of
// the checksum.
std::optional<std::uint64_t> turned_bit(std::size_t size, std::uint32_t difference) noexcept;

}  // namespace skerry

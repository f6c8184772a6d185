#include "base/read_ahead.h"

#include "base/stable_memory.h"

namespace skerry {

// Rows that follow each other are asked for in one piece.
void ReadAhead::ask_for(const std::uint32_t* rows, std::size_t count) const noexcept {
  for (std::size_t i = 0; i < count;) {
    const std::size_t first = i;
    while (++i < count && rows[i] == rows[i - 1] + 1) continue;
    will_read(base_ + rows[first] * stride_, (i - first) * stride_);
  }
}

}  // namespace skerry

// rotate-inl.h - how does a vector lose its shape without losing its length?
//
// Codes of few bits want components of one size. A random rotation gives them that, whatever the
// vector was, and keeps every dot product. Ours is made of steps that do, and that cost little:
//
//     signs      of all components, from a hash of their place
//     Hadamard   on as many components as the largest power of two that fits, divided by its root
//     halves     components i and n - n / 2 + i become their sum and their difference over root 2
//
// A length that is a power of two takes signs and Hadamard twice. Any other takes signs and
// Hadamard on the first components, then on the last; halves; and the first and the last again.
// After the first two nothing is left in one place, halves bring what the blocks share and what
// they do not to one size, and the rest makes a bell of it.
//
// For 384 components that is some ten thousand additions instead of the 147,456 products of a
// matrix, and nothing to keep: the rotation depends on n alone. Only additions, changes of sign and
// products that nothing is added to: every target gives the same bits.
//
// Paper: Ailon & Chazelle, "The fast Johnson-Lindenstrauss transform", 2009 (signs and Hadamard in
// place of a random matrix). Blocks that overlap, and halves, are for lengths that it pads.

[[gnu::always_inline]] inline void flip_signs(float* v, std::size_t n, std::uint32_t turn) {
  const auto count = static_cast<std::uint32_t>(n);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t hash = (4 * i + turn + 1) * 0x9E3779B1U;
    hash = (hash ^ hash >> 15) * 0x85EBCA77U;
    std::uint32_t bits;
    __builtin_memcpy(&bits, v + i, sizeof(bits));
    bits ^= hash & 0x80000000U;
    __builtin_memcpy(v + i, &bits, sizeof(bits));
  }
}

// Of a power of two of components. Each pass reads its halves side by side and writes their sums
// and differences in pairs: after as many passes as n has bits all are where they belong, and no
// pass is narrower than a register.
[[gnu::always_inline]] inline void hadamard(float* v, std::size_t n, float* work) {
  float* from = v;
  float* to = work;
  const std::size_t half = n / 2;
  for (std::size_t width = 1; width < n; width *= 2) {
    const float* __restrict in = from;
    float* __restrict out = to;
    for (std::size_t i = 0; i < half; ++i) {
      const float a = in[i];
      const float b = in[i + half];
      out[2 * i] = a + b;
      out[2 * i + 1] = a - b;
    }
    float* const swapped = from;
    from = to;
    to = swapped;
  }
  const float unit = 1 / __builtin_sqrtf(static_cast<float>(n));
  for (std::size_t i = 0; i < n; ++i) v[i] = from[i] * unit;
}

[[gnu::always_inline]] inline void mix_halves(float* v, std::size_t n) {
  constexpr float kUnit = 0.70710678F;
  const std::size_t half = n / 2;
  float* const high = v + (n - half);
  for (std::size_t i = 0; i < half; ++i) {
    const float a = v[i];
    const float b = high[i];
    v[i] = (a + b) * kUnit;
    high[i] = (a - b) * kUnit;
  }
}

void rotate(float* v, std::size_t n, float* work) {
  std::size_t block = 1;
  while (block * 2 <= n) block *= 2;
  const std::uint32_t turns = block == n ? 2 : 4;
  for (std::uint32_t turn = 0; turn < turns; ++turn) {
    flip_signs(v, n, turn);
    hadamard(turn % 2 == 0 ? v : v + (n - block), block, work);
    if (turn == 1 && block != n) mix_halves(v, n);
  }
}

// kernels-inl.h - the text of every kernel, written once.
//
// Not a header of its own: a target file says what Vec is and includes this text inside an unnamed
// namespace in one of its own, so that each target gets private copies compiled with its flags, the
// linker can never hand one target's code to another, and all may be parts of one unit
// (tools/amalgamate.py). For the same reason nothing here calls an inline function of a shared
// header. Vec says:
//
//     Floats, kFloats              a register of f32 and how many it has
//     load(p)                      kFloats components of any type, widened to f32
//     add sub fma(a, b, c)         c + a * b; sum(v): across the register
//     any_bad(v)                   is one of them NaN or infinite?
//     Bytes, kBytes                a register of bytes
//     Words                        its sums, 32 bits each, modulo 2^32
//     DotU8 DotS8 DotS8U8          q.v of u8, of i8, of an i8 query with a u8 row
//     DotS8U4                      and with the two halves of a row's bytes, each its own query
//     L2U8 L2S8                    sum (q - v)^2
//     sum_four(a, b, c, d, out)    sum_words of each
//     and_ or_ xor_, count_bits    words + the bits set in a register of bytes
//     kMasks                       true: load_first(p, n) reads n components and clears the rest;
//                                  false: keep_last(v, n) clears all but the last n, and
//                                  from_words() makes a register of bytes of eights
//
// A byte pair (DotU8 ...) has a Sum, step(Sum&, query, row) for a register of each, and
// total(Sum, own), where `own` sums what depends on the query alone: it is added up once a batch
// by own(Words, query) when kOwn. Sums wrap around: what comes out at the end is below 2^32 for
// every dimension to 65,535 (255^2 * 65,535 = 4,261,413,375), so it is exact.
//
// The order of additions depends on the dimension alone, never on a row's place in the batch: equal
// vectors are at equal distances, and ties can be broken by key.

// -- sums over one pair of vectors
// -----------------------------------------------------------------

struct L2 {
  [[gnu::always_inline]] static Vec::Floats step(Vec::Floats sum, Vec::Floats q, Vec::Floats v) {
    const Vec::Floats difference = Vec::sub(q, v);
    return Vec::fma(difference, difference, sum);
  }
};

struct Dot {
  [[gnu::always_inline]] static Vec::Floats step(Vec::Floats sum, Vec::Floats q, Vec::Floats v) {
    return Vec::fma(q, v, sum);
  }
};

// Up to eight bytes of what is left, zeroes above them. Pieced together in a register: a copy in
// memory that is read back in one load would wait until all of it is written.
[[gnu::always_inline, maybe_unused]] inline std::uint64_t short_word(const std::uint8_t* p,
                                                                     std::size_t n) {
  std::uint64_t word = 0;
  if (n >= 8) {
    __builtin_memcpy(&word, p, 8);
  } else if (n >= 4) {
    std::uint32_t low;
    std::uint32_t high;  // overlaps low
    __builtin_memcpy(&low, p, 4);
    __builtin_memcpy(&high, p + n - 4, 4);
    word = low | std::uint64_t{high} << (8 * (n - 4));
  } else if (n > 0) {
    word =
        p[0] | std::uint64_t{p[n / 2]} << (8 * (n / 2)) | std::uint64_t{p[n - 1]} << (8 * (n - 1));
  }
  return word;
}

// Components [i, n) of v, fewer than a register, zeroes beside them. Reads nothing outside v: where
// the CPU cannot load a part, the register that ends at n is loaded and what was summed before is
// cleared; only vectors shorter than a register are put
// together piece by piece.
// (`V` is Vec: a name that the branch not taken may lack.)
template <class T, class V = Vec>
[[gnu::always_inline]] inline Vec::Floats float_tail(const T* v, std::size_t i, std::size_t n) {
  if constexpr (V::kMasks) {
    return V::load_first(v + i, n - i);
  } else {
    if (n >= V::kFloats) return V::keep_last(V::load(v + n - V::kFloats), n - i);
    alignas(T) std::byte part[V::kFloats * sizeof(T)] = {};
    __builtin_memcpy(part, v + i, (n - i) * sizeof(T));
    return V::load(reinterpret_cast<const T*>(part));
  }
}

template <class V = Vec>
[[gnu::always_inline]] inline Vec::Bytes byte_tail(const std::uint8_t* v, std::size_t i,
                                                   std::size_t n) {
  if constexpr (V::kMasks) {
    return V::load_first_bytes(v + i, n - i);
  } else {
    if (n >= V::kBytes) return V::keep_last_bytes(V::load_bytes(v + n - V::kBytes), n - i);
    std::uint64_t words[V::kBytes / 8];
    for (std::size_t w = 0; w < V::kBytes / 8; ++w) {
      words[w] = n - i > 8 * w ? short_word(v + i + 8 * w, n - i - 8 * w) : 0;
    }
    return V::from_words(words);
  }
}

// Four rows.
struct Four {
  const std::uint8_t* a;
  const std::uint8_t* b;
  const std::uint8_t* c;
  const std::uint8_t* d;
};

// Four sums side by side hide the latency of an addition.
template <class Measure, class Q, class V>
[[gnu::always_inline]] inline float float_sum(const Q* q, const V* v, std::size_t n) {
  constexpr std::size_t kStep = Vec::kFloats;
  Vec::Floats s0 = Vec::zero();
  Vec::Floats s1 = Vec::zero();
  Vec::Floats s2 = Vec::zero();
  Vec::Floats s3 = Vec::zero();
  std::size_t i = 0;
  for (; i + 4 * kStep <= n; i += 4 * kStep) {
    s0 = Measure::step(s0, Vec::load(q + i), Vec::load(v + i));
    s1 = Measure::step(s1, Vec::load(q + i + kStep), Vec::load(v + i + kStep));
    s2 = Measure::step(s2, Vec::load(q + i + 2 * kStep), Vec::load(v + i + 2 * kStep));
    s3 = Measure::step(s3, Vec::load(q + i + 3 * kStep), Vec::load(v + i + 3 * kStep));
  }
  for (; i + kStep <= n; i += kStep) s0 = Measure::step(s0, Vec::load(q + i), Vec::load(v + i));
  if (i < n) s1 = Measure::step(s1, float_tail(q, i, n), float_tail(v, i, n));
  return Vec::sum(Vec::add(Vec::add(s0, s1), Vec::add(s2, s3)));
}

// Sums over q and each of four rows, side by side: what is loaded of q serves them all, and to add
// up across four registers costs little more than across one. (Of an array GCC 12 would keep the
// sums in memory.)
template <class Pair>
[[gnu::always_inline]] inline void byte_sums(const std::uint8_t* q, const Four& row, std::size_t n,
                                             Vec::Words own, std::uint32_t* out) {
  constexpr std::size_t kStep = Vec::kBytes;
  typename Pair::Sum a = {};
  typename Pair::Sum b = {};
  typename Pair::Sum c = {};
  typename Pair::Sum d = {};
  std::size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    const Vec::Bytes part = Vec::load_bytes(q + i);
    Pair::step(a, part, Vec::load_bytes(row.a + i));
    Pair::step(b, part, Vec::load_bytes(row.b + i));
    Pair::step(c, part, Vec::load_bytes(row.c + i));
    Pair::step(d, part, Vec::load_bytes(row.d + i));
  }
  if (i < n) {
    const Vec::Bytes part = byte_tail(q, i, n);
    Pair::step(a, part, byte_tail(row.a, i, n));
    Pair::step(b, part, byte_tail(row.b, i, n));
    Pair::step(c, part, byte_tail(row.c, i, n));
    Pair::step(d, part, byte_tail(row.d, i, n));
  }
  Vec::sum_four(Pair::total(a, own), Pair::total(b, own), Pair::total(c, own), Pair::total(d, own),
                out);
}

// Of half bytes: the low halves meet the first n bytes of q, the high ones those behind.
[[gnu::always_inline]] inline void half_sums(const std::uint8_t* q, const Four& row, std::size_t n,
                                             std::uint32_t* out) {
  using Pair = Vec::DotS8U4;
  constexpr std::size_t kStep = Vec::kBytes;
  Pair::Sum a = {};
  Pair::Sum b = {};
  Pair::Sum c = {};
  Pair::Sum d = {};
  std::size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    const Vec::Bytes low = Vec::load_bytes(q + i);
    const Vec::Bytes high = Vec::load_bytes(q + n + i);
    Pair::step(a, low, high, Vec::load_bytes(row.a + i));
    Pair::step(b, low, high, Vec::load_bytes(row.b + i));
    Pair::step(c, low, high, Vec::load_bytes(row.c + i));
    Pair::step(d, low, high, Vec::load_bytes(row.d + i));
  }
  if (i < n) {
    const Vec::Bytes low = byte_tail(q, i, n);
    const Vec::Bytes high = byte_tail(q + n, i, n);
    Pair::step(a, low, high, byte_tail(row.a, i, n));
    Pair::step(b, low, high, byte_tail(row.b, i, n));
    Pair::step(c, low, high, byte_tail(row.c, i, n));
    Pair::step(d, low, high, byte_tail(row.d, i, n));
  }
  Vec::sum_four(Pair::total(a), Pair::total(b), Pair::total(c), Pair::total(d), out);
}

// What the query alone contributes to byte_sums().
template <class Pair>
[[gnu::always_inline]] inline Vec::Words byte_own([[maybe_unused]] const std::uint8_t* q,
                                                  [[maybe_unused]] std::size_t n) {
  Vec::Words own = Vec::zero_words();
  if constexpr (Pair::kOwn) {
    std::size_t i = 0;
    for (; i + Vec::kBytes <= n; i += Vec::kBytes) own = Pair::own(own, Vec::load_bytes(q + i));
    if (i < n) own = Pair::own(own, byte_tail(q, i, n));
  }
  return own;
}

// -- from a sum to a distance
// ----------------------------------------------------------------------

[[gnu::always_inline]] inline float tail_float(const std::byte* tail, std::size_t i) {
  float value;
  __builtin_memcpy(&value, tail + i * sizeof(float), sizeof(float));
  return value;
}

// Within [0, 2]; what is not a number is as far as can be.
[[gnu::always_inline]] inline float clamped(float distance) {
  return distance < 0 ? 0.0F : (distance < 2 ? distance : 2.0F);
}

// A component at any address. (The halves are made of their bits: their constructor is an inline
// function of everybody's.)
template <class T>
double component(const std::byte* p) {
  if constexpr (sizeof(T) == 2) {
    std::uint16_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return static_cast<double>(to_float(T{bits}));
  } else {
    T value;
    __builtin_memcpy(&value, p, sizeof(value));
    return static_cast<double>(value);
  }
}

// The cosine where single precision has no room: norms near the ends of its range. Slow and rare.
template <class Q, class V>
[[gnu::cold, gnu::noinline]] float far_cosine(const void* query, const std::byte* row,
                                              std::size_t n) {
  double dot = 0;
  double q_square = 0;
  double v_square = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double q = component<Q>(static_cast<const std::byte*>(query) + i * sizeof(Q));
    const double v = component<V>(row + i * sizeof(V));
    dot += q * v;
    q_square += q * q;
    v_square += v * v;
  }
  if (q_square == 0 || v_square == 0) return 1;
  return clamped(
      static_cast<float>(1 - dot / (__builtin_sqrt(q_square) * __builtin_sqrt(v_square))));
}

// -- the kernels: made from a query and a table, called with a row
// -----------------------------------
//
// row_bytes() is what prefetching may touch.

template <class Measure, class Q, class V>
struct FloatKernel {
  FloatKernel(const Query& query, const Rows& rows)
      : q(static_cast<const Q*>(query.data)), n(rows.dimension) {}
  std::size_t row_bytes(const Rows& rows) const { return rows.dimension * sizeof(V); }
  [[gnu::always_inline]] float operator()(const std::byte* row) const {
    return float_sum<Measure>(q, reinterpret_cast<const V*>(row), n);
  }

  const Q* q;
  std::size_t n;
};

template <class Q, class V>
using L2Kernel = FloatKernel<L2, Q, V>;

template <class Q, class V>
struct IpKernel : FloatKernel<Dot, Q, V> {
  using FloatKernel<Dot, Q, V>::FloatKernel;
  [[gnu::always_inline]] float operator()(const std::byte* row) const {
    return 1 - FloatKernel<Dot, Q, V>::operator()(row);
  }
};

template <class Q, class V>
struct CosineKernel : FloatKernel<Dot, Q, V> {
  CosineKernel(const Query& query, const Rows& rows)
      : FloatKernel<Dot, Q, V>(query, rows), scale(query.scale), tail(rows.tail) {}
  std::size_t row_bytes(const Rows& rows) const { return rows.tail + sizeof(float); }
  [[gnu::always_inline]] float operator()(const std::byte* row) const {
    const float dot = FloatKernel<Dot, Q, V>::operator()(row);
    const float inverse = scale * tail_float(row + tail, 0);
    // Written so that NaN takes the slow way too.
    if (!(inverse < 1e30F && __builtin_fabsf(dot) < 1e30F)) [[unlikely]] {
      return far_cosine<Q, V>(this->q, row, this->n);
    }
    return clamped(1 - dot * inverse);
  }

  float scale;
  std::size_t tail;
};

template <class Pair>
struct ByteKernel {
  ByteKernel(const Query& query, const Rows& rows)
      : q(static_cast<const std::uint8_t*>(query.data)),
        n(rows.dimension),
        own(byte_own<Pair>(q, n)) {}
  std::size_t row_bytes(const Rows& rows) const { return rows.dimension; }
  [[gnu::always_inline]] void sums(const Four& row, std::uint32_t* out) const {
    byte_sums<Pair>(q, row, n, own, out);
  }
  // A dot product of i8 is a signed number below 2^31, all other sums are unsigned.
  [[gnu::always_inline]] static float number(std::uint32_t word) {
    if constexpr (Pair::kSigned) return static_cast<float>(static_cast<std::int32_t>(word));
    return static_cast<float>(word);
  }

  const std::uint8_t* q;
  std::size_t n;
  Vec::Words own;
};

template <class Pair>
struct ByteL2Kernel : ByteKernel<Pair> {
  using ByteKernel<Pair>::ByteKernel;
  [[gnu::always_inline]] float distance(std::uint32_t word,
                                        [[maybe_unused]] const std::byte* row) const {
    return this->number(word);
  }
};

template <class Pair>
struct ByteIpKernel : ByteKernel<Pair> {
  using ByteKernel<Pair>::ByteKernel;
  [[gnu::always_inline]] float distance(std::uint32_t word,
                                        [[maybe_unused]] const std::byte* row) const {
    return 1 - this->number(word);
  }
};

template <class Pair>
struct ByteCosineKernel : ByteKernel<Pair> {
  ByteCosineKernel(const Query& query, const Rows& rows)
      : ByteKernel<Pair>(query, rows), scale(query.scale), tail(rows.tail) {}
  std::size_t row_bytes(const Rows& rows) const { return rows.tail + sizeof(float); }
  [[gnu::always_inline]] float distance(std::uint32_t word, const std::byte* row) const {
    return clamped(1 - this->number(word) * scale * tail_float(row + tail, 0));
  }

  float scale;
  std::size_t tail;
};

struct Sq8Kernel : ByteKernel<Vec::DotS8U8> {
  Sq8Kernel(const Query& of, const Rows& rows)
      : ByteKernel<Vec::DotS8U8>(of, rows), query(of), tail(rows.tail) {}
  std::size_t row_bytes(const Rows& rows) const { return rows.tail + 4 * sizeof(float); }
  [[gnu::always_inline]] float distance(std::uint32_t word, const std::byte* row) const {
    const float low = tail_float(row + tail, 0);
    const float step = tail_float(row + tail, 1);
    const float bias = tail_float(row + tail, 2);
    const float step_sum = tail_float(row + tail, 3);
    return query.offset + bias + low * query.sum + step * query.scale * number(word) +
           step_sum * query.cross;
  }

  Query query;
  std::size_t tail;
};

struct Rot4Kernel {
  Rot4Kernel(const Query& of, const Rows& rows)
      : query(of), half((std::size_t{rows.dimension} + 1) / 2), tail(rows.tail) {}
  std::size_t row_bytes(const Rows& rows) const { return rows.tail + 3 * sizeof(float); }
  [[gnu::always_inline]] void sums(const Four& row, std::uint32_t* out) const {
    half_sums(static_cast<const std::uint8_t*>(query.data), row, half, out);
  }
  [[gnu::always_inline]] float distance(std::uint32_t word, const std::byte* row) const {
    const auto sum = static_cast<float>(static_cast<std::int32_t>(word));
    const float factor = tail_float(row + tail, 0);
    const float bias = tail_float(row + tail, 1);
    const float mean = tail_float(row + tail, 2);
    return query.offset + bias + factor * (query.sum + query.scale * sum) + mean * query.cross;
  }

  Query query;
  std::size_t half;
  std::size_t tail;
};

struct BitKernel {
  BitKernel(const Query& query, const Rows& rows)
      : q(static_cast<const std::uint8_t*>(query.data)), n((rows.dimension + 7) / 8) {}
  std::size_t row_bytes(const Rows&) const { return n; }

  const std::uint8_t* q;
  std::size_t n;
};

struct HammingKernel : BitKernel {
  using BitKernel::BitKernel;
  [[gnu::always_inline]] float operator()(const std::byte* row) const {
    const auto* v = reinterpret_cast<const std::uint8_t*>(row);
    Vec::Words differing = Vec::zero_words();
    std::size_t i = 0;
    for (; i + Vec::kBytes <= n; i += Vec::kBytes) {
      differing =
          Vec::count_bits(differing, Vec::xor_(Vec::load_bytes(q + i), Vec::load_bytes(v + i)));
    }
    if (i < n) {
      differing = Vec::count_bits(differing, Vec::xor_(byte_tail(q, i, n), byte_tail(v, i, n)));
    }
    return static_cast<float>(Vec::sum_words(differing));
  }
};

struct JaccardKernel : BitKernel {
  using BitKernel::BitKernel;
  [[gnu::always_inline]] float operator()(const std::byte* row) const {
    const auto* v = reinterpret_cast<const std::uint8_t*>(row);
    Vec::Words both = Vec::zero_words();
    Vec::Words either = Vec::zero_words();
    std::size_t i = 0;
    for (; i + Vec::kBytes <= n; i += Vec::kBytes) {
      const Vec::Bytes a = Vec::load_bytes(q + i);
      const Vec::Bytes b = Vec::load_bytes(v + i);
      both = Vec::count_bits(both, Vec::and_(a, b));
      either = Vec::count_bits(either, Vec::or_(a, b));
    }
    if (i < n) {
      const Vec::Bytes a = byte_tail(q, i, n);
      const Vec::Bytes b = byte_tail(v, i, n);
      both = Vec::count_bits(both, Vec::and_(a, b));
      either = Vec::count_bits(either, Vec::or_(a, b));
    }
    const std::uint32_t all = Vec::sum_words(either);
    if (all == 0) return 0;
    return 1 - static_cast<float>(Vec::sum_words(both)) / static_cast<float>(all);
  }
};

// In double precision: metres on a globe need more than 24 bits of the angle between near points.
// Differences are taken in degrees, where they are exact, so a point is at 0 from itself.
struct HaversineKernel {
  HaversineKernel(const Query& query, const Rows&)
      : latitude(degrees(static_cast<const std::byte*>(query.data), 0)),
        longitude(degrees(static_cast<const std::byte*>(query.data), 1)),
        cosine(__builtin_cos(latitude * kRadians)) {}
  std::size_t row_bytes(const Rows&) const { return 2 * sizeof(float); }
  float operator()(const std::byte* row) const {
    const double row_latitude = degrees(row, 0);
    const double up = __builtin_sin((row_latitude - latitude) * (kRadians / 2));
    const double along = __builtin_sin((degrees(row, 1) - longitude) * (kRadians / 2));
    const double h = up * up + cosine * __builtin_cos(row_latitude * kRadians) * along * along;
    return static_cast<float>(kDiameter * __builtin_asin(__builtin_sqrt(h < 1 ? h : 1)));
  }
  static double degrees(const std::byte* point, std::size_t i) {
    return static_cast<double>(tail_float(point, i));
  }

  static constexpr double kRadians = 3.14159265358979323846 / 180;
  static constexpr double kDiameter = 2 * 6371008.8;
  double latitude;
  double longitude;
  double cosine;
};

// -- the loop over rows
// ------------------------------------------------------------------------------

[[gnu::always_inline]] inline void prefetch(const std::byte* row, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(row + i);
}

// Rows that are asked for together, of a number of lines that the compiler knows: it is most of
// what a short row costs beside its arithmetic.
template <std::size_t kLines>
[[gnu::always_inline]] inline void prefetch_rows(const std::byte* base, std::size_t stride,
                                                 const std::uint32_t* slots, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* const row = base + slots[i] * stride;
    for (std::size_t line = 0; line < kLines; ++line) __builtin_prefetch(row + line * 64);
  }
}

[[gnu::always_inline]] inline void prefetch_rows(const std::byte* base, std::size_t stride,
                                                 std::size_t bytes, const std::uint32_t* slots,
                                                 std::size_t count) {
  switch ((bytes + 63) / 64) {
    case 1:
      return prefetch_rows<1>(base, stride, slots, count);
    case 2:
      return prefetch_rows<2>(base, stride, slots, count);
    case 3:
      return prefetch_rows<3>(base, stride, slots, count);
    case 4:
      return prefetch_rows<4>(base, stride, slots, count);
    default:
      for (std::size_t i = 0; i < count; ++i) prefetch(base + slots[i] * stride, bytes);
  }
}

// One row after the other; of kernels that sum bytes four at once, some of which may be the same.
template <class Kernel>
void batch(const Query& query, const Rows& rows, const std::uint32_t* slots, std::size_t count,
           float* out) {
  if (count == 0) return;
  const Kernel kernel(query, rows);
  const std::byte* const base = rows.base;
  const std::size_t stride = rows.stride;
  const std::size_t most = static_cast<std::size_t>(rows.lines) * 64;
  const std::size_t all = kernel.row_bytes(rows);
  const std::size_t bytes = all < most ? all : most;
  const std::size_t ahead = rows.lookahead < count ? rows.lookahead : count;
  prefetch_rows(base, stride, bytes, slots, ahead);
  const std::size_t behind = ahead > 0 ? count - ahead : 0;  // so many are asked for by and by
  if constexpr (requires(const Four& row, std::uint32_t* words) { kernel.sums(row, words); }) {
    std::uint32_t last[4];
    for (std::size_t r = 0; r < 4; ++r) {
      last[r] = slots[count / 4 * 4 + r < count ? count / 4 * 4 + r : count - 1];
    }
    for (std::size_t i = 0; i < count; i += 4) {
      const std::uint32_t* const four = i + 4 <= count ? slots + i : last;
      const std::byte* row[4];
      for (std::size_t r = 0; r < 4; ++r) {
        row[r] = base + four[r] * stride;
        if (i + r < behind) prefetch(base + slots[i + r + ahead] * stride, bytes);
      }
      const auto bytes_of = [](const std::byte* of) {
        return reinterpret_cast<const std::uint8_t*>(of);
      };
      std::uint32_t words[4];
      kernel.sums({bytes_of(row[0]), bytes_of(row[1]), bytes_of(row[2]), bytes_of(row[3])}, words);
      float distances[4];
      for (std::size_t r = 0; r < 4; ++r) distances[r] = kernel.distance(words[r], row[r]);
      for (std::size_t r = 0; r < 4 && i + r < count; ++r) out[i + r] = distances[r];
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      if (i < behind) prefetch(base + slots[i + ahead] * stride, bytes);
      out[i] = kernel(base + slots[i] * stride);
    }
  }
}

// -- plain sums
// --------------------------------------------------------------------------------------

template <class Measure>
float sum_f32(const float* a, const float* b, std::size_t n) {
  return float_sum<Measure>(a, b, n);
}

std::size_t first_bad_f32(const float* v, std::size_t n) {
  std::size_t i = 0;
  while (i + Vec::kFloats <= n && !Vec::any_bad(Vec::load(v + i))) i += Vec::kFloats;
  for (; i < n; ++i) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, v + i, sizeof(bits));
    if ((bits & 0x7F800000U) == 0x7F800000U) return i;
  }
  return n;
}

#include "simd/rotate-inl.h"

// -- the table
// ---------------------------------------------------------------------------------------

template <template <class, class> class Kernel>
constexpr void fill_mixed(BatchKernel (&row)[5]) {
  row[0] = batch<Kernel<float, float>>;
  row[1] = batch<Kernel<float, f16>>;
  row[2] = batch<Kernel<float, bf16>>;
  row[3] = batch<Kernel<float, std::int8_t>>;
  row[4] = batch<Kernel<float, std::uint8_t>>;
}

template <template <class, class> class Kernel>
constexpr void fill_alike(BatchKernel (&row)[5]) {
  row[0] = batch<Kernel<float, float>>;
  row[1] = batch<Kernel<f16, f16>>;
  row[2] = batch<Kernel<bf16, bf16>>;
}

constexpr Kernels table(Target target, const char* name) {
  Kernels kernels;
  kernels.target = target;
  kernels.name = name;
  fill_mixed<L2Kernel>(kernels.mixed[0]);
  fill_mixed<IpKernel>(kernels.mixed[1]);
  fill_mixed<CosineKernel>(kernels.mixed[2]);
  fill_alike<L2Kernel>(kernels.alike[0]);
  fill_alike<IpKernel>(kernels.alike[1]);
  fill_alike<CosineKernel>(kernels.alike[2]);
  kernels.alike[0][3] = batch<ByteL2Kernel<Vec::L2S8>>;
  kernels.alike[0][4] = batch<ByteL2Kernel<Vec::L2U8>>;
  kernels.alike[1][3] = batch<ByteIpKernel<Vec::DotS8>>;
  kernels.alike[1][4] = batch<ByteIpKernel<Vec::DotU8>>;
  kernels.alike[2][3] = batch<ByteCosineKernel<Vec::DotS8>>;
  kernels.alike[2][4] = batch<ByteCosineKernel<Vec::DotU8>>;
  kernels.sq8 = batch<Sq8Kernel>;
  kernels.rot4 = batch<Rot4Kernel>;
  kernels.hamming = batch<HammingKernel>;
  kernels.jaccard = batch<JaccardKernel>;
  kernels.haversine = batch<HaversineKernel>;
  kernels.dot_f32 = sum_f32<Dot>;
  kernels.l2_f32 = sum_f32<L2>;
  kernels.rotate = rotate;
  kernels.first_bad_f32 = first_bad_f32;
  return kernels;
}

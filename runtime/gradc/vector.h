// gradc/vector.h: what emitted loops are written with: short vectors, constants, places in a workspace.
//
// Vectors use the extension that GCC and Clang share, so one source serves SSE, AVX2, AVX-512 and NEON: the
// compiler splits what is wider than the machine. C++17, nothing allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "gradc/bf16.h"
#include "gradc/math.h"
#include "gradc/numbers.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

#if defined(__GNUC__)
// Vectors wider than the machine's would be passed in another way with other flags, say the compilers of every function
// that takes or returns one; these are all inlined.
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#if defined(__GNUC__)
using f32x2 __attribute__((vector_size(8))) = float;
using f32x4 __attribute__((vector_size(16))) = float;
using f32x8 __attribute__((vector_size(32))) = float;
using f32x16 __attribute__((vector_size(64))) = float;
using f64x2 __attribute__((vector_size(16))) = double;
using f64x4 __attribute__((vector_size(32))) = double;
using f64x8 __attribute__((vector_size(64))) = double;
#else
#error "emitted code needs the vector extensions of GCC or Clang"
#endif

// Element pointers have no more than the element's alignment.
template <class V, class T>
inline __attribute__((always_inline)) V load(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof(V));
  return v;
}
template <class V, class T>
inline __attribute__((always_inline)) void store(T* to, const V& v) {
  std::memcpy(to, &v, sizeof(V));
}

// The first `count` lanes alone, of 1 to all: of the others nothing is read, and they are 0, or written. By masks where
// there are some; the compilers' builtins, since their headers take longer to read than most networks to compile.
#if defined(__AVX__)
using i32x4 __attribute__((vector_size(16))) = int;
using i32x8 __attribute__((vector_size(32))) = int;
using i64x4 __attribute__((vector_size(32))) = long long;
inline __attribute__((always_inline)) i32x4 first_of_4(std::int64_t count) {
  return i32x4{0, 1, 2, 3} < static_cast<int>(count);
}
inline __attribute__((always_inline)) i32x8 first_of_8(std::int64_t count) {
  return i32x8{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int>(count);
}
#endif
template <class V, class T>
inline __attribute__((always_inline)) V load_first(const T* from, std::int64_t count) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<V, f32x16>)
    return __builtin_ia32_loadups512_mask(from, V{}, static_cast<unsigned short>((1u << count) - 1));
  if constexpr (std::is_same_v<V, f64x8>)
    return __builtin_ia32_loadupd512_mask(from, V{}, static_cast<unsigned char>((1u << count) - 1));
#endif
#if defined(__AVX__)
  if constexpr (std::is_same_v<V, f32x8>)
    return __builtin_ia32_maskloadps256(reinterpret_cast<const V*>(from), first_of_8(count));
  if constexpr (std::is_same_v<V, f32x4>)
    return __builtin_ia32_maskloadps(reinterpret_cast<const V*>(from), first_of_4(count));
  if constexpr (std::is_same_v<V, f64x4>)
    return __builtin_ia32_maskloadpd256(reinterpret_cast<const V*>(from),
                                        i64x4{0, 1, 2, 3} < static_cast<long long>(count));
#endif
  V v = {};
  std::memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(T));
  return v;
}
template <class V, class T, int... Lane>
inline __attribute__((always_inline)) void store_parts(T* to, std::int64_t count, const V& v,
                                                       std::integer_sequence<int, Lane...>) {
  constexpr int half = sizeof...(Lane);
  if constexpr (half == 1) {
    to[0] = v[0];
  } else {
    constexpr std::make_integer_sequence<int, half / 2> quarter{};
    if (count < half) return store_parts(to, count, __builtin_shufflevector(v, v, Lane...), quarter);
    store(to, __builtin_shufflevector(v, v, Lane...));
    if (count > half) store_parts(to + half, count - half, __builtin_shufflevector(v, v, (half + Lane)...), quarter);
  }
}
template <class V, class T>
inline __attribute__((always_inline)) void store_first(T* to, std::int64_t count, const V& v) {
  // What a mask stored can be read again only when it has reached the cache, and AMD's processors take long for masks of
  // AVX: a known number of lanes in two parts at most, or of AVX, is stored in vectors of half the length, and so on.
  constexpr int lanes = sizeof(V) / sizeof(T);
  const bool two_parts = (count & (count - 1) & ((count & (count - 1)) - 1)) == 0;
  if (__builtin_constant_p(count) && (sizeof(V) < 64 || two_parts) && count < lanes)
    return store_parts(to, count, v, std::make_integer_sequence<int, lanes / 2>{});
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<V, f32x16>)
    return __builtin_ia32_storeups512_mask(to, v, static_cast<unsigned short>((1u << count) - 1));
  if constexpr (std::is_same_v<V, f64x8>)
    return __builtin_ia32_storeupd512_mask(to, v, static_cast<unsigned char>((1u << count) - 1));
#endif
#if defined(__AVX__)
  if constexpr (std::is_same_v<V, f32x8>)
    return __builtin_ia32_maskstoreps256(reinterpret_cast<V*>(to), first_of_8(count), v);
  if constexpr (std::is_same_v<V, f32x4>)
    return __builtin_ia32_maskstoreps(reinterpret_cast<V*>(to), first_of_4(count), v);
  if constexpr (std::is_same_v<V, f64x4>)
    return __builtin_ia32_maskstorepd256(reinterpret_cast<V*>(to), i64x4{0, 1, 2, 3} < static_cast<long long>(count), v);
#endif
  std::memcpy(to, &v, static_cast<std::size_t>(count) * sizeof(T));
}

// The same of floats stored in 16 bits.
template <class V>
struct Halves {
  static constexpr int lanes = sizeof(V) / sizeof(float);
  using u16 __attribute__((vector_size(lanes * 2))) = std::uint16_t;
  using u32 __attribute__((vector_size(lanes * 4))) = std::uint32_t;
};
template <class V>
inline __attribute__((always_inline)) V load(const bf16* from) {
  typename Halves<V>::u16 half;
  std::memcpy(&half, from, sizeof half);
  return reinterpret_cast<V>(__builtin_convertvector(half, typename Halves<V>::u32) << 16);
}
// There are masks for pairs of them; the last is read by itself, once more if it is in a pair.
template <class V, int... Lane>
inline __attribute__((always_inline)) typename Halves<V>::u16 first_halves(const bf16* from, std::int64_t count,
                                                                           std::integer_sequence<int, Lane...>) {
  using u16 = typename Halves<V>::u16;
  using Number = std::uint16_t;
#if defined(__AVX__)
  const u16 last = (u16{static_cast<Number>(Lane)...} == static_cast<Number>(count - 1)) & (u16{} + from[count - 1].bits);
  if constexpr (sizeof(u16) == 32)
    return last | reinterpret_cast<u16>(__builtin_ia32_maskloadps256(reinterpret_cast<const f32x8*>(from), first_of_8(count / 2)));
  if constexpr (sizeof(u16) == 16)
    return last | reinterpret_cast<u16>(__builtin_ia32_maskloadps(reinterpret_cast<const f32x4*>(from), first_of_4(count / 2)));
#endif
  return u16{static_cast<Number>(Lane < count ? from[Lane].bits : 0)...};
}
template <class V>
inline __attribute__((always_inline)) V load_first(const bf16* from, std::int64_t count) {
  const auto half = first_halves<V>(from, count, std::make_integer_sequence<int, Halves<V>::lanes>());
  return reinterpret_cast<V>(__builtin_convertvector(half, typename Halves<V>::u32) << 16);
}
template <class V>
inline __attribute__((always_inline)) typename Halves<V>::u32 narrow_bits(const V& v) {
  const auto bits = reinterpret_cast<typename Halves<V>::u32>(v);
  const auto nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const auto is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return is_nan ? (bits >> 16) | 0x40u : nearest;
}
template <class V>
inline __attribute__((always_inline)) void store(bf16* to, const V& v) {
  const auto half = __builtin_convertvector(narrow_bits(v), typename Halves<V>::u16);
  std::memcpy(to, &half, sizeof half);
}
template <class V>
inline __attribute__((always_inline)) void store_first(bf16* to, std::int64_t count, const V& v) {
  const auto half = __builtin_convertvector(narrow_bits(v), typename Halves<V>::u16);
  std::memcpy(to, &half, static_cast<std::size_t>(count) * sizeof(bf16));
}

// from[index], which may be outside, is on its way to the nearest cache.
template <class T>
inline __attribute__((always_inline)) void prefetch(const T* from, std::int64_t index) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) +
                                                   static_cast<std::uintptr_t>(index) * sizeof(T)));
}

// A vector that several products use. No instruction: it keeps GCC from reading the memory it came from again
// for each of them.
template <class V>
inline __attribute__((always_inline)) V pinned(const V& from) {
  V v = from;
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512F__)
  if constexpr (sizeof(V) >= 16) asm("" : "+v"(v));
#elif defined(__GNUC__) && !defined(__clang__) && defined(__AVX__)
  if constexpr (sizeof(V) >= 16 && sizeof(V) <= 32) asm("" : "+x"(v));
#endif
  return v;
}

// Of all lanes: the halves are added, and their halves, and so on.
inline __attribute__((always_inline)) float sum(const f32x4& v) { return (v[0] + v[2]) + (v[1] + v[3]); }
inline __attribute__((always_inline)) double sum(const f64x2& v) { return v[0] + v[1]; }
inline __attribute__((always_inline)) double sum(const f64x4& v) { return (v[0] + v[2]) + (v[1] + v[3]); }
template <class V, int... Lane>
inline __attribute__((always_inline)) auto halved(const V& v, std::integer_sequence<int, Lane...>) {
  return __builtin_shufflevector(v, v, Lane...) + __builtin_shufflevector(v, v, (static_cast<int>(sizeof...(Lane)) + Lane)...);
}
inline __attribute__((always_inline)) float sum(const f32x8& v) { return sum(halved(v, std::make_integer_sequence<int, 4>())); }
inline __attribute__((always_inline)) float sum(const f32x16& v) { return sum(halved(v, std::make_integer_sequence<int, 8>())); }
inline __attribute__((always_inline)) double sum(const f64x8& v) { return sum(halved(v, std::make_integer_sequence<int, 4>())); }

// Sums of several vectors at once, each added up as by sum(), for a third of the instructions: two vectors that hold sums
// of `Width` lanes each make one that holds those of both, of half as many lanes.
//
// Where its lane comes from, for the first or the second half of each sum: from lane 0, … of x or lane `lanes`, … of y.
// The sums of x come before those of y, or where they are within 128 bits, those of both there.
constexpr int folded_lane(int lane, int lanes, int width, int near, int second) {
  const int half = width / 2, together = half >= near ? lanes : near;
  const int in_side = lane % (together / 2), of_y = lane % together >= together / 2;
  return of_y * lanes + lane / together * together + in_side / half * width + second * half + in_side % half;
}
// The lane that has sum number k in the end, of so many.
constexpr int lane_of_sum(int k, int count, int lanes, int near) {
  int lane = 0;
  for (int width = lanes; count > 1; width /= 2, count /= 2, k /= 2) {
    int next = 0;
    while (folded_lane(next, lanes, width, near, 0) != k % 2 * lanes + lane) ++next;
    lane = next;
  }
  return lane;
}
template <int Width, class V, int... Lane>
inline __attribute__((always_inline)) V fold_two(const V& x, const V& y, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane), near = 16 * lanes / static_cast<int>(sizeof(V));
  return __builtin_shufflevector(x, y, folded_lane(Lane, lanes, Width, near, 0)...) +
         __builtin_shufflevector(x, y, folded_lane(Lane, lanes, Width, near, 1)...);
}
template <int Count, int Width, class V, int... Lane>
inline __attribute__((always_inline)) V fold_lanes(const V* v, std::integer_sequence<int, Lane...> lanes) {
  if constexpr (Width == 1) {
    return v[0];
  } else if constexpr (Count == 1) {
    const V folded = v[0] + __builtin_shufflevector(v[0], v[0], (Lane ^ (Width / 2))...);
    return fold_lanes<1, Width / 2>(&folded, lanes);
  } else {
    V folded[Count / 2];
    for (int k = 0; k < Count / 2; ++k) folded[k] = fold_two<Width>(v[2 * k], v[2 * k + 1], lanes);
    return fold_lanes<Count / 2, Width / 2>(folded, lanes);
  }
}
template <int Lanes, class V, int... K>
inline __attribute__((always_inline)) auto sums_in_order(const V* v, std::integer_sequence<int, K...>) {
  constexpr int count = sizeof...(K), near = 16 * Lanes / static_cast<int>(sizeof(V));
  const V all = fold_lanes<count, Lanes>(v, std::make_integer_sequence<int, Lanes>());
  return __builtin_shufflevector(all, all, lane_of_sum(K, count, Lanes, near)...);
}
// A vector of as many lanes as there are vectors: a power of two of them, 2 to as many as they have lanes.
template <class V, class... Vs>
inline __attribute__((always_inline)) auto sums(const V& first, const Vs&... others) {
  const V all[] = {first, others...};
  return sums_in_order<sizeof(V) / sizeof(first[0])>(all, std::make_integer_sequence<int, 1 + sizeof...(Vs)>());
}

// ---------------------------------------------------------------- pairs of bf16

// Of two neighbours in each lane the first is the lower half.
using pairs16 = Halves<f32x16>::u32;

inline __attribute__((always_inline)) pairs16 load_pairs(const bf16* from) {
  pairs16 pairs;
  std::memcpy(&pairs, from, sizeof pairs);
  return pairs;
}
inline __attribute__((always_inline)) pairs16 load_pairs(const float* from) {
  pairs16 pairs = {};
  for (int k = 0; k < 16; ++k)
    pairs[k] = narrow(from[2 * k]).bits | static_cast<std::uint32_t>(narrow(from[2 * k + 1]).bits) << 16;
  return pairs;
}
// One pair in all lanes.
inline __attribute__((always_inline)) pairs16 spread_pair(const bf16* from) {
  std::uint32_t pair;
  std::memcpy(&pair, from, sizeof pair);
  return pairs16{} + pair;
}
inline __attribute__((always_inline)) pairs16 spread_pair(const float* from) {
  return pairs16{} + (narrow(from[0]).bits | static_cast<std::uint32_t>(narrow(from[1]).bits) << 16);
}
// What was added so far, and the two products of each lane. The instruction takes numbers below 2^-126 for zero.
inline __attribute__((always_inline)) f32x16 dot(f32x16 sum, pairs16 a, pairs16 b) {
#if defined(__AVX512BF16__)
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  sum += reinterpret_cast<f32x16>(a & 0xffff0000u) * reinterpret_cast<f32x16>(b & 0xffff0000u);
  sum += reinterpret_cast<f32x16>(a << 16) * reinterpret_cast<f32x16>(b << 16);
  return sum;
#endif
}

// ---------------------------------------------------------------- transposition

#if defined(__AVX512F__)
using f32_tile = f32x16;
#elif defined(__AVX__)
using f32_tile = f32x8;
#else
using f32_tile = f32x4;
#endif

// Blocks of S lanes: a keeps its even ones and takes those of b beside them, b keeps its odd ones and takes a's.
template <int S, class V, int... Lane>
inline __attribute__((always_inline)) void exchange(V& a, V& b, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane);
  const V low = __builtin_shufflevector(a, b, ((Lane & S) != 0 ? lanes + Lane - S : Lane)...);
  b = __builtin_shufflevector(a, b, ((Lane & S) != 0 ? lanes + Lane : Lane + S)...);
  a = low;
}
template <int S, class V, int... Row>
inline __attribute__((always_inline)) void exchange_rows(V* rows, std::integer_sequence<int, Row...> lanes) {
  (((Row & S) != 0 ? void() : exchange<S>(rows[Row], rows[(Row + S) % sizeof...(Row)], lanes)), ...);
}

// As many rows as a vector has lanes: single lanes change places, then pairs, and so on.
template <class V, int... Row>
inline __attribute__((always_inline)) void exchange_all(V* rows, std::integer_sequence<int, Row...> lanes) {
  exchange_rows<1>(rows, lanes);
  exchange_rows<2>(rows, lanes);
  if constexpr (sizeof...(Row) > 4) exchange_rows<4>(rows, lanes);
  if constexpr (sizeof...(Row) > 8) exchange_rows<8>(rows, lanes);
}
template <class V, class From, class To, int... Row>
inline __attribute__((always_inline)) void transpose_tile(const From* from, std::int64_t from_stride, To* to,
                                                          std::int64_t to_stride,
                                                          std::integer_sequence<int, Row...> lanes) {
  V rows[] = {load<V>(from + Row * from_stride)...};
  exchange_all(rows, lanes);
  (store(to + Row * to_stride, rows[Row]), ...);
}

// A corner of one, of fewer rows and columns than a vector has lanes. Rows that are not there are
// the first once more, whose lanes are not stored: 16 choices of an address take g++ less time than
// 16 branches, and run no longer.
template <class V, class T, int... Row>
__attribute__((noinline)) void transpose_corner(const T* from, std::int64_t from_stride, std::int64_t height,
                                                std::int64_t width, T* to, std::int64_t to_stride,
                                                std::integer_sequence<int, Row...> lanes) {
  V rows[] = {load_first<V>(from + (Row < height ? Row : 0) * from_stride, width)...};
  exchange_all(rows, lanes);
  ((Row < width ? store_first(to + Row * to_stride, height, rows[Row]) : void()), ...);
}

template <class T>
inline __attribute__((always_inline)) void copy(T& to, T from) { to = from; }
inline __attribute__((always_inline)) void copy(bf16& to, float from) { to = narrow(from); }
inline __attribute__((always_inline)) void copy(float& to, bf16 from) { to = wide(from); }
template <class T>
constexpr bool holds_floats = std::is_same_v<T, float> || std::is_same_v<T, bf16>;

// Two rows as pairs.
template <class V>
inline __attribute__((always_inline)) typename Halves<V>::u32 half_bits(const float* from) {
  return narrow_bits(load<V>(from));
}
template <class V>
inline __attribute__((always_inline)) typename Halves<V>::u32 half_bits(const bf16* from) {
  typename Halves<V>::u16 half;
  std::memcpy(&half, from, sizeof half);
  return __builtin_convertvector(half, typename Halves<V>::u32);
}
template <class V, class From>
inline void interleave(const From* __restrict first, const From* __restrict second, std::int64_t columns, bf16* __restrict to) {
  constexpr int lanes = sizeof(V) / sizeof(float);
  for (; columns >= lanes; columns -= lanes, first += lanes, second += lanes, to += 2 * lanes) {
    const auto pairs = half_bits<V>(first) | half_bits<V>(second) << 16;
    std::memcpy(to, &pairs, sizeof pairs);
  }
  for (; columns > 0; --columns, ++first, ++second, to += 2) {
    copy(to[0], *first);
    copy(to[1], *second);
  }
}

// to[c * to_stride + r] = from[r * from_stride + c] for r < rows, c < columns
template <class Tile = f32_tile, class From, class To>
inline void transpose(const From* __restrict from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                      To* __restrict to, std::int64_t to_stride) {
  constexpr int tile = sizeof(Tile) / sizeof(float);
  if constexpr (holds_floats<From> && std::is_same_v<To, bf16>) {
    if (rows == 2 && to_stride == 2) return interleave<Tile>(from, from + from_stride, columns, to);
  }
  for (std::int64_t c = 0; c < columns; c += tile) {
    for (std::int64_t r = 0; r < rows; r += tile) {
      const From* const corner = from + r * from_stride + c;
      To* const place = to + c * to_stride + r;
      const std::int64_t height = rows - r < tile ? rows - r : tile;
      const std::int64_t width = columns - c < tile ? columns - c : tile;
      if constexpr (holds_floats<From> && holds_floats<To>) {
        if (height == tile && width == tile) {
          transpose_tile<Tile>(corner, from_stride, place, to_stride, std::make_integer_sequence<int, tile>());
          continue;
        }
      }
#if defined(__AVX512F__)  // where masks cost nothing
      if constexpr (std::is_same_v<From, float> && std::is_same_v<To, float> && tile == 16) {
        if (height * width >= 8 * tile) {
          transpose_corner<Tile>(corner, from_stride, height, width, place, to_stride, std::make_integer_sequence<int, tile>());
          continue;
        }
      }
#endif
      for (std::int64_t j = 0; j < width; ++j) {
        for (std::int64_t i = 0; i < height; ++i) copy(place[j * to_stride + i], corner[i * from_stride + j]);
      }
    }
  }
}

// ---------------------------------------------------------------- lanes

// Accumulators side by side, for loops in which element i goes to number i % N: N of them are worked on at once.
template <class T, int N>
struct Lanes {
  explicit Lanes(T start) {
    for (T& v : lane) v = start;
  }
  T& operator[](std::int64_t k) { return lane[k]; }
  T lane[N];
};

// Of all lanes: the first half with the second, and the halves of that, and so on; the middle one of an odd number
// waits.
template <class T, int N, class Combine>
inline __attribute__((always_inline)) T fold(Lanes<T, N> v, Combine combine) {
  for (int count = N; count > 1; count -= count / 2) {
    const int half = count / 2, kept = count - half;
    for (int k = 0; k < half; ++k) v.lane[k] = combine(v.lane[k], v.lane[k + kept]);
  }
  return v.lane[0];
}
template <class T, int N>
T sum(const Lanes<T, N>& v) {
  return fold(v, [](T a, T b) { return a + b; });
}
template <class T, int N>
T product(const Lanes<T, N>& v) {
  return fold(v, [](T a, T b) { return a * b; });
}
template <class T, int N>
T max(const Lanes<T, N>& v) {
  return fold(v, [](T a, T b) { return max(a, b); });
}
template <class T, int N>
T min(const Lanes<T, N>& v) {
  return fold(v, [](T a, T b) { return min(a, b); });
}

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

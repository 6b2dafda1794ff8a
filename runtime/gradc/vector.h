// gradc/vector.h: what emitted loops are written with: short vectors, constants, places in a workspace.
//
// Vectors use the extension that GCC and Clang share, so one source serves SSE, AVX2, AVX-512 and NEON: the
// compiler splits what is wider than the machine. C++17, nothing allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gradc/numbers.h"

namespace gradc {

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
// The first `count` of them, and zeros.
template <class V, class T>
inline __attribute__((always_inline)) V load_first(const T* from, std::int64_t count) {
  V v = {};
  std::memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(T));
  return v;
}
template <class V, class T>
inline __attribute__((always_inline)) void store(T* to, const V& v) {
  std::memcpy(to, &v, sizeof(V));
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
inline __attribute__((always_inline)) float sum(const f32x16& v) {
  f32x8 h[2];
  std::memcpy(h, &v, sizeof v);
  const f32x8 eight = h[0] + h[1];
  f32x4 q[2];
  std::memcpy(q, &eight, sizeof eight);
  const f32x4 four = q[0] + q[1];
  return (four[0] + four[2]) + (four[1] + four[3]);
}
inline __attribute__((always_inline)) double sum(const f64x8& v) {
  f64x4 h[2];
  std::memcpy(h, &v, sizeof v);
  const f64x4 four = h[0] + h[1];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

}  // namespace gradc

// vectors_build.cpp: vectors.h, for the instructions this file is compiled for. No other header than those it is
// about: what is inline in one may be kept for all of the program.
#include "vectors.h"

#include "gradc/vector.h"

namespace {

float number(float, int k) { return static_cast<float>(k) + 0.5f; }
double number(double, int k) { return static_cast<double>(k) + 0.5; }
gradc::bf16 number(gradc::bf16, int k) { return gradc::narrow(static_cast<float>(k) + 0.5f); }
float value(float x) { return x; }
double value(double x) { return x; }
float value(gradc::bf16 x) { return gradc::wide(x); }

template <class V, class T, int Lanes>
std::int64_t first_lanes(vectors::Pages pages) {
  std::int64_t wrong = 0;
  for (int count = 1; count <= Lanes; ++count) {
    T* const from = reinterpret_cast<T*>(pages.from_end) - count;
    T* const to = reinterpret_cast<T*>(pages.to_end) - count;
    for (int k = 0; k < count; ++k) from[k] = number(T{}, k);
    const V loaded = gradc::load_first<V>(from, count);
    for (int k = 0; k < Lanes; ++k) wrong += loaded[k] != (k < count ? value(number(T{}, k)) : 0);
    gradc::store_first(to, count, loaded);
    for (int k = 0; k < count; ++k) wrong += value(to[k]) != value(number(T{}, k));
    // Further from the end, where a fault would go unnoticed by the processor.
    T* const inside = to - Lanes;
    for (int k = -1; k <= Lanes; ++k) inside[k] = number(T{}, 100);
    gradc::store_first(inside, count, loaded);
    for (int k = -1; k <= Lanes; ++k) {
      const bool stored = k >= 0 && k < count;
      wrong += value(inside[k]) != value(number(T{}, stored ? k : 100));
    }
  }
  return wrong;
}

// Vectors number 0, 1, … of numbers whose sums depend on the order, or of integers, whose sums do not.
template <class V, class T, int Lanes, int... K>
std::int64_t wrong_sums(std::integer_sequence<int, K...>) {
  V uneven[sizeof...(K)], integers[sizeof...(K)];
  for (int k = 0; k < static_cast<int>(sizeof...(K)); ++k) {
    for (int lane = 0; lane < Lanes; ++lane) {
      uneven[k][lane] = T(1) / static_cast<T>(3 + k * Lanes + lane);
      integers[k][lane] = static_cast<T>(k * Lanes + lane);
    }
  }
  const auto sums = gradc::sums(uneven[K]...), exact = gradc::sums(integers[K]...);
  return (std::int64_t{sums[K] != gradc::sum(uneven[K])} + ...) +
         (std::int64_t{exact[K] != static_cast<T>(Lanes * K * Lanes + Lanes * (Lanes - 1) / 2)} + ...);
}
template <class V, class T, int Lanes, int Count = Lanes>
std::int64_t sums() {
  const std::int64_t wrong = wrong_sums<V, T, Lanes>(std::make_integer_sequence<int, Count>());
  if constexpr (Count > 2) return wrong + sums<V, T, Lanes, Count / 2>();
  return wrong;
}

// Sizes of 0 to `most`, with rows of memory that are longer than what is read and written of them.
template <class Tile, class T>
std::int64_t transposition(std::int64_t most) {
  constexpr std::int64_t wide = 40;
  static T from[wide * wide], to[wide * wide];
  for (std::int64_t k = 0; k < wide * wide; ++k) from[k] = static_cast<T>(k + 1);
  std::int64_t wrong = 0;
  for (std::int64_t rows = 0; rows <= most; ++rows) {
    for (std::int64_t columns = 0; columns <= most; ++columns) {
      for (T& element : to) element = T{};
      gradc::transpose<Tile>(from, wide, rows, columns, to, wide);
      for (std::int64_t c = 0; c < wide; ++c) {
        for (std::int64_t r = 0; r < wide; ++r) {
          const T expected = r < rows && c < columns ? static_cast<T>(r * wide + c + 1) : T{};
          wrong += to[c * wide + r] != expected;
        }
      }
    }
  }
  return wrong;
}

}  // namespace

vectors::Faults GRADC_VECTORS(vectors::Pages pages) {
  using namespace gradc;
  return {first_lanes<f32x4, float, 4>(pages) + first_lanes<f32x8, float, 8>(pages) +
              first_lanes<f32x16, float, 16>(pages) + first_lanes<f64x2, double, 2>(pages) +
              first_lanes<f64x4, double, 4>(pages) + first_lanes<f64x8, double, 8>(pages) +
              first_lanes<f32x4, bf16, 4>(pages) + first_lanes<f32x8, bf16, 8>(pages) +
              first_lanes<f32x16, bf16, 16>(pages),
          sums<f32x4, float, 4>() + sums<f32x8, float, 8>() + sums<f32x16, float, 16, 8>() + sums<f64x2, double, 2>() +
              sums<f64x4, double, 4>() + sums<f64x8, double, 8>(),
          transposition<f32x4, float>(37) + transposition<f32x8, float>(37) + transposition<f32x16, float>(37) +
              transposition<f32_tile, double>(19) + transposition<f32_tile, std::int32_t>(19)};
}

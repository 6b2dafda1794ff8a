// first_lanes_build.cpp: first_lanes.h, for the instructions this file is compiled for. No other header than those it is
// about: what is inline in one may be kept for all of the program.
#include "first_lanes.h"

#include "gradc/vector.h"

namespace {

float number(float, int k) { return static_cast<float>(k) + 0.5f; }
double number(double, int k) { return static_cast<double>(k) + 0.5; }
gradc::bf16 number(gradc::bf16, int k) { return gradc::narrow(static_cast<float>(k) + 0.5f); }
float value(float x) { return x; }
double value(double x) { return x; }
float value(gradc::bf16 x) { return gradc::wide(x); }

template <class V, class T, int Lanes>
std::int64_t faults(first_lanes::Pages pages) {
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

}  // namespace

std::int64_t GRADC_FIRST_LANES(first_lanes::Pages pages) {
  return faults<gradc::f32x4, float, 4>(pages) + faults<gradc::f32x8, float, 8>(pages) +
         faults<gradc::f32x16, float, 16>(pages) + faults<gradc::f64x2, double, 2>(pages) +
         faults<gradc::f64x4, double, 4>(pages) + faults<gradc::f64x8, double, 8>(pages) +
         faults<gradc::f32x4, gradc::bf16, 4>(pages) + faults<gradc::f32x8, gradc::bf16, 8>(pages) +
         faults<gradc::f32x16, gradc::bf16, 16>(pages);
}

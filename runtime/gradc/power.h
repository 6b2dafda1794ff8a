// gradc/power.h: x^y of emitted code, in f32; of gradc/math.h, which includes it.
//
// 2^(y log2 x) in f64, whose digits beyond those of a float make up for what a large y multiplies the error of the
// logarithm with. Branch-free, so that loops of it become vector code. C++17, nothing allocates.
#pragma once

#include <cstdint>

#include "gradc/float_bits.h"
#include "gradc/qualify.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

namespace math_detail {

// Of a positive float, to some 38 binary digits: log2 m = 2 / ln 2 (s + s^3 / 3 + s^5 / 5 + …), s = (m - 1) / (m + 1).
GRADC_BOTH inline double log2_of(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const std::uint32_t shifted = bits_of(tiny ? x * 8388608.0f : x) - 0x3f3504f3u;
  const std::int32_t n = (static_cast<std::int32_t>(shifted) >> 23) - (tiny ? 23 : 0);
  const auto m = static_cast<double>(float_of((shifted & 0x007fffffu) + 0x3f3504f3u));  // in [sqrt 1/2, sqrt 2)
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  double p = 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  return static_cast<double>(n) + 2.88539008177792681 * (s + s * z * p);
}

// 2^t for |t| < 250.
GRADC_BOTH inline float exp2_of(double t) {
  const double n = (t + 6755399441055744.0) - 6755399441055744.0;  // to the nearest integer
  const double f = (t - n) * 0.693147180559945309;
  double p = 1.0 / 362880.0;
  p = p * f + 1.0 / 40320.0;
  p = p * f + 1.0 / 5040.0;
  p = p * f + 1.0 / 720.0;
  p = p * f + 1.0 / 120.0;
  p = p * f + 1.0 / 24.0;
  p = p * f + 1.0 / 6.0;
  p = p * f + 0.5;
  p = p * f + 1.0;
  p = p * f + 1.0;
  const auto whole = static_cast<std::int32_t>(n);
  const std::int32_t half = whole / 2;
  return static_cast<float>(p) * power_of_two(half) * power_of_two(whole - half);
}

}  // namespace math_detail

#if !defined(__CUDACC__)
__attribute__((always_inline))  // Clang finds it too long, and makes no vectors of a loop with a call
#endif
GRADC_BOTH inline float pow(float x, float y) {
  using namespace math_detail;
  const float a = GRADC_C(fabsf)(x);
  // No more is needed of y where |x| is not 1; where it is, 0 times this is 0.
  float limited = y > 1e12f ? 1e12f : y;
  limited = limited < -1e12f ? -1e12f : limited;
  const double most = infinite, at_0 = a == 0.0f ? -most : 0.0, at_infinity = a == infinite ? most : 0.0;
  double t = static_cast<double>(limited) * (log2_of(a) + (at_0 + at_infinity));
  // Beyond these the result is infinite or 0 anyway. For NaN any number will do.
  t = t < 160.0 ? t : 160.0;
  t = t > -160.0 ? t : -160.0;
  const float magnitude = exp2_of(t);
  // Without && and ||, which are branches.
  const float half = 0.5f * y;
  const bool whole = GRADC_C(floorf)(y) == y, odd = whole & (GRADC_C(floorf)(half) != half);
  const float with_sign = with_sign_of(magnitude, x), power = odd ? with_sign : magnitude;
  const bool undefined = (x != x) | (y != y) | ((x < 0.0f) & (a < infinite) & !whole);
  const float defined = undefined ? float_of(0x7fc00000u) : power;
  const bool one = (y == 0.0f) | (x == 1.0f);
  return one ? 1.0f : defined;
}

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

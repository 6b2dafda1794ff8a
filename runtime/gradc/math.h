// gradc/math.h: the scalar functions of gradc.
//
// In f32 they are branch-free arithmetic that a compiler turns into vector code inside a loop, without -ffast-math:
// no tables, no calls, and a choice only between values that have been computed. Infinities, zeros and NaN are as in C;
// errors are at most 2.5 units in the last place, and docs/math.md says how large. In f64 they call the C library.
// C++17, nothing allocates.
#pragma once

#include <cstdint>

#include "gradc/float_bits.h"
#include "gradc/power.h"
#include "gradc/qualify.h"
#include "gradc/trigonometry.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

namespace math_detail {

constexpr float log2_e = 1.44269504088896341f;
constexpr float ln2_high = 0.693359375f;             // 9 bits: n * ln2_high is exact
constexpr float ln2_low = -2.12194440054690583e-4f;  // ln 2 - ln2_high

// Added to x, |x| < 2^22, it leaves the nearest integer in the last bits.
constexpr float in_last_bits = 12582912.0f;

// x = n ln 2 + r, |r| <= ln 2 / 2, for |x| <= 127. Of NaN r is NaN, and n any number.
struct Reduced {
  std::int32_t n;
  float r;
};
GRADC_BOTH inline Reduced reduce(float x) {
  const float shifted = x * log2_e + in_last_bits;
  const float n = shifted - in_last_bits;
  return {static_cast<std::int32_t>(bits_of(shifted) - bits_of(in_last_bits)), (x - n * ln2_high) - n * ln2_low};
}

// exp(r) - 1 - r for |r| <= 0.35. In pairs of terms, since a small network waits for its activations: five operations one
// after another, not seven.
GRADC_BOTH inline float exp_tail(float r) {
  const float r2 = r * r;
  float p = 1.9875691500e-4f * r + 1.3981999507e-3f;
  p = p * r2 + (8.3334519073e-3f * r + 4.1665795894e-2f);
  p = p * r2 + (1.6666665459e-1f * r + 5.0000001201e-1f);
  return p * r2;
}

// exp(x) for x <= 0, in fewer steps one after another: 2^n is a float, if not a normal one.
GRADC_BOTH inline float exp_of_negative(float x) {
  const bool vanishes = x < -104.0f;
  const float y = vanishes ? 0.0f : x;
  const Reduced q = reduce(y);
  const float p = (exp_tail(q.r) + q.r) + 1.0f;
  const std::int32_t half = q.n >> 1;
  return p * (power_of_two(half) * (vanishes ? 0.0f : power_of_two(q.n - half)));
}

// log(1 + f) - f + f^2 / 2 for 1 + f in [sqrt 1/2, sqrt 2].
GRADC_BOTH inline float log_tail(float f) {
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return p * f * f * f;
}

}  // namespace math_detail

// ---------------------------------------------------------------- simple functions, any type

// NaN if either argument is NaN; of equal ones the second. Two choices between values, since a compiler takes a condition
// of two parts for a branch, and then makes no vectors of the loop around it.
template <class T>
GRADC_BOTH inline T max(T x, T y) {
  const T larger = x > y ? x : y;
  return x != x ? x : larger;
}
template <class T>
GRADC_BOTH inline T min(T x, T y) {
  const T smaller = x < y ? x : y;
  return x != x ? x : smaller;
}
GRADC_BOTH inline std::int64_t max(std::int64_t x, std::int64_t y) { return x > y ? x : y; }
GRADC_BOTH inline std::int64_t min(std::int64_t x, std::int64_t y) { return x < y ? x : y; }
GRADC_BOTH inline std::int64_t floor_div(std::int64_t x, std::int64_t y) {
  const std::int64_t quotient = x / y;
  return x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient;
}
GRADC_BOTH inline std::int64_t mod(std::int64_t x, std::int64_t y) {
  const std::int64_t remainder = x % y;
  return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
}
GRADC_BOTH inline std::int64_t abs(std::int64_t x) { return x < 0 ? -x : x; }
GRADC_BOTH inline std::int64_t sign(std::int64_t x) { return (x > 0) - (x < 0); }
GRADC_BOTH inline std::int64_t pow(std::int64_t x, std::int64_t n) {
  std::int64_t result = 1;
  for (; n > 0; n /= 2) {
    if (n % 2 != 0) result *= x;
    x *= x;
  }
  return result;
}

// ---------------------------------------------------------------- f64: the C library

GRADC_BOTH inline double exp(double x) { return GRADC_C(exp)(x); }
GRADC_BOTH inline double expm1(double x) { return GRADC_C(expm1)(x); }
GRADC_BOTH inline double log(double x) { return GRADC_C(log)(x); }
GRADC_BOTH inline double log1p(double x) { return GRADC_C(log1p)(x); }
GRADC_BOTH inline double sqrt(double x) { return GRADC_C(sqrt)(x); }
GRADC_BOTH inline double sin(double x) { return GRADC_C(sin)(x); }
GRADC_BOTH inline double cos(double x) { return GRADC_C(cos)(x); }
GRADC_BOTH inline double tan(double x) { return GRADC_C(tan)(x); }
GRADC_BOTH inline double atan(double x) { return GRADC_C(atan)(x); }
GRADC_BOTH inline double tanh(double x) { return GRADC_C(tanh)(x); }
GRADC_BOTH inline double erf(double x) { return GRADC_C(erf)(x); }
GRADC_BOTH inline double pow(double x, double y) { return GRADC_C(pow)(x, y); }
GRADC_BOTH inline double abs(double x) { return GRADC_C(fabs)(x); }
GRADC_BOTH inline double sign(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; }
GRADC_BOTH inline double floor(double x) { return GRADC_C(floor)(x); }
GRADC_BOTH inline double ceil(double x) { return GRADC_C(ceil)(x); }
GRADC_BOTH inline double round(double x) { return GRADC_C(nearbyint)(x); }
GRADC_BOTH inline double logistic(double x) {
  const double e = GRADC_C(exp)(-GRADC_C(fabs)(x));
  return (x >= 0 ? 1.0 : e) / (1.0 + e);
}
GRADC_BOTH inline double log1pexp(double x) {
  return (x > 0 ? x : 0.0 * x) + GRADC_C(log1p)(GRADC_C(exp)(-GRADC_C(fabs)(x)));
}

// ---------------------------------------------------------------- f32

GRADC_BOTH inline float sqrt(float x) { return GRADC_C(sqrtf)(x); }
GRADC_BOTH inline float abs(float x) { return GRADC_C(fabsf)(x); }
GRADC_BOTH inline float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
GRADC_BOTH inline float floor(float x) { return GRADC_C(floorf)(x); }
GRADC_BOTH inline float ceil(float x) { return GRADC_C(ceilf)(x); }
GRADC_BOTH inline float round(float x) { return GRADC_C(nearbyintf)(x); }

GRADC_BOTH inline float exp(float x) {
  using namespace math_detail;
  // Beyond these the result is infinite or 0 anyway; NaN passes both. What ends as 0 is 1 times 0, since a product that
  // falls below all floats takes some processors a hundred times as long, and masked scores are such arguments.
  const bool vanishes = x < -104.0f;
  float y = x > 89.0f ? 89.0f : x;
  y = vanishes ? 0.0f : y;
  const Reduced q = reduce(y);
  const float p = (exp_tail(q.r) + q.r) + 1.0f;
  // In two factors, since 2^n alone may not be a float.
  const std::int32_t half = q.n >> 1;
  return p * power_of_two(half) * (vanishes ? 0.0f : power_of_two(q.n - half));
}

GRADC_BOTH inline float expm1(float x) {
  using namespace math_detail;
  float y = x > 89.0f ? 89.0f : x;
  y = y < -30.0f ? -30.0f : y;
  const Reduced q = reduce(y);
  const float tail = exp_tail(q.r);
  const std::int32_t half = q.n >> 1;
  const float a = power_of_two(half), b = power_of_two(q.n - half);
  // 2^n (exp(r) - 1) + (2^n - 1), the large part apart; for n = 0 that is the first term alone.
  const float scaled = (tail + q.r) * a * b;
  const float result = scaled + (a * b - 1.0f);
  // Beyond n = 126 the -1 is lost and 2^n may be infinite.
  const float large = ((tail + q.r) + 1.0f) * a * b;
  return q.n > 60 ? large : x == 0.0f ? x : result;
}

// log(0) = -inf, log(x < 0) = NaN.
GRADC_BOTH inline float log(float x) {
  using namespace math_detail;
  // Subnormal numbers are scaled up first.
  const bool tiny = x < 1.17549435e-38f;
  const float y = tiny ? x * 8388608.0f : x;
  const std::uint32_t bits = bits_of(y);
  // y = 2^n m with m in [sqrt 1/2, sqrt 2).
  const std::uint32_t shifted = bits - 0x3f3504f3u;
  const auto exponent = static_cast<std::int32_t>(shifted) >> 23;
  const float n = static_cast<float>(exponent) - (tiny ? 23.0f : 0.0f);
  const float f = float_of((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float small = log_tail(f) + n * ln2_low - 0.5f * f * f;
  const float result = (small + f) + n * ln2_high;
  const float special = x == 0.0f ? -infinite : x > 0.0f ? x : x == x ? float_of(0x7fc00000u) : x;
  return x > 0.0f && x < infinite ? result : special;
}

GRADC_BOTH inline float log1p(float x) {
  using namespace math_detail;
  const float u = 1.0f + x;
  // What the addition lost, relative to u: log(u + lost) = log(u) + lost / u.
  const float lost = x >= 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);
  const std::uint32_t shifted = bits_of(u) - 0x3f3504f3u;
  const auto exponent = static_cast<std::int32_t>(shifted) >> 23;
  const float n = static_cast<float>(exponent);
  const float f = float_of((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float correction = lost / u;
  const float small = log_tail(f) + (n * ln2_low + correction) - 0.5f * f * f;
  const float result = (small + f) + n * ln2_high;
  const float special = x == -1.0f ? -infinite : x > 0.0f ? x : x == x ? float_of(0x7fc00000u) : x;
  const float inside = abs(x) < 1e-7f ? x - 0.5f * x * x : result;
  return x > -1.0f && x < infinite ? inside : special;
}

GRADC_BOTH inline float tanh(float x) {
  using namespace math_detail;
  const float a = abs(x);
  // tanh a = m / (m + 2) with m = exp(2a) - 1, as expm1 has it, whose special cases are none from 0 to 20. NaN goes as 10.
  const Reduced q = reduce(2.0f * (a < 10.0f ? a : 10.0f));
  const float scale = power_of_two(q.n);
  const float m = (exp_tail(q.r) + q.r) * scale + (scale - 1.0f);
  const float result = m / (m + 2.0f);
  return x == x ? with_sign_of(result, x) : x;
}

GRADC_BOTH inline float erf(float x) {
  using namespace math_detail;
  const float a = abs(x), s = x * x;
  // Near 0 an odd polynomial, further out 1 - exp(-polynomial).
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  const float near_zero = p * x + x;
  const float t = a < 4.0f ? a : 4.0f;
  float q = -1.72853470e-5f * t + 3.83197126e-4f;
  q = q * (t * t) + (-3.88396438e-3f * t + 2.42546219e-2f);
  q = q * t - 1.06777877e-1f;
  q = q * t - 6.34846687e-1f;
  q = q * t - 1.28717512e-1f;
  q = q * t - t;
  // q is in -17 … 0, where exp has no special cases. NaN goes as 4, and is what is near 0.
  const Reduced e = reduce(q);
  const float far = with_sign_of(1.0f - ((exp_tail(e.r) + e.r) + 1.0f) * power_of_two(e.n), x);
  return a > 0.927734375f ? far : near_zero;
}

GRADC_BOTH inline float logistic(float x) {
  const float e = math_detail::exp_of_negative(-abs(x));
  return (x >= 0.0f ? 1.0f : e) / (1.0f + e);
}

GRADC_BOTH inline float log1pexp(float x) {
  const float l = log1p(math_detail::exp_of_negative(-abs(x)));
  return x > 0.0f ? x + l : l;
}

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

// gradc/trigonometry.h: sin, cos, tan and atan of emitted code, in f32; of gradc/math.h, which includes it.
//
// Branch-free for every float, so that loops of them become vector code: the angle is reduced in fixed point with as
// many digits of 2 / π as its exponent needs, at the same cost for all. C++17, nothing allocates.
#pragma once

#include <cstdint>

#include "gradc/float_bits.h"
#include "gradc/qualify.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

namespace math_detail {

// |x| = n π / 2 + r + lost, |r| <= π / 4, n modulo 4; `lost` is what r as a float lacks. Of infinity and NaN it is
// anything.
struct Angle {
  std::uint32_t n;
  float r, lost;
};
GRADC_BOTH inline Angle reduce_angle(float x) {
  // From 1 on |x| = m 2^(e - 23) with a whole m < 2^24. Of 2 / π the 96 digits behind the first e give two digits of
  // |x| 2 / π in front of the point and 62 behind it: what comes before them are multiples of four. No float but 0 is
  // nearer than 2^-30 to a multiple of π / 2.
  const std::uint32_t bits = bits_of(x) & 0x7fffffffu;
  const std::uint32_t e = (bits > 0x3f800000u ? bits >> 23 : 127u) - 127u;
  const std::uint32_t m = (bits & 0x007fffffu) | 0x00800000u;
  // 2 / π = 0.1010001011…, behind 25 zeros. The first word is e / 32, the first digit in it e % 32.
  const bool b64 = (e & 64u) != 0, b32 = (e & 32u) != 0;
  const std::uint32_t d0 = b64 ? 0x220a94feu : 0x00000051u, d1 = b64 ? 0x13abe8fau : 0x7cc1b727u,
                      d2 = b64 ? 0x9a6ee06du : 0x220a94feu, d3 = b64 ? 0xb14acc9eu : 0x13abe8fau,
                      d4 = b64 ? 0x21c820ffu : 0x9a6ee06du;
  const std::uint32_t c0 = b32 ? d1 : d0, c1 = b32 ? d2 : d1, c2 = b32 ? d3 : d2, c3 = b32 ? d4 : d3;
  const std::uint32_t left = e & 31u, right = 31u - left;
  const std::uint32_t w0 = (c0 << left) | ((c1 >> 1) >> right), w1 = (c1 << left) | ((c2 >> 1) >> right),
                      w2 = (c2 << left) | ((c3 >> 1) >> right);
  // Modulo 4, in units of 2^-62.
  const std::uint64_t turns = (static_cast<std::uint64_t>(m * w0) << 32) + static_cast<std::uint64_t>(m) * w1 +
                              ((static_cast<std::uint64_t>(m) * w2) >> 32);
  const auto n = static_cast<std::uint32_t>((turns + (std::uint64_t{1} << 61)) >> 62);
  const std::uint64_t rest = turns << 2;  // less n, with a sign, in units of 2^-64
  const double quarter_turns =
      static_cast<double>(static_cast<std::int32_t>(static_cast<std::uint32_t>(rest >> 32))) * 0x1p-32 +
      static_cast<double>(static_cast<std::int32_t>(static_cast<std::uint32_t>(rest) >> 1)) * 0x1p-63;
  const double angle = quarter_turns * 1.57079632679489662;
  const auto r = static_cast<float>(angle);
  const auto lost = static_cast<float>(angle - static_cast<double>(r));
  // Up to 1 there is nothing to reduce, or π / 2 once, which the float below exceeds by 4.4e-8.
  const float a = float_of(bits);
  const bool small = a <= 1.0f, once = a > 0.785398163f;
  const float less = a - 1.57079637f, near = once ? less + 4.37113883e-8f : a;
  const float near_lost = once ? (less - near) + 4.37113883e-8f : 0.0f;
  return {small ? (once ? 1u : 0u) : n, small ? near : r, small ? near_lost : lost};
}

// For |r| <= π / 4.
GRADC_BOTH inline float sin_near_zero(float r) {
  const float z = r * r;
  const float p = (-1.9515218446e-4f * z + 8.3321603015e-3f) * z - 1.6666655242e-1f;
  return r + r * z * p;
}
GRADC_BOTH inline float cos_near_zero(float r) {
  const float z = r * r;
  const float p = (2.4433084036e-5f * z - 1.3887315290e-3f) * z + 4.1666645557e-2f;
  return 1.0f - (0.5f * z - z * z * p);
}

// sin(n π / 2 + r) with its sign times that of `sign`, or NaN where x is none or infinite.
GRADC_BOTH inline float sin_of(std::uint32_t n, float r, std::uint32_t sign, float x) {
  const float even = sin_near_zero(r), odd = cos_near_zero(r), magnitude = (n & 1u) != 0 ? odd : even;
  const float y = float_of(bits_of(magnitude) ^ ((n & 2u) << 30) ^ sign);
  return GRADC_C(fabsf)(x) < infinite ? y : x - x;
}

}  // namespace math_detail

GRADC_BOTH inline float sin(float x) {
  using namespace math_detail;
  const Angle angle = reduce_angle(x);
  return sin_of(angle.n, angle.r, bits_of(x) & 0x80000000u, x);
}

GRADC_BOTH inline float cos(float x) {
  using namespace math_detail;
  const Angle angle = reduce_angle(x);
  return sin_of(angle.n + 1u, angle.r, 0, x);
}

GRADC_BOTH inline float tan(float x) {
  using namespace math_detail;
  const Angle angle = reduce_angle(x);
  const float r = angle.r, z = r * r;
  float p = 4.3774060905e-3f;
  p = p * z + 8.7290667580e-5f;
  p = p * z + 1.0837545618e-2f;
  p = p * z + 2.1281534806e-2f;
  p = p * z + 5.4060038179e-2f;
  p = p * z + 1.3332661986e-1f;
  p = p * z + 3.3333349228e-1f;
  const float t = r + (r * z * p + (angle.lost + angle.lost * z));
  const float magnitude = (angle.n & 1u) != 0 ? -1.0f / t : t;
  const float y = float_of(bits_of(magnitude) ^ (bits_of(x) & 0x80000000u));
  return GRADC_C(fabsf)(x) < infinite ? y : x - x;
}

GRADC_BOTH inline float atan(float x) {
  using namespace math_detail;
  const float a = GRADC_C(fabsf)(x);
  // atan a = π / 2 - atan(1 / a) = π / 4 + atan((a - 1) / (a + 1)).
  const bool far = a > 2.41421356f, middle = a > 0.414213562f;
  const float t = (far ? -1.0f : middle ? a - 1.0f : a) / (far ? a : middle ? a + 1.0f : 1.0f);
  const float z = t * t;
  float p = -6.0777500272e-2f;
  p = p * z + 1.0593635589e-1f;
  p = p * z - 1.4243510365e-1f;
  p = p * z + 1.9998469949e-1f;
  p = p * z - 3.3333316445e-1f;
  const float start = far ? 1.57079637f : middle ? 0.785398185f : 0.0f;
  const float lost = far ? -4.37113883e-8f : middle ? -2.18556941e-8f : 0.0f;
  const float y = start + (t + (t * z * p + lost));
  return with_sign_of(y, x);
}

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

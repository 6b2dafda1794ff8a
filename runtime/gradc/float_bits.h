// gradc/float_bits.h: floats as their bits, for the functions of gradc/math.h. C++17.
#pragma once

#include <cstdint>
#include <cstring>

#include "gradc/qualify.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {
namespace math_detail {

constexpr float infinite = __builtin_huge_valf();

GRADC_BOTH inline float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
GRADC_BOTH inline std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
GRADC_BOTH inline float with_sign_of(float magnitude, float sign) {
  return float_of((bits_of(magnitude) & 0x7fffffffu) | (bits_of(sign) & 0x80000000u));
}

// 2^n for n in -126 … 127.
GRADC_BOTH inline float power_of_two(std::int32_t n) {
  return float_of(static_cast<std::uint32_t>(n + 127) << 23);
}

}  // namespace math_detail
}  // namespace GRADC_PROCESSOR
}  // namespace gradc

// gradc/bf16.h: floats stored in 16 bits, bfloat16: the sign, the exponent and the first 7 bits of the fraction. C++17.
//
// For memory only: what is read is a float, and computed with as one.
#pragma once

#include <cstdint>
#include <cstring>

#include "gradc/float_bits.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

struct bf16 {
  std::uint16_t bits;
};

// Exact.
GRADC_BOTH inline float wide(bf16 x) { return math_detail::float_of(static_cast<std::uint32_t>(x.bits) << 16); }

// To the nearest, of two equally near the even one; what is beyond the largest is infinite. A NaN stays one.
GRADC_BOTH inline bf16 narrow(float x) {
  const std::uint32_t bits = math_detail::bits_of(x);
  const std::uint32_t nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const std::uint32_t nan = bits >> 16 | 0x40u;
  return {static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : nearest)};
}

// As it is read again after it was stored.
GRADC_BOTH inline float rounded(float x) { return wide(narrow(x)); }

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

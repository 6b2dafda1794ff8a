// gradc/philox.h: the random numbers of gradc, by counter: same arguments, same bits, on every
// target.
//
// A number is a pure function of (seed, step, stream, element), so results depend on no order of
// evaluation, thread count or batch of calls. Everything up to the last conversion is integer
// arithmetic, so compiler flags (-ffast-math, fused multiply-add) cannot change a bit. C++17,
// nothing allocates.
//
//   bits     Philox 4x32-10 (Salmon et al., SC'11); key = seed (low word first), counter =
//            {low(element / 4), high(element / 4), stream, step}; element % 4 picks one of the 4
//            words.
//   uniform  the top 24 bits of the word, over 2^24: [0, 1), exact in f32.
//   normal   Box-Muller. Elements 2k and 2k+1 share the words w0 = word 2k and w1 = word 2k+1:
//            radius = sqrt(-2 ln((w0 + 1/2) / 2^32)), angle = 2 pi (w1 + 1/2) / 2^32;
//            radius * cos(angle) for the even element, radius * sin(angle) for the odd one.
//            |normal| < 6.77; its absolute error is below 1e-8 before it is rounded to f32.
#pragma once

#include <cstdint>

#include "gradc/qualify.h"

namespace gradc {
inline namespace GRADC_PROCESSOR {

struct PhiloxWords {
  std::uint32_t word[4];
};

// Ten rounds of the Philox 4x32 bijection.
GRADC_BOTH constexpr PhiloxWords philox(PhiloxWords counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter.word[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = PhiloxWords{{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                           static_cast<std::uint32_t>(product1),
                           static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                           static_cast<std::uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// The four words that elements 4 * block … 4 * block + 3 use.
GRADC_BOTH constexpr PhiloxWords random_block(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                                   std::uint64_t block) {
  return philox(
      {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), stream, step}},
      static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

namespace philox_detail {

// floor(sqrt(x)) for x < 2^62, one bit at a time.
GRADC_BOTH constexpr std::uint64_t root(std::uint64_t x) {
  std::uint64_t result = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 60; bit != 0; bit >>= 2) {
    const std::uint64_t trial = result + bit;
    result >>= 1;
    if (x >= trial) {
      x -= trial;
      result += bit;
    }
  }
  return result;
}

// sqrt(-2 ln((word + 1/2) / 2^32)) * 2^28.
GRADC_BOTH constexpr std::uint64_t radius(std::uint32_t word) {
  // u = v / 2^33 = 2^-halvings * m with m = v / one in [1/sqrt 2, sqrt 2).
  const std::uint64_t v = 2 * std::uint64_t{word} + 1;
  std::uint64_t one = std::uint64_t{1} << 33;
  std::uint64_t halvings = 0;
  for (std::uint64_t shift = 32; shift != 0; shift >>= 1) {
    if (v < (one >> shift)) {
      one >>= shift;
      halvings += shift;
    }
  }
  if (v * 181 < one * 128) {  // 128 / 181 = 1 / sqrt 2, nearly
    one >>= 1;
    halvings += 1;
  }
  // ln m = 2 (s + s^3/3 + s^5/5 + …) with s = (m - 1) / (m + 1), |s| < 0.172. s has 48 binary
  // places.
  const bool below = v < one;
  const std::uint64_t difference = below ? one - v : v - one;
  const std::uint64_t sum = one + v;
  const std::uint64_t high = (difference << 28) / sum;
  const std::uint64_t s = (high << 20) + ((((difference << 28) % sum) << 20) / sum);
  const std::uint64_t square = ((s >> 17) * (s >> 17)) >> 30;  // 32 places
  std::uint64_t series = 390451572u;                           // 1/11, 32 places
  series = 477218588u + ((series * square) >> 32);             // 1/9
  series = 613566757u + ((series * square) >> 32);             // 1/7
  series = 858993459u + ((series * square) >> 32);             // 1/5
  series = 1431655765u + ((series * square) >> 32);            // 1/3
  series = (series * square) >> 32;
  const std::uint64_t log_m = 2 * (s + (((s >> 17) * series) >> 15));  // 48 places
  const std::uint64_t log_halvings = halvings * 195103586505167u;      // ln 2, 48 places
  const std::uint64_t minus_log = below ? log_halvings + log_m : log_halvings - log_m;
  return root(minus_log << 9);  // 2 * minus_log with 56 places
}

// cos(2 pi (word + 1/2) / 2^32) * 2^31.
GRADC_BOTH constexpr std::int64_t cosine(std::uint32_t word) {
  const std::uint32_t quadrant = word >> 30;
  std::uint64_t t = 2 * std::uint64_t{word & 0x3FFFFFFFu} + 1;  // place in the quadrant, 31 places
  if ((quadrant & 1u) != 0) t = (std::uint64_t{1} << 31) - t;
  // cos(pi/2 t) by its series in t^2: the coefficients (pi/2)^2k / (2k)! have 31 places.
  const std::uint64_t square = (t * t) >> 31;
  std::uint64_t series = 14;
  series = 1012u - ((series * square) >> 31);
  series = 54121u - ((series * square) >> 31);
  series = 1974096u - ((series * square) >> 31);
  series = 44803984u - ((series * square) >> 31);
  series = 544751120u - ((series * square) >> 31);
  series = 2649351758u - ((series * square) >> 31);
  const std::int64_t value =
      (std::int64_t{1} << 31) - static_cast<std::int64_t>((series * square) >> 31);
  return quadrant == 1 || quadrant == 2 ? -value : value;
}

}  // namespace philox_detail

// In [0, 1), a multiple of 2^-24.
GRADC_BOTH constexpr float random_uniform(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                               std::uint64_t element) {
  const PhiloxWords words = random_block(seed, step, stream, element / 4);
  return static_cast<float>(words.word[element % 4] >> 8) * 0x1p-24f;  // both steps are exact
}

// Mean 0, standard deviation 1.
GRADC_BOTH constexpr float random_normal(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                              std::uint64_t element) {
  const PhiloxWords words = random_block(seed, step, stream, element / 4);
  const std::uint32_t pair = static_cast<std::uint32_t>(element % 4) & 2u;
  // sin(a) = cos(a - pi/2), a quarter of the 2^32 steps of a turn.
  const std::uint32_t angle = words.word[pair + 1] - (element % 2 == 0 ? 0u : 0x40000000u);
  const std::int64_t product = static_cast<std::int64_t>(philox_detail::radius(words.word[pair])) *
                               philox_detail::cosine(angle);
  return static_cast<float>(product) * 0x1p-59f;  // rounds once, in the conversion
}

// low + (high - low) * u and mean + deviation * z, as f32. The product of two f32 is exact in
// double, so a fused multiply-add changes nothing. f64 tensors get these f32 values too.
GRADC_BOTH constexpr float random_uniform(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                               std::uint64_t element, float low, float high) {
  const double width = static_cast<double>(high - low);
  return static_cast<float>(static_cast<double>(low) + width * static_cast<double>(random_uniform(
                                                                   seed, step, stream, element)));
}
GRADC_BOTH constexpr float random_normal(std::uint64_t seed, std::uint32_t step, std::uint32_t stream,
                              std::uint64_t element, float mean, float deviation) {
  return static_cast<float>(static_cast<double>(mean) +
                            static_cast<double>(deviation) *
                                static_cast<double>(random_normal(seed, step, stream, element)));
}

}  // namespace GRADC_PROCESSOR
}  // namespace gradc

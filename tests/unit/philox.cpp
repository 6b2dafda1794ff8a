// philox.cpp: random bits against the published generator, and the two distributions against libm.
#include "gradc/philox.h"

#include <Random123/philox.h>

#include <cmath>

#include "tests/catch.h"

namespace {

using gradc::PhiloxWords;

constexpr bool equal(PhiloxWords a, std::uint32_t w0, std::uint32_t w1, std::uint32_t w2,
                     std::uint32_t w3) {
  return a.word[0] == w0 && a.word[1] == w1 && a.word[2] == w2 && a.word[3] == w3;
}

// Known answers of Random123 (kat_vectors), checked by the compiler: the functions are constexpr.
static_assert(equal(gradc::philox({{0, 0, 0, 0}}, 0, 0), 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu,
                    0x9b00dbd8u));
constexpr std::uint32_t ones = 0xffffffffu;
static_assert(equal(gradc::philox({{ones, ones, ones, ones}}, ones, ones), 0x408f276du, 0x41c83b0eu,
                    0xa20bc7c6u, 0x6d5451fdu));
static_assert(equal(gradc::philox({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}},
                                  0xa4093822u, 0x299f31d0u),
                    0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u));

TEST_CASE("the bits are those of Random123") {
  std::uint32_t x = 12345;
  auto next = [&] { return x = x * 1664525u + 1013904223u; };
  for (int i = 0; i < 1000; ++i) {
    const r123::Philox4x32::ctr_type counter = {{next(), next(), next(), next()}};
    const r123::Philox4x32::key_type key = {{next(), next()}};
    const auto expected = r123::Philox4x32()(counter, key);
    const PhiloxWords words =
        gradc::philox({{counter[0], counter[1], counter[2], counter[3]}}, key[0], key[1]);
    REQUIRE(equal(words, expected[0], expected[1], expected[2], expected[3]));
  }
}

TEST_CASE("every argument of a random number counts") {
  const float base = gradc::random_uniform(1, 2, 3, 4);
  CHECK(base == gradc::random_uniform(1, 2, 3, 4));
  CHECK(base != gradc::random_uniform(2, 2, 3, 4));
  CHECK(base != gradc::random_uniform(1 + (1ull << 40), 2, 3, 4));
  CHECK(base != gradc::random_uniform(1, 3, 3, 4));
  CHECK(base != gradc::random_uniform(1, 2, 4, 4));
  CHECK(base != gradc::random_uniform(1, 2, 3, 5));
  CHECK(base != gradc::random_uniform(1, 2, 3, 4 + (1ull << 40)));
}

TEST_CASE("uniform numbers are evenly spread between 0 and 1") {
  const int n = 200000;
  double mean = 0, square = 0;
  for (int i = 0; i < n; ++i) {
    const double u = gradc::random_uniform(7, 0, 1, i);
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    REQUIRE(std::ldexp(u, 24) == std::floor(std::ldexp(u, 24)));
    mean += u / n;
    square += u * u / n;
  }
  // 5 standard errors of the mean of n numbers: 5 sqrt(1/12/n), 5 sqrt(4/45/n).
  CHECK(std::abs(mean - 1.0 / 2) < 0.0033);
  CHECK(std::abs(square - 1.0 / 3) < 0.0034);
  CHECK(gradc::random_uniform(7, 0, 1, 9, -2, 6) == -2 + 8 * gradc::random_uniform(7, 0, 1, 9));
}

TEST_CASE("normal numbers are Box and Muller's") {
  const double pi = std::acos(-1.0);
  const int n = 200000;
  double mean = 0, square = 0, fourth = 0, worst = 0;
  for (int i = 0; i < n; ++i) {
    const PhiloxWords words = gradc::random_block(7, 3, 1, i / 4);
    const double u = (words.word[i % 4 / 2 * 2] + 0.5) / 4294967296.0;
    const double angle = 2 * pi * (words.word[i % 4 / 2 * 2 + 1] + 0.5) / 4294967296.0;
    const double expected =
        std::sqrt(-2 * std::log(u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    const double z = gradc::random_normal(7, 3, 1, i);
    // 1e-8 of the recipe, and the rounding to f32.
    worst = std::max(worst, std::abs(z - expected) - std::abs(z) * std::ldexp(1.0, -24));
    mean += z / n;
    square += z * z / n;
    fourth += z * z * z * z / n;
  }
  CHECK(worst < 1e-8);
  // 5 standard errors: the moments' variances are 1, 2 and 96.
  CHECK(std::abs(mean) < 0.0112);
  CHECK(std::abs(square - 1) < 0.0159);
  CHECK(std::abs(fourth - 3) < 0.11);
  CHECK(gradc::random_normal(7, 3, 1, 9, 1, 2) ==
        static_cast<float>(1 + 2 * static_cast<double>(gradc::random_normal(7, 3, 1, 9))));
}

TEST_CASE("normal numbers hold at the ends of their words") {
  for (std::uint32_t w : {0u, 1u, 2u, 0x7fffffffu, 0x80000000u, 0xb504f333u, 0xb504f334u,
                          0xb505f333u, 0xfffffffdu, 0xfffffffeu, 0xffffffffu}) {
    CAPTURE(w);
    const long double u = (w + 0.5L) / 4294967296.0L;
    const double radius = static_cast<double>(std::sqrt(-2 * std::log(u)));
    CHECK(std::abs(std::ldexp(static_cast<double>(gradc::philox_detail::radius(w)), -28) - radius) <
          1e-8);
    const double cosine = static_cast<double>(std::cos(2 * std::acos(-1.0L) * u));
    CHECK(std::abs(std::ldexp(static_cast<double>(gradc::philox_detail::cosine(w)), -31) - cosine) <
          1e-8);
  }
}

// These very bits are the contract with emitted programs and with every later version.
TEST_CASE("the bits of a normal number never change") {
  CHECK(gradc::random_normal(1, 0, 0, 0) == 0x1.8587c6p-2f);
  CHECK(gradc::random_normal(1, 0, 0, 1) == -0x1.2f6378p-2f);
  CHECK(gradc::random_normal(1, 0, 0, 2) == -0x1.fe6e18p-3f);
  CHECK(gradc::random_normal(1, 0, 0, 3) == -0x1.00fb7ap+0f);
  CHECK(gradc::random_uniform(1, 0, 0, 3) == 0x1.6c2b54p-1f);
}

}  // namespace

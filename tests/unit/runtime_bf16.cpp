// runtime_bf16.cpp: gradc/bf16.h and the vectors of it: to the nearest, ties to even.
#include "gradc/bf16.h"

#include <bit>
#include <cmath>
#include <random>

#include "gradc/vector.h"
#include "tests/catch.h"

namespace {

// By its definition, in double precision: a whole number of steps of the last of 8 bits, std::nearbyint taking the even
// one of two. Steps below 2^-126 are all of one size.
double nearest(float x) {
  if (std::isinf(x) || x == 0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  const double step = std::ldexp(1.0, std::max(exponent - 8, -133));
  const double rounded = std::nearbyint(x / step) * step;
  return std::fabs(rounded) >= std::ldexp(1.0, 128) ? std::copysign(HUGE_VAL, x) : rounded;
}

std::vector<float> numbers() {
  std::vector<float> all;
  std::mt19937 random(7);
  for (int k = 0; k < 400000; ++k) all.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  // Each bf16, and what is half a step beyond it, a little more and a little less.
  for (std::uint32_t high = 0; high < 0x10000; ++high)
    for (std::uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) all.push_back(std::bit_cast<float>(high << 16 | low));
  return all;
}

template <class V>
void compare_vectors(const std::vector<float>& all) {
  constexpr std::size_t lanes = sizeof(V) / sizeof(float);
  std::size_t different = 0;
  for (std::size_t at = 0; at + lanes <= all.size(); at += lanes) {
    gradc::bf16 stored[lanes + 1] = {};
    gradc::store(stored + 1, gradc::load<V>(all.data() + at));
    const V loaded = gradc::load<V>(stored + 1), first = gradc::load_first<V>(stored + 1, lanes / 2);
    for (std::size_t k = 0; k < lanes; ++k) {
      const gradc::bf16 want = gradc::narrow(all[at + k]);
      if (stored[k + 1].bits != want.bits || std::bit_cast<std::uint32_t>(loaded[k]) != std::bit_cast<std::uint32_t>(gradc::wide(want))) ++different;
      if (std::bit_cast<std::uint32_t>(first[k]) != (k < lanes / 2 ? std::bit_cast<std::uint32_t>(gradc::wide(want)) : 0)) ++different;
    }
  }
  CHECK(different == 0);
}

}  // namespace

TEST_CASE("bf16 is the nearest number of 8 bits, and NaN stays NaN") {
  std::size_t wrong = 0;
  for (const float x : numbers()) {
    const float got = gradc::rounded(x);
    if (std::isnan(x) ? !std::isnan(got) : static_cast<double>(got) != nearest(x) || std::signbit(got) != std::signbit(x)) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(gradc::narrow(1.0f).bits == 0x3f80);
  CHECK(gradc::rounded(1.00390625f) == 1.0f);        // 1 + 2^-8, halfway: to the even one
  CHECK(gradc::rounded(1.01171875f) == 1.015625f);   // 1 + 3 · 2^-8
  CHECK(std::isinf(gradc::rounded(3.4e38f)));
}

TEST_CASE("vectors of bf16 are loaded and stored as numbers are") {
  const std::vector<float> all = numbers();
  compare_vectors<gradc::f32x2>(all);
  compare_vectors<gradc::f32x4>(all);
  compare_vectors<gradc::f32x8>(all);
  compare_vectors<gradc::f32x16>(all);
}

TEST_CASE("transposition rounds on the way to bf16 and widens on the way back") {
  for (const auto& [rows, columns] : {std::pair{40, 19}, std::pair{16, 16}, std::pair{3, 33}}) {
    std::vector<float> from, back(static_cast<std::size_t>(rows * columns));
    std::vector<gradc::bf16> stored(back.size()), again(back.size());
    for (int k = 0; k < rows * columns; ++k) from.push_back(std::sin(static_cast<float>(k)));
    gradc::transpose(from.data(), columns, rows, columns, stored.data(), rows);
    gradc::transpose(stored.data(), rows, columns, rows, again.data(), columns);
    gradc::transpose(stored.data(), rows, columns, rows, back.data(), columns);
    for (std::size_t k = 0; k < back.size(); ++k) {
      CHECK(again[k].bits == gradc::narrow(from[k]).bits);
      CHECK(back[k] == gradc::rounded(from[k]));
    }
  }
}

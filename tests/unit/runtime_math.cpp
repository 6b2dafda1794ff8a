// runtime_math.cpp: the scalar functions of emitted code against the C library in f64, over a dense sample of all
// floats; the bounds are those that gradc/math.h states.
#include "gradc/math.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/catch.h"

namespace {

float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// The largest error in units in the last place of the true value; infinite for a wrong infinity, NaN or zero.
template <class F, class G>
double worst_error(F f, G exact, float& at) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 1999) {
    const float x = float_of(static_cast<std::uint32_t>(bits));
    const float got = f(x);
    const double want = exact(static_cast<double>(x));
    const auto rounded = static_cast<float>(want);
    double error = 0;
    if (std::isnan(want) || std::isnan(got) || std::isinf(rounded) || std::isinf(got)) {
      const bool same = std::isnan(want) ? std::isnan(got) : rounded == got;
      error = same ? 0 : HUGE_VAL;
    } else if (want == 0) {
      error = got == 0 && std::signbit(got) == std::signbit(want) ? 0 : HUGE_VAL;
    } else {
      const int exponent = std::max(std::ilogb(rounded == 0 ? 1e-45f : rounded), -126);
      error = std::fabs(static_cast<double>(got) - want) / std::ldexp(1.0, exponent - 23);
    }
    if (error > worst) worst = error, at = x;
  }
  return worst;
}

#define CHECK_ERROR(function, exact, bound)                                               \
  do {                                                                                    \
    float at = 0;                                                                         \
    const double worst = worst_error([](float x) { return gradc::function(x); }, exact, at); \
    INFO(#function " at " << at << ": " << worst << " ULP");                              \
    CHECK(worst <= (bound));                                                              \
  } while (false)

}  // namespace

TEST_CASE("scalar functions keep the accuracy they state") {
  CHECK_ERROR(exp, [](double x) { return std::exp(x); }, 1.5);
  CHECK_ERROR(expm1, [](double x) { return std::expm1(x); }, 2.5);
  CHECK_ERROR(log, [](double x) { return std::log(x); }, 1.0);
  CHECK_ERROR(log1p, [](double x) { return std::log1p(x); }, 2.0);
  CHECK_ERROR(tanh, [](double x) { return std::tanh(x); }, 2.5);
  CHECK_ERROR(erf, [](double x) { return std::erf(x); }, 1.5);
  CHECK_ERROR(sqrt, [](double x) { return std::sqrt(x); }, 0.51);
  CHECK_ERROR(logistic, [](double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); },
              2.5);
  CHECK_ERROR(log1pexp, [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); },
              2.5);
}

TEST_CASE("maximum, minimum, integer division as the language says") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(gradc::max(nan, 1.0f)));
  CHECK(std::isnan(gradc::max(1.0f, nan)));
  CHECK(std::isnan(gradc::min(nan, 1.0f)));
  CHECK(std::isnan(gradc::min(1.0f, nan)));
  CHECK(gradc::max(1.0f, 2.0f) == 2.0f);
  CHECK(gradc::min(1.0f, 2.0f) == 1.0f);
  CHECK(gradc::floor_div(-1, 3) == -1);
  CHECK(gradc::floor_div(7, -2) == -4);
  CHECK(gradc::mod(-1, 3) == 2);
  CHECK(gradc::mod(7, 3) == 1);
  CHECK(gradc::round(2.5f) == 2.0f);
  CHECK(gradc::sign(-3.0f) == -1.0f);
  CHECK(std::signbit(gradc::sign(-0.0f)));
}

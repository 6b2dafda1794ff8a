// math_functions.cpp: compiled once for each set of instructions. The macros of the build name the function, and the
// namespace `gradc` too: its inline functions must not be shared between builds.
#include "math_functions.h"

#include "gradc/math.h"

namespace {

template <float (*function)(float)>
void run(std::size_t count, const float* __restrict x, float* __restrict y) {
  for (std::size_t k = 0; k < count; ++k) y[k] = function(x[k]);
}

void run_power(std::size_t count, const float* __restrict x, const float* __restrict exponent, float* __restrict y) {
  for (std::size_t k = 0; k < count; ++k) y[k] = gradc::pow(x[k], exponent[k]);
}

}  // namespace

MathBuild GRADC_MATH_BUILD() {
  return {GRADC_MATH_NAME,
          {{"exp", run<gradc::exp>},
           {"expm1", run<gradc::expm1>},
           {"log", run<gradc::log>},
           {"log1p", run<gradc::log1p>},
           {"sqrt", run<gradc::sqrt>},
           {"sin", run<gradc::sin>},
           {"cos", run<gradc::cos>},
           {"tan", run<gradc::tan>},
           {"atan", run<gradc::atan>},
           {"tanh", run<gradc::tanh>},
           {"erf", run<gradc::erf>},
           {"logistic", run<gradc::logistic>},
           {"log1pexp", run<gradc::log1pexp>}},
          run_power};
}

// math_functions.h: the functions of gradc/math.h over arrays, as emitted loops use them, in the builds of
// math_functions.cpp: they round differently where a product and a sum are one instruction.
#pragma once

#include <cstddef>
#include <vector>

struct MathFunction {
  const char* name;
  void (*run)(std::size_t count, const float* x, float* y);
};
using PowerFunction = void (*)(std::size_t count, const float* x, const float* exponent, float* y);

struct MathBuild {
  const char* name;
  std::vector<MathFunction> functions;
  PowerFunction power;
};

MathBuild math_without_fma();
#ifdef GRADC_TEST_FMA
MathBuild math_with_fma();
#endif

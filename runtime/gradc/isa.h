// gradc/isa.h: which of the sets of instructions that a network was written for are used. C++17, nothing allocates.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gradc {

// Whether this processor has a set of instructions that `gradc build --isa` knows by that name.
inline bool has_isa(const char* name) {
  const auto is = [&](const char* known) { return std::strcmp(name, known) == 0; };
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512cd");
  if (is("x86-64-v4-bf16")) return v4 && __builtin_cpu_supports("avx512bf16");
  if (is("x86-64-v2")) return v2;
  if (is("x86-64-v3")) return v3;
  if (is("x86-64-v4")) return v4;
#elif defined(__aarch64__)
  if (is("armv8-a")) return true;
#endif
  return is("scalar");
}

// The position of the first of `names` that this processor has, or of the one that $GRADC_ISA names. Ends the program
// with a sentence if there is none: whatever it did next would be an illegal instruction.
template <int N>
int choose_isa(const char* const (&names)[N]) {
  const char* const wanted = std::getenv("GRADC_ISA");
  const bool any = wanted == nullptr || *wanted == '\0';
  for (int k = 0; k < N; ++k)
    if ((any || std::strcmp(wanted, names[k]) == 0) && has_isa(names[k])) return k;
  if (any)
    std::fputs("error: this network was written for processors with", stderr);
  else
    std::fprintf(stderr, "error: GRADC_ISA=%s is not among what this network was written for and this processor has:",
                 wanted);
  for (int k = 0; k < N; ++k)
    if (any || has_isa(names[k])) std::fprintf(stderr, "%s %s", k > 0 && any ? " or" : "", names[k]);
  std::fputs(any ? ", and this one has neither\n" : "\n", stderr);
  std::exit(3);
}

}  // namespace gradc

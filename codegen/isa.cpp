// isa.cpp: the instruction sets.
#include "codegen/isa.h"

#include "dsl/check.h"

namespace gradc {

const std::vector<Isa>& isas() {
  static const std::vector<Isa> all = {
      {"x86-64-v4", 64, 32, "-march=x86-64-v4 -mprefer-vector-width=512"},  // AVX-512
      {"x86-64-v3", 32, 16, "-march=x86-64-v3"},                            // AVX2 and FMA
      {"x86-64-v2", 16, 16, "-march=x86-64-v2"},                            // SSE4.2
      {"armv8-a", 16, 32, "-march=armv8-a"},                                // NEON
      {"scalar", 4, 16, ""},                                                // one number at a time
  };
  return all;
}

const Isa* isa_named(std::string_view name) {
  for (const Isa& isa : isas())
    if (isa.name == name) return &isa;
  return nullptr;
}

const Isa& default_isa() {
  const Isa* const isa = isa_named("x86-64-v3");
  GRADC_CHECK(isa, "the default is in the table");
  return *isa;
}

const Isa& host_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  const char* const name = v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : "x86-64-v2";
#elif defined(__aarch64__)
  const char* const name = "armv8-a";
#else
  const char* const name = "scalar";
#endif
  const Isa* const isa = isa_named(name);
  return isa ? *isa : default_isa();
}

}  // namespace gradc

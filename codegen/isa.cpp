// isa.cpp: the instruction sets.
#include "codegen/isa.h"

#include <string>

#include "dsl/check.h"
#include "runtime/gradc/isa.h"

namespace gradc {

const std::vector<Isa>& isas() {
  static const std::vector<Isa> all = {
      {"x86-64-v4-bf16", 64, 32, "-march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512", true, true},  // and AVX512_BF16
      {"x86-64-v4", 64, 32, "-march=x86-64-v4 -mprefer-vector-width=512", true},  // AVX-512
      {"x86-64-v3", 32, 16, "-march=x86-64-v3", true},                      // AVX2 and FMA
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
  for (const Isa& isa : isas())
    if (has_isa(std::string(isa.name).c_str())) return isa;
  return default_isa();
}

std::string identifier_of(const Isa& isa) {
  std::string name(isa.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace gradc

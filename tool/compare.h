// compare.h: the emitted program against the interpreter, on random inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "tool/emitted.h"

namespace gradc {

// One tensor that both computed: the norm of the difference over the norm of the interpreter's
// value.
struct Comparison {
  std::string function;
  std::string what;  // "forward", "backward", "step", …
  std::string value;
  std::int64_t elements = 0;
  double error = 0;
  bool passed = false;
};

inline constexpr double emitted_tolerance = 2e-5;

// `graph` is what prepare() made of the graph that was compiled. Every function runs at two sizes
// of its run-time dims: 1 and a few.
std::vector<Comparison> compare_emitted(const Graph& graph, const Compiled&, Emitted&,
                                        std::uint64_t seed);

}  // namespace gradc

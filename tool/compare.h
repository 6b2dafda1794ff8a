// compare.h: the emitted program against the interpreter, on random inputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "tool/emitted.h"

namespace gradc {

enum class Agreement : std::uint8_t {
  agrees,
  differs,
  undecided,  // by no more than rounding moves it, and that is much of what there is
};

// One tensor that both computed. Norms are those of all its elements.
struct Comparison {
  std::string function;
  std::string what;  // "forward", "backward", "step", …
  std::string value;
  std::int64_t elements = 0;
  double error = 0;     // the norm of the difference over the norm of the interpreter's value
  double rounding = 0;  // as much, by which rounding moves the interpreter's value; 0 where that was not asked
  Agreement agreement = Agreement::agrees;
};

// An error of this size is nothing to look into. Of a larger one it is asked how far the value moves with every operation
// rounded otherwise (dsl/round_otherwise.h), so that it is judged by the size of what was added up, not of what is left of
// that: it may be three times as far off, since what is tried is but ten ways to round.
inline constexpr double emitted_tolerance = 2e-5;
// Where rounding moves a value by more than this, an error within rounding says nothing of the value: a gradient whose true
// value is 0, or what an optimizer that divides it by its own size makes of it.
inline constexpr double undecided_from = 1e-3;

// `graph` is what prepare() made of the graph that was compiled. Every function runs at two sizes
// of its run-time dims: 1 and a few.
std::vector<Comparison> compare_emitted(const Graph& graph, const Compiled&, Emitted&,
                                        std::uint64_t seed);

}  // namespace gradc

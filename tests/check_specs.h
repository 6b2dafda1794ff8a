// check_specs.h: specs through everything that tells a right program from a wrong one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "dsl/graph.h"

namespace test {

// What is wrong with a spec, if anything. Two problems are alike if `kind` is the same.
struct SpecProblem {
  std::string kind;
  std::string what;
  bool when_run = false;  // only once its code is compiled and run
  bool none() const { return kind.empty(); }
};

// A spec, and of what the values are drawn that it is tried at.
struct SeededSpec {
  std::uint64_t seed = 1;
  std::string text;
};

struct SpecCheck {
  bool gradients = true;   // compare them with finite differences
  bool run = true;         // compile and run the emitted code
  gradc::Target target = gradc::cpp_target();
  // Faults to plant: in what gradients have become, besides simplify, and in the emitted text.
  void (*break_gradients)(gradc::Graph&) = nullptr;
  void (*break_emitted)(std::string&) = nullptr;
};

struct SpecCounts {
  std::int64_t gradients = 0;              // that were compared and are not 0,
  std::int64_t slopes = 0, kinks = 0;      // by so many differences; not at so many kinks
  std::int64_t changes = 0, unsteady = 0;  // results before and after simplify; not compared, see below
  std::size_t tensors = 0, not_compared = 0;  // of emitted code
};

// Each spec
// * is accepted without a word, and its syntax and graph print to texts that read back to them;
// * has the gradients that finite differences of the interpreter's values have, after simplify, but at kinks, where
//   the slopes on both sides differ;
// * computes after `prepare`, and after `lay_out`, what it did before, to 1e-9 of the norm in f64;
// * computes as emitted code what the interpreter does, to 2e-5 of the norm in f32.
// In the last two, a result that is off is forgiven where the interpreter's own moves as far (by a thousandth; by half of
// what is allowed) when every operation is rounded otherwise (round_otherwise.h): at a tie of an argmax, say, or
// where large terms cancel. No exception depends on what is tested.
std::vector<SpecProblem> check_specs(const std::vector<SeededSpec>&, const SpecCheck&, SpecCounts&);

}  // namespace test

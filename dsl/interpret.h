// interpret.h: a slow, obvious double-precision evaluator of the graph; the oracle of every test.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// A tensor value: row-major doubles whatever its dtype (booleans 0 or 1).
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> data;
};

struct Environment {
  std::map<std::string, std::int64_t> dims;    // run-time dims by name; unset: the bound
  std::map<std::string, Array> values;         // inputs, parameters, states by name
  std::uint64_t seed = 0;                      // of random nodes,
  std::uint32_t step = 0;                      // which also depend on the step count
};

// A value that cannot be computed: an element read outside its tensor (a gather with a bad index), an
// integer division by zero, an input missing or of the wrong shape. what() names the tensor.
struct EvaluationError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The values of `roots`. Gradient nodes are not allowed. Nothing is rounded to f32, integers are exact,
// max and min of a NaN are NaN, and select evaluates only what it chooses. A random element is
// random_uniform or random_normal of runtime/gradc/philox.h at (seed, step, stream, row-major position).
std::vector<Array> interpret(const Graph&, const std::vector<NodeId>& roots, const Environment&);

// Runs a function of the graph: returns its outputs and performs its updates on `environment`, all from
// the old values. `step` is left alone.
std::vector<Array> run(const Graph&, const Function&, Environment&);

}  // namespace gradc

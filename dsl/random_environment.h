// random_environment.h: values for everything a function reads, drawn by seed, to try it out.
#pragma once

#include <cstdint>

#include "dsl/graph.h"
#include "dsl/interpret.h"

namespace gradc {

struct DrawOptions {
  std::uint64_t seed = 1;
  std::int64_t largest_dim = 3;  // run-time dims get this size, or their bound if that is less
  double low = -1, high = 1;     // of float inputs
};

// Float inputs are uniform in [low, high]. Integer inputs lie in the range their use implies:
// inside the axes they subscript, within the ranges of indices and literals they are compared with.
// Parameters are their initial values, slightly moved so that no two are equal by design (uniform
// in [-1/2, 1/2] if they have none); states are their initial values, or 0.
Environment random_environment(const Graph&, const Function&, const DrawOptions& = {});

}  // namespace gradc

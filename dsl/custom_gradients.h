// custom_gradients.h: custom gradients where differences are taken.
#pragma once

#include <string>
#include <vector>

#include "dsl/graph.h"
#include "dsl/interpret.h"

namespace gradc {

// A scalar with the gradient of `root`, whose finite differences agree with that even where customs give
// another gradient than that of their value. Each custom is held at its value, and what it passes on to its
// inputs, times those, is added; both are computed from `environment`, and added to it.
NodeId freeze_custom(Graph&, NodeId root, Environment& environment);

// One custom op that roots depend on, on inputs of its own: the sum of its result times `cotangent`, an input
// as well, and what its gradient says of that for each input.
struct GivenGradient {
  std::string op, result;
  NodeId loss;
  std::vector<NodeId> inputs, gradients;
};

// One for each op and type of its inputs.
std::vector<GivenGradient> given_gradients(Graph&, const std::vector<NodeId>& roots);

}  // namespace gradc

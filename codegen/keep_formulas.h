// keep_formulas.h: what a training step keeps of products whose elements are only read in formulas.
#pragma once

#include <map>
#include <vector>

#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

struct KeptFormulas {
  std::map<NodeId, NodeId> now;   // node → what stands for it, where that is another
  std::map<NodeId, NodeId> kept;  // product → the formula of its elements that is stored with what follows it
};

// A product that only formulas of its elements read, some where its outputs are computed and a costly one much later, as
// the derivative of an activation is: the value of that one is stored in place of the product, as soon as this is there.
// As much is stored as before, and what the formulas have in common is computed once. `outputs` and `roots`, all that a
// step computes, are stored nodes.
KeptFormulas keep_formulas(Graph&, const std::vector<NodeId>& outputs, const std::vector<NodeId>& roots, const Target&);

}  // namespace gradc

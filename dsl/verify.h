// verify.h: what is legal in a graph, as code. Runs after every stage.
#pragma once

#include <vector>

#include "dsl/graph.h"

namespace gradc {

// Aborts (GRADC_CHECK) naming `stage` if a reachable node breaks a rule: dtypes of operands agree, indices
// are bound, subscripts are i32 and as many as the tensor's rank, affine reads stay inside unless
// zero_outside or guarded by a select, gradient losses are scalars, updates match their targets.
void verify(const Graph&, const char* stage);

// Nodes, by number, that were found legal by themselves: they never change, so they need not be looked at again.
using LegalNodes = std::vector<bool>;
void verify(const Graph&, const char* stage, LegalNodes&);

// The same for these nodes and what they need.
void verify(const Graph&, const std::vector<NodeId>&, const char* stage, LegalNodes&);

}  // namespace gradc

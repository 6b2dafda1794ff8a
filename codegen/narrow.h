// narrow.h: which values are stored in 16 bits.
#pragma once

#include <vector>

#include "codegen/partition.h"
#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

// Of a target with bf16: marks those tensors of scheduled plans that are stored as bf16, activations and their gradients
// for the most part. What stays f32: results, parameters and states, and what these are updated by; single numbers; sums
// of other than products, and what is computed of nothing but such sums; sums that are made in memory; random numbers;
// what recurrences hand on; initial values.
void narrow(const Graph&, std::vector<FunctionPlan>&, const Target&);

}  // namespace gradc

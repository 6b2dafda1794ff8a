// name_values.h: stored values the spec gives no name are named after those it does.
#pragma once

#include <vector>

#include "codegen/partition.h"
#include "dsl/graph.h"

namespace gradc {

// W read with its axes exchanged is W_transposed; dh where a condition lets it pass is dh_masked; the
// sum behind logits is logits_sum. Only labels change.
void name_values(Graph&, const std::vector<FunctionPlan>&);

}  // namespace gradc

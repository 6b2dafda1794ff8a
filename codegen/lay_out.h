// lay_out.h: which axis of a tensor comes last in memory.
#pragma once

#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

// Every step with the batch last in the tensors between its inputs and its results, where
// vectors along it take fewer operations than vectors along the last axis of the spec: channels and
// windows of a few elements fill no vector, examples do. Anything else keeps the order of the spec.
void lay_out(Graph&, const Target&);

}  // namespace gradc

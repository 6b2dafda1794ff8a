// lay_out.h: which axis of a tensor comes last in memory.
#pragma once

#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

// Every step and every net with the batch last in the tensors between inputs and results, where
// vectors along it take fewer operations than vectors along the last axis of the spec: channels and
// windows of a few elements fill no vector, examples do. A net whose batch is a run-time dim is left
// as it is forwards, since that may be one example; backwards it then computes anew what it reads in
// the other order. Anything else keeps the order of the spec.
void lay_out(Graph&, const Target&);

}  // namespace gradc

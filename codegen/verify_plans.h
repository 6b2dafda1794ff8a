// verify_plans.h: what is legal between the graph and its loops, as code. Runs after every stage.
#pragma once

#include <vector>

#include "codegen/fuse.h"
#include "codegen/partition.h"
#include "dsl/verify.h"

namespace gradc {

// Aborts (GRADC_CHECK) naming `stage` unless every tensor stands after what it reads, once, and is
// itself legal.
void verify(const Graph&, const std::vector<FunctionPlan>&, const char* stage, LegalNodes&);

// The same for kernels: they compute all of the plan's tensors, each after what it reads, and no
// parameter or state is read where its next value has taken its place.
void verify(const Graph&, const std::vector<FunctionPlan>&,
            const std::vector<std::vector<KernelPlan>>& kernels, const char* stage);

}  // namespace gradc

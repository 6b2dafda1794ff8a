// graph_to_loops.h: kernels of the graph → the module: buffers, loops, functions and their calls.
#pragma once

#include <vector>

#include "codegen/fuse.h"
#include "codegen/lower.h"

namespace gradc {

// `kernels`: per plan. Workspace buffers have no place yet.
loops::Module graph_to_loops(Graph&, const std::vector<FunctionPlan>&,
                             const std::vector<std::vector<KernelPlan>>& kernels,
                             const LowerOptions&);

}  // namespace gradc

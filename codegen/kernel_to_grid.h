// kernel_to_grid.h: the loops of one kernel, spread over the threads of a grid.
#pragma once

#include <set>

#include "codegen/kernel_to_loops.h"
#include "codegen/target.h"

namespace gradc {

// Each element to a thread, each row to a block, or each tile of a product to a block; which of them follows
// from the plan. Every sum has an order that the sizes alone determine, and no two threads write the same element.
WrittenKernel kernel_to_grid(const LoopContext&, const KernelPlan&, const std::set<NodeId>& in_registers,
                             const Target&);

// Members that nobody needs in memory.
std::set<NodeId> grid_registers(const Graph&, const KernelPlan&, const std::set<NodeId>& read_elsewhere, const Isa&);

}  // namespace gradc

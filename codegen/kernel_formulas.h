// kernel_formulas.h: what a kernel computes, as mathematics in the words of its own code.
#pragma once

#include <string>
#include <vector>

#include "codegen/kernel_to_loops.h"

namespace gradc {

// A line per member in index notation, then the shapes; none longer than fits behind "// ".
std::vector<std::string> kernel_formulas(const LoopContext&, const KernelPlan&, const std::set<NodeId>& in_registers);

}  // namespace gradc

// plans_to_text.h: what the stages between the graph and its loops decided, for people
// (--dump-after).
#pragma once

#include <string>
#include <vector>

#include "codegen/fuse.h"
#include "codegen/partition.h"

namespace gradc {

// partition, name_values: every stored tensor: its formula, where it is stored, and why.
std::string stored_to_text(const Graph&, const std::vector<FunctionPlan>&);

// schedule: how each is computed; of a product the roles of its indices, of a scatter where values
// go.
std::string forms_to_text(const Graph&, const std::vector<FunctionPlan>&);

// fuse: which share a loop nest, and which of its loops.
std::string kernels_to_text(const Graph&, const std::vector<FunctionPlan>&,
                            const std::vector<std::vector<KernelPlan>>&);

// plan_memory: where every workspace buffer lies, and from which call to which it is alive.
std::string memory_to_text(const loops::Module&);

}  // namespace gradc

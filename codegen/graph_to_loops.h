// graph_to_loops.h: kernels of the graph → the module: buffers, loops, functions and their calls.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codegen/fuse.h"
#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

struct ModuleOptions {
  std::string module_name;                 // an identifier
  std::function<std::string(Span)> place;  // "digits.nn:8"; may be empty
  const Target& target = cpp_target();
};

// `kernels`: per plan. Workspace buffers have no place yet.
loops::Module graph_to_loops(Graph&, const std::vector<FunctionPlan>&,
                             const std::vector<std::vector<KernelPlan>>& kernels,
                             const ModuleOptions&);

}  // namespace gradc

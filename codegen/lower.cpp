// lower.cpp: graph → scheduled loops with memory, a stage a line.
#include "codegen/lower.h"

#include "codegen/fuse.h"
#include "codegen/graph_to_loops.h"
#include "codegen/name_values.h"
#include "codegen/partition.h"
#include "codegen/plan_memory.h"

namespace gradc {

loops::Module lower(Graph g, const LowerOptions& options) {
  const std::vector<FunctionPlan> plans = partition(g);
  name_values(g, plans);
  std::vector<std::vector<KernelPlan>> kernels;
  for (const FunctionPlan& plan : plans) kernels.push_back(fuse(g, plan));
  loops::Module module = graph_to_loops(g, plans, kernels, options);
  plan_memory(module);
  return module;
}

}  // namespace gradc

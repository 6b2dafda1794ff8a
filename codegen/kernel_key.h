// kernel_key.h: which kernels are equal: by all that their loops are written from, so that these are
// written once, and by what came of it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "codegen/kernel_to_loops.h"

namespace gradc {

struct KernelKey {
  std::string text;  // for comparison, not for people
  std::vector<std::uint32_t>
      buffers;  // in an order that equal kernels share; some may be there several times
};

// Kernels of one module with equal texts have equal loops, each on its own buffers.
KernelKey kernel_key(const LoopContext&, const KernelPlan&, const std::set<NodeId>& in_registers);

// Whether the kernels differ in no more than their names and what is said of them.
bool same_loops(const loops::Kernel&, const loops::Kernel&);

}  // namespace gradc

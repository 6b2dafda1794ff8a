// kernel_key.h: all that the loops of a kernel are written from, so that kernels which are equal in
// it are written once.
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

}  // namespace gradc

// kernel_to_loops.h: the loops of one kernel.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/fuse.h"
#include "codegen/isa.h"
#include "codegen/loops.h"
#include "codegen/product_tiles.h"

namespace gradc {

// What the kernels of a module have in common.
struct LoopContext {
  Graph& graph;
  Isa isa;
  std::vector<std::string> dim_names;                 // by DimId
  std::set<std::string> reserved;                     // names a kernel may not use inside
  Extent time;                                        // of the loop around the kernel, if there is one
  std::function<std::uint32_t(NodeId)> buffer;        // of a stored node, leaf
  std::function<loops::Element(std::uint32_t)> element;  // of a buffer
  std::function<std::string(NodeId)> short_name;      // what a person would call it inside a kernel
  // That of the module for such a product and so many rows, added if new.
  std::function<const loops::Kernel&(const ProductTiles&, std::optional<std::int64_t> rows)> micro_kernel;
};

struct WrittenKernel {
  loops::Kernel kernel;                // without name and comment
  std::vector<std::uint32_t> buffers;  // one per argument
};

// `in_registers`: members that need no buffer.
WrittenKernel kernel_to_loops(const LoopContext&, const KernelPlan&, const std::set<NodeId>& in_registers);

// Members that are read only inside the kernel, and there while they are in registers or, a product, in a few rows of
// the kernel's own.
std::set<NodeId> register_members(const Graph&, const KernelPlan&, const std::set<NodeId>& read_elsewhere, const Isa&);

}  // namespace gradc

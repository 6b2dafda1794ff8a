// fuse.h: which stored tensors share a loop nest.
#pragma once

#include <vector>

#include "codegen/partition.h"
#include "codegen/schedule.h"

namespace gradc {

// Members with the same index ranges, in one nest inside the loops that the whole kernel shares.
// Reductions all have `rank` free indices; elementwise members have as many as there are ranges. Spreads are among
// themselves.
struct Run {
  std::vector<StoredNode> members;
  Shape ranges;
  std::size_t rank = 0;

  bool is_spread() const { return members[0].form == Form::spread; }
};

struct KernelPlan {
  Form form = Form::pointwise;  // of the first member; product, inner, scatter: others follow it elementwise
  std::vector<StoredNode> members;
  std::vector<Run> runs;        // pointwise, fold, spread
  std::size_t shared = 0;       // loops over the first indices that all runs have in common
  bool forward = true;          // nets: belongs to the forward half
  std::uint32_t loop = 0;       // of its members
};

// The kernels of a function, whose tensors have forms, in an order in which every tensor is computed before it is read, and
// every old parameter or state is read before it is overwritten.
std::vector<KernelPlan> fuse(const Graph&, const FunctionPlan&);

// All reads of `tensor` in the node's body have the node's own first `depth` indices as first subscripts.
bool is_aligned(const Graph&, NodeId reader, NodeId tensor, std::size_t depth);

// The node's indices: of a comprehension its ranges, of a random node its shape.
const Shape& ranges_of(const Node&);

}  // namespace gradc

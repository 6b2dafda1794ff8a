// product_to_loops.h: sums of products in register tiles.
#pragma once

#include "codegen/kernel_writer.h"

namespace gradc {

// The product of a kernel if only its followers read it and the first of them can take its place element by
// element: then it needs no memory of its own.
NodeId product_in_follower(const Graph&, const KernelPlan&, const std::set<NodeId>& read_elsewhere);

// True if only its followers read the product, and the rows that they find at once fit an array of the kernel's own.
bool product_in_rows(const Graph&, const KernelPlan&, const std::set<NodeId>& read_elsewhere, const Isa&);

// True if a product that nothing follows, the gradient of a parameter that a net hands out, is
// computed a tile of rows at a time all the same, so that it and a step's have one micro-kernel.
bool shares_tiles(const Graph&, const KernelPlan&, const ProductForm&);

// The kernel's first member is a product, the others follow it elementwise.
void product_to_loops(KernelWriter&);

}  // namespace gradc

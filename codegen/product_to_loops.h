// product_to_loops.h: sums of products in register tiles.
#pragma once

#include "codegen/kernel_writer.h"

namespace gradc {

// The kernel's first member is a product, the others follow it elementwise.
void product_to_loops(KernelWriter&);

}  // namespace gradc

// product_to_grid.h: sums of products, a tile of the result to a block.
#pragma once

#include <vector>

#include "codegen/kernel_writer.h"
#include "codegen/target.h"

namespace gradc {

loops::Launch product_to_grid(KernelWriter&, const Target&, std::vector<loops::Array>& arrays);

}  // namespace gradc

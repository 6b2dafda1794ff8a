// scatter_to_grid.h: sums of what a condition sends to rows of a table, a row to a block.
#pragma once

#include "codegen/kernel_writer.h"
#include "codegen/target.h"

namespace gradc {

loops::Launch scatter_to_grid(KernelWriter&, const Target&);

}  // namespace gradc

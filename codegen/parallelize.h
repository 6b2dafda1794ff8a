// parallelize.h: which kernels threads share, and where they wait for each other.
#pragma once

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

// A kernel with enough to do is cut along a loop whose iterations are independent, never along a sum, so that the
// number of threads changes no result. A function of which that is enough work is run by threads together: each
// computes its part of the kernels that were cut, the first all others, and a call waits for all threads where it
// reads or overwrites what another may still be writing or reading. For targets without a grid; after memory is
// planned, since tensors that follow each other in one place conflict as well.
void parallelize(loops::Module&, const Target&);

}  // namespace gradc

// join_launches.h: elementwise kernels of one form, and nothing to wait for, become one launch.
#pragma once

#include "codegen/loops.h"
#include "codegen/target.h"

namespace gradc {

// Kernels have one form if they differ in their names and in how many elements they have, and in nothing else: so the
// updates of a network's parameters do. They are moved behind what stands between them as far as nobody reads
// or writes what they write or read; where two or more meet, they become calls of one function from one kernel, each in
// blocks of its own. For targets with a grid; before memory is planned, since tensors live until they are read.
void join_launches(loops::Module&, const Target&);

}  // namespace gradc

// prune.h: removes registers that nothing reads.
#pragma once

#include "codegen/loops.h"

namespace gradc {

void prune(loops::Block&);

}  // namespace gradc

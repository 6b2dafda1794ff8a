// drop_unused.h: names in loops that something depends on.
#pragma once

#include <set>
#include <string>

#include "codegen/loops.h"

namespace gradc {

// Registers, dims, scalars and buffers that occur in the block's expressions and stores.
std::set<std::string> used_names(const loops::Block&);

// Removes registers that nothing reads.
void drop_unused(loops::Block&);

}  // namespace gradc

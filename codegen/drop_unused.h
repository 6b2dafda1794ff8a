// drop_unused.h: names in loops that something depends on.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "codegen/loops.h"

namespace gradc {

// Registers, dims, scalars and buffers that occur in the block's expressions and stores: as long as
// the block is what it is.
using UsedNames = std::unordered_set<std::string_view>;
UsedNames used_names(const loops::Block&);

// Registers and variables of loops that the block declares, used or not.
std::set<std::string> declared_names(const loops::Block&);

// Removes registers that nothing reads.
void drop_unused(loops::Block&);

}  // namespace gradc

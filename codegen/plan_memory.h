// plan_memory.h: a place for every workspace buffer.
#pragma once

#include "codegen/loops.h"

namespace gradc {

// Buffers that are alive at the same time get disjoint places, 64-byte aligned. The halves of a net are one
// schedule: what backward reads of forward stays where it is. Fills the memory reports as well.
void plan_memory(loops::Module&);

// The same for one function or the two halves of a net.
loops::MemoryReport plan_memory(loops::Module&, const std::vector<loops::Function*>& parts);

// What a buffer takes of a workspace.
std::int64_t aligned_bytes(const loops::Buffer&);

}  // namespace gradc

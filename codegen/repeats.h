// repeats.h: where a function calls the same kernels again and again, as it does for layers of one form.
#pragma once

#include <vector>

#include "codegen/loops.h"

namespace gradc {

// `times` times the same `length` calls one after the other, from call `first` on. They differ in streams and buffers:
// at the same place stand only buffers of one storage, and, but for those of the workspace, of one size.
struct Repeat {
  std::size_t first = 0, length = 0, times = 0;
};

// Those that make the text of a function shorter, ascending. Calls in loops over time are in none, and nothing is before
// the workspace has its places.
std::vector<Repeat> find_repeats(const loops::Module&, const std::vector<loops::Invocation>& calls);

}  // namespace gradc

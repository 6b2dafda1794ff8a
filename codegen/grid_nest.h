// grid_nest.h: loops over several indices at once, as the threads of a grid take them.
#pragma once

#include <string>
#include <vector>

#include "codegen/kernel_writer.h"

namespace gradc {

loops::Expr place_of(loops::Place);
loops::Expr quotient(loops::Expr, loops::Expr);                     // of what is never negative
loops::Expr blocks_of(const loops::Expr& count, std::int64_t size);  // count / size, rounded up

// Numbers of indices of the node `id`, first the slowest.
using Indices = std::vector<std::uint32_t>;
Indices indices_between(std::size_t first, std::size_t last);

// The product of their extents.
loops::Expr count_of(KernelWriter&, const Shape& ranges, const Indices&);
std::int64_t largest_count(const Graph&, const Shape& ranges, const Indices&);

// Names the indices whose row-major position is `at`, and binds them.
void split_position(KernelWriter&, NodeId id, const Shape& ranges, const Indices&, loops::Expr at);

// One loop over all of the indices: from `begin` on, every step-th.
void open_all(KernelWriter&, NodeId id, const Shape& ranges, const Indices&, loops::Expr begin,
              std::int64_t step, loops::LoopKind);

}  // namespace gradc

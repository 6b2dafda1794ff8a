// lane_loops.h: reductions along contiguous elements, in as many parts as make vectors.
//
// A sum in one register is a chain: each addition waits for the one before. Here element i is added to part i % lanes,
// and the parts are added up at the end, in an order that their number alone determines. The loops are scalar, over
// the lanes inside: whatever an element takes to compute, the host compiler computes several at once.
#pragma once

#include <functional>

#include "codegen/kernel_writer.h"

namespace gradc {

// Of the innermost loop of a run of reductions, over so many elements: 1 if it isn't worth more.
int lanes_of(const Graph&, const Run&, const Extent&);

// The innermost loop of the run, by lanes; `body` writes what is done for one element.
void lane_loops(KernelWriter&, const Run&, const Extent&, int lanes,
                const std::function<void(const loops::Expr& lane)>& body);

}  // namespace gradc

// keep_factors.h: what the loops of a step leave behind for its gradients.
#pragma once

#include "dsl/graph.h"

namespace gradc {

// A gradient along time multiplies what reaches it by costly factors of what a recurrence computed,
// logistic(z) · tanh(c) of a gate, say. Where the recurrence evaluates some of the same functions,
// each such factor becomes one more of its results, and is read in place of all that it is computed
// from: it is evaluated once, where that is at hand. Eight bytes are moved for it, which take less
// time than the cheapest of costly functions. A cheap result with one reader, on the other hand, is
// computed there again from those that are stored in any case.
Function keep_factors(Graph&, const Function& step);

}  // namespace gradc

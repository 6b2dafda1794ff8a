// round_otherwise.h: how much of a result is rounding: the same graph, each of whose operations is a little off.
#pragma once

#include <vector>

#include "dsl/graph.h"

namespace gradc {

// Ten graphs in which every float operation that rounds, at every element, gives up to 2e-7 more or less of itself (three
// units of the last place of f32), and a sum of n terms 1.2e-7 sqrt(n) more or less, otherwise in each. Evaluated in double
// precision they show what a result loses in single.
std::vector<Graph> rounded_otherwise(const Graph&);

}  // namespace gradc

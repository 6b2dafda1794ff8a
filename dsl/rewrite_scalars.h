// rewrite_scalars.h: a graph with every scalar replaced by another: to plant faults, or to round otherwise.
#pragma once

#include <functional>

#include "dsl/graph.h"

namespace gradc {

// Where a scalar stands: in a comprehension of such ranges; whether it is all that is summed there.
struct ScalarPlace {
  Shape ranges;
  std::size_t rank = 0;  // how many of them are free
  bool summed = false;
};

// What stands in the place of a scalar whose arguments have been replaced.
using NewScalar = std::function<ScalarId(Graph&, const ScalarPlace&, ScalarId)>;

// What stands in the place of the body of that node, the one before.
using NewBody = std::function<ScalarId(Graph&, NodeId, ScalarId)>;

// x times 1 + size sin(phase + a weight for each of the first `indices` of its comprehension): a little off, at each element
// otherwise.
ScalarId waved(Graph&, ScalarId x, double size, double phase, std::size_t indices);

// Replaces those of all that the functions compute.
void rewrite_scalars(Graph&, const NewScalar&, const NewBody& = {});

}  // namespace gradc

// rewrite_scalars.h: a graph with every scalar replaced by another: to plant faults, or to round otherwise.
#pragma once

#include <functional>

#include "dsl/graph.h"

namespace test {

// What stands in the place of a scalar whose arguments have been replaced, in a comprehension of so many indices.
using NewScalar = std::function<gradc::ScalarId(gradc::Graph&, std::size_t indices, gradc::ScalarId)>;

// Replaces those of all that the functions compute.
void rewrite_scalars(gradc::Graph&, const NewScalar&);

}  // namespace test

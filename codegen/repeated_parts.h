// repeated_parts.h: what a formula would compute again and again for elements that share it.
#pragma once

#include <vector>

#include "dsl/graph.h"

namespace gradc {

struct RepeatedParts {
  ScalarId body;
  std::vector<NodeId> parts;  // that it reads now, to be stored
};

// A root, a division or a costly function over the last index of an elementwise node and not over
// all of the others, 1 / sqrt(v[b]) in x[i, b] / sqrt(v[b]), is evaluated by vectors, so no loop
// keeps it for the elements that have it in common: it becomes a node of its own. Parts without the
// last index are one value for a whole row, which compilers keep by themselves.
RepeatedParts take_out_repeated(Graph&, NodeId label_of, const Shape& ranges, ScalarId body);

}  // namespace gradc

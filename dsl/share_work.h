// share_work.h: the last step of simplification: nothing costly is computed twice.
#pragma once

#include "dsl/graph.h"

namespace gradc {

// A costly part of a body that does not depend on all its indices (1 - beta^t for every parameter)
// becomes a value of its own; a part that is the body of another value reads that value. Returns
// true if anything changed. Only for graphs without gradient nodes.
bool share_work(Graph&);

}  // namespace gradc

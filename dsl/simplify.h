// simplify.h: rewrites the graph by algebra into a smaller, numerically stable, equal one.
#pragma once

#include "dsl/graph.h"

namespace gradc {

void simplify(Graph&);

}  // namespace gradc

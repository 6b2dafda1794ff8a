// detached.h: a graph in which what detach holds fast is a number, for finite differences.
#pragma once

#include "dsl/graph.h"
#include "dsl/interpret.h"

namespace gradc {

// The value of `root` with every detach(e) replaced by an input that holds the values of e; those
// values are added to `environment`, computed from the rest of it. The gradient of the result is
// that of `root`, and its finite differences agree with it.
NodeId freeze_detached(Graph&, NodeId root, Environment& environment);

}  // namespace gradc

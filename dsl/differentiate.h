// differentiate.h: replaces every gradient node by the adjoint graph; reverse mode, graph to graph.
#pragma once

#include "dsl/diagnostics.h"
#include "dsl/graph.h"

namespace gradc {

// A minimized parameter that its loss, as written, does not depend on differentiably is an error that
// names it and points at what blocks the gradient. Asked of the graph before any algebra: a gradient that
// cancels is 0, not missing.
void check_gradients(const Graph&, Diagnostics&);

// Afterwards no function reaches a gradient node.
void differentiate(Graph&);

// d loss / d wrt[k] for a scalar loss, as new nodes. A value the loss does not depend on gets zeros.
std::vector<NodeId> gradients(Graph&, NodeId loss, const std::vector<NodeId>& wrt);

}  // namespace gradc

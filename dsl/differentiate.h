// differentiate.h: replaces every gradient node by the adjoint graph; reverse mode, graph to graph.
#pragma once

#include "dsl/diagnostics.h"
#include "dsl/graph.h"

namespace gradc {

// Afterwards no function reaches a gradient node. A minimized parameter the loss does not depend on
// differentiably is an error that names it and points at what blocks the gradient.
void differentiate(Graph&, Diagnostics&);

// d loss / d wrt[k] for a scalar loss, as new nodes. A value the loss does not depend on gets zeros.
std::vector<NodeId> gradients(Graph&, NodeId loss, const std::vector<NodeId>& wrt);

}  // namespace gradc

// adjoints.h: the reverse sweep: from one loss to every value asked for.
#pragma once

#include <unordered_map>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// d loss / d wrt for those of `wrt` that a gradient reaches; the others are absent.
IdMap<NodeId, NodeId> adjoints(Graph&, NodeId loss, const std::vector<NodeId>& wrt);

// True if a gradient may pass from `node` to its operand `operand`: some read of it lies under no
// blocking function and the reduction, if any, is not a position.
bool passes_gradient(const Graph&, NodeId node, NodeId operand);

// A tensor of one value everywhere.
NodeId filled(Graph&, const TensorType&, double value);

}  // namespace gradc

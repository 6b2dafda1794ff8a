// simplify_sum.h: the algebra of reductions.
#pragma once

#include <set>
#include <utility>

#include "dsl/graph.h"

namespace gradc {

// Integer tensors whose elements are known to subscript an axis of that extent elsewhere in the
// graph, outside any condition; so they lie inside it.
using Trusted = std::set<std::pair<NodeId, Extent>>;
Trusted trusted_subscripts(const Graph&, const std::vector<NodeId>& nodes);

// An equal node in which a sum keeps only what depends on its indices: unused indices become
// factors, other factors move out, sums over a position (delta sums) are contracted. The same id if
// there is nothing to do.
NodeId simplify_reduction(Graph&, NodeId, const Trusted&);

}  // namespace gradc

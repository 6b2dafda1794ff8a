// replace_nodes.h: a graph with some of its nodes replaced.
#pragma once

#include <unordered_map>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// `roots` with nodes replaced, wherever they are read, by others of the same type.
std::vector<NodeId> replace_nodes(Graph&, const std::vector<NodeId>& roots,
                                  const std::unordered_map<NodeId, NodeId>& by);

}  // namespace gradc

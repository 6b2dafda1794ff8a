// replace_nodes.h: a graph with some of its nodes replaced.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// `roots` with nodes replaced, wherever they are read, by others of the same type.
std::vector<NodeId> replace_nodes(Graph&, const std::vector<NodeId>& roots,
                                  const IdMap<NodeId, NodeId>& by);

// `roots` with each node, rebuilt over what became of its operands, replaced by what `now` makes of it.
std::vector<NodeId> rebuild_nodes(Graph&, const std::vector<NodeId>& roots,
                                  const std::function<NodeId(NodeId before, NodeId rebuilt)>& now);

// `roots` without custom nodes: their values alone.
std::vector<NodeId> drop_custom(Graph&, const std::vector<NodeId>& roots);

}  // namespace gradc

// cut.h: takes a piece out of a graph: chosen values become inputs, so that what lies behind them
// is out of sight.
#pragma once

#include <string>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// The nodes that `roots` become when every read of one of `leaves` reads a new input instead, named
// by the leaf's label. A leaf that is itself a root becomes its input.
std::vector<NodeId> cut(Graph&, const std::vector<NodeId>& roots,
                        const std::vector<NodeId>& leaves);

// A new input of that type, called `name` or, if the graph has that already, `name` and a number.
NodeId fresh_input(Graph&, const std::string& name, const TensorType&);

// Makes the graph's only function one with these outputs and nothing else.
void keep_only(Graph&, const std::vector<NodeId>& outputs);

}  // namespace gradc

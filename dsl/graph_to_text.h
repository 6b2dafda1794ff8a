// graph_to_text.h: graph ↔ text. graph_from_text(graph_to_text(g)) == g.
#pragma once

#include <string>

#include "dsl/diagnostics.h"
#include "dsl/graph.h"

namespace gradc {

// Every function of the graph, one definition a line, in index notation, named by the labels.
std::string graph_to_text(const Graph&);

// One node and, beneath it, the definitions it needs, in the same notation; for explain and messages.
std::string formula(const Graph&, NodeId);

// Reads back what graph_to_text printed. Errors go to the diagnostics with their place in `file`.
Graph text_to_graph(const Sources&, std::uint32_t file, Diagnostics&);

// Equal functions, node for node, whatever the ids and labels.
bool equal(const Graph&, const Graph&);

}  // namespace gradc

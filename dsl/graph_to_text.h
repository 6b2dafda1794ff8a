// graph_to_text.h: graph ↔ text. text_to_graph(graph_to_text(g)) equals g.
#pragma once

#include <string>

#include "dsl/diagnostics.h"
#include "dsl/graph.h"
#include "dsl/graph_names.h"

namespace gradc {

// Every function of the graph, one statement a node, in the language's own grammar, named by the labels:
//     z[b in 0..B-1, o in 0..127] = sum[i in 0..63] x[b, i] * W[i, o]
std::string graph_to_text(const Graph&);

// One node and, beneath it, the definitions it needs, for explain and messages: as mathematics, so without
// ranges that go without saying and without casts, and what has no name of its own stands in its user's line.
//     dlogits[b, c] = (p[b, c] - select(c == label[b], 1, 0)) / B
std::string formula(const Graph&, NodeId);

// The first line of that: the node in terms of the tensors it reads, all by name. Inputs, parameters and other
// leaves give what they are.
std::string equation(const Graph&, NodeId);
std::string equation(const Graph&, NodeId, const NodeNames&);  // by names given for it and what it reads

// Reads back what graph_to_text printed. Errors go to the diagnostics with their place in `file`.
Graph text_to_graph(const Sources&, std::uint32_t file, Diagnostics&);

// Equal functions, node for node, whatever the ids and labels.
bool equal(const Graph&, const Graph&);

}  // namespace gradc

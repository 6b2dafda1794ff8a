// graph_names.h: what the values and indices of a graph are called where it is shown to a person.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

using NodeNames = std::unordered_map<NodeId, std::string>;

// A distinct identifier for each of `nodes`: the wish for it, if any, else the end of its path that
// tells it from the others ("dense1_W"), else its label, else t1, t2, …. Earlier nodes choose
// first, wishes before all. No name is a word of the language, a scalar function or a dim.
NodeNames name_nodes(const Graph&, const std::vector<NodeId>& nodes,
                     const std::vector<std::pair<NodeId, std::string>>& wishes = {});

// A distinct identifier for each index of a comprehension: that of its label, else b if it runs over dim B,
// else i, j, k, …. None is a dim or the name of a tensor the body reads.
std::vector<std::string> name_indices(const Graph&, NodeId comprehension, const NodeNames&);

bool is_identifier(std::string_view);

}  // namespace gradc

// time_loops.h: the loops along time of a function, and what is computed in them.
#pragma once

#include <map>
#include <vector>

#include "codegen/partition.h"

namespace gradc {

// The loops of what the function needs, and what they leave behind.
std::vector<TimeLoop> find_time_loops(const Graph&, const std::vector<NodeId>& roots);

// The number of the loop that each node is computed in, from 1 on; those in none are absent.
std::map<NodeId, std::uint32_t> loops_of(const Graph&, const std::vector<NodeId>& order,
                                         const std::vector<TimeLoop>&);

}  // namespace gradc

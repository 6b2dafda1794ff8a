// recurrence.h: what a recurrence computes step by step along time, and in what order.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "dsl/graph.h"

namespace gradc {

// The recurrence nodes that have the same pasts. At each position of time, in the order of its direction,
// every step is computed there in turn; what a step reads of another is at the same position, what it
// reads of a past at one that came before.
struct Loop {
  std::vector<Equation> equations;
  bool backwards = false;
  std::vector<NodeId> steps;    // comprehensions and customs that depend on the pasts, operands first
  std::vector<NodeId> results;  // the recurrence nodes
  std::unordered_map<NodeId, std::uint32_t> time;  // the axis of time of each step and past
  std::string problem;          // why it cannot be computed so; empty if it can

  bool contains(NodeId id) const { return time.contains(id); }
};

// The loops among nodes in topological order.
std::vector<Loop> find_loops(const Graph&, const std::vector<NodeId>& order);

// The nodes of a topological order, each loop in one piece: what its steps need from outside, the steps,
// the results.
std::vector<NodeId> order_by_loops(const Graph&, const std::vector<NodeId>& order,
                                   const std::vector<Loop>&);

// The same for any groups of nodes that are to stay together, each in the order given.
std::vector<NodeId> order_by_groups(const Graph&, const std::vector<NodeId>& order,
                                    const std::vector<std::vector<NodeId>>& groups);

// The equations that the results need.
std::vector<Equation> needed_equations(const Graph&, const Loop&);

// All of `operand` once each past is what its equation gives.
NodeId recurrence(Graph&, NodeId operand, const std::vector<Equation>&, bool backwards);

// The value of `operand` once the loop has run: a step's, or that of the equation of a past.
NodeId result_of(Graph&, const Loop&, NodeId operand);

// `roots` seen from outside of the loop: what they read of it is what has come out of it.
std::vector<NodeId> outside(Graph&, const Loop&, const std::vector<NodeId>& roots);

}  // namespace gradc

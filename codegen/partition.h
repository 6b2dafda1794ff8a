// partition.h: which tensors of a function are stored, and in what order they are computed.
//
// Elementwise nodes of the graph are mathematics, not memory. What is stored: reductions, random
// tensors, results, operands of products that are not plain reads, and costly or padded values that
// would otherwise be computed again and again. Everything else moves into the bodies of its users.
#pragma once

#include <string_view>
#include <vector>

#include "codegen/loops.h"
#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

// Where a stored tensor lives.
struct Home {
  loops::Storage storage = loops::Storage::workspace;
  NodeId target;            // parameter, state: what is overwritten; gradient: the parameter
  std::uint32_t result = 0; // output: its number among the function's results
};

enum class Form : std::uint8_t;  // schedule.h

struct StoredNode {
  NodeId node;  // a comprehension or random node whose body reads stored nodes, leaves and reshapes of them
  Home home;
  std::string_view why;  // it is stored, for people
  Form form{};           // from schedule on
  bool bf16 = false;     // it is stored as bf16; from narrow on
  bool alone = false;  // a copy to another order, or to pairs: in a kernel of its own, which moves
                       // whole tiles
  std::uint32_t loop = 0;  // it is computed in each iteration of loop number `loop`, from 1 on; 0: once
  NodeId whole{};          // it is the slice of this, a recurrence or a past, at the loop's time,
  std::uint32_t axis = 0;  // across this axis
};

// An iteration for each position of time.
struct TimeLoop {
  DimId time;
  Extent count;
  bool backwards = false;
  std::vector<std::pair<NodeId, NodeId>> pasts;  // and whose memory each is: a recurrence, or itself
  std::vector<NodeId> results;                   // recurrences that are read
};

// One emitted function, or the two halves of a net, as a list of tensors to compute, operands first.
struct FunctionPlan {
  std::uint32_t function = 0;      // index into Graph::functions
  loops::Entry entry = loops::Entry::step;
  std::vector<StoredNode> stored;
  std::vector<TimeLoop> loops;
  std::size_t forward_count = 0;   // net, step: how many of them the outputs need; they come first
};

// For the functions of the graph in order: init, net (entry forward: both halves), step, and, right
// after each step, its evaluation (entry evaluate: outputs only).
std::vector<FunctionPlan> partition(Graph&, const Target&);

// The stored node, parameter, input … whose elements a node shares: itself, or what it reshapes.
NodeId storage_of(const Graph&, NodeId);

// The input or parameter that gradient number k of a net belongs to.
NodeId gradient_target(const Graph&, const Function& net, std::size_t k);

}  // namespace gradc

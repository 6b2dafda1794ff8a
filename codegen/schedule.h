// schedule.h: how each stored tensor is computed, from the roles of its indices alone.
#pragma once

#include <optional>

#include "codegen/partition.h"
#include "codegen/products.h"
#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

enum class Form : std::uint8_t {
  pointwise,  // one value per element: loops over the free indices
  fold,       // a reduction in registers: loops over the free indices, then over the others
  spread,     // a reduction in memory, contiguous free index innermost: vectors, not lane sums
  scatter,    // sum of select(id[…] == index, value, 0): zero, then add each value where it belongs
  product,    // sum of a product of two reads: register tiles, vectors along the last free index
  inner,      // the same, vectors along a sum
};

Form form_of(const Graph&, NodeId, const Target&);
std::string_view name(Form);

// The form of every stored tensor of every plan.
void schedule(const Graph&, std::vector<FunctionPlan>&, const Target&);

// A scatter: out[…] += value for all indices but the solved ones, which the others determine, wherever the
// `conditions` hold and the solved positions are inside.
struct ScatterForm {
  struct Solved {
    std::uint32_t index = 0;  // a free index …
    ScalarId position;        // … and its value in terms of the others
  };
  std::vector<Solved> solved;
  std::vector<ScalarId> conditions;
  ScalarId value;
};
// May add scalars (the positions) to the graph.
std::optional<ScatterForm> scatter_form(Graph&, NodeId);

// A copy whose reads do not run along its writes. Several indices that are neighbours in both are
// one: rows are those of what is written last, columns of what is read last. One of the others is
// left to threads, if there is any.
struct TranspositionForm {
  std::vector<std::uint32_t> rows, columns, others;  // the outermost of each first
};
std::optional<TranspositionForm> transposition_form(const Graph&, NodeId);

}  // namespace gradc

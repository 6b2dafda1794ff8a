// lower.h: graph → scheduled loops with memory: the stages between the last graph and the text.
//
// partition   which nodes are stored, in what order they are computed
// fuse        which of them share a loop nest
// schedule    how each is computed: loops, tiles, scatter
// graph_to_loops   the loops themselves
// plan_memory      where every workspace buffer lies
#pragma once

#include <functional>
#include <string>

#include "codegen/loops.h"
#include "codegen/target.h"
#include "dsl/graph.h"

namespace gradc {

struct LowerOptions {
  std::string module_name;                     // an identifier
  std::function<std::string(Span)> place;      // "digits.nn:8"; may be empty
  const Target& target = cpp_target();
};

// The graph holds no gradient node any more; it is rewritten as it is partitioned, so pass a copy to keep it.
loops::Module lower(Graph, const LowerOptions&);

}  // namespace gradc

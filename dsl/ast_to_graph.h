// ast_to_graph.h: syntax → typed graph: names resolved, shapes unified, layers and ops expanded.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dsl/ast.h"
#include "dsl/graph.h"
#include "dsl/program.h"

namespace gradc {

struct SpecOptions {
  std::map<std::string, std::string> constants;  // -D name=value: override `const`s, fix `dim`s
};

// One layer or net use, for stats: what was called where, and what came out.
struct LayerUse {
  std::string path;                // "net.definition1", or the label
  std::string definition;          // as it was called
  std::vector<NodeId> parameters;  // it owns itself, not those of nested layers
  std::vector<NodeId> inputs;      // the tensors given to it; what lies between these and the results is its work
  std::vector<NodeId> results;
  // Its compile-time values: those given, defaults, and what its body works out from them, as
  // ("k", "5") in the order of the text.
  std::vector<std::pair<std::string, std::string>> constants;
  Span span;                       // of the call
};

struct Spec {
  std::string name;                // stem of the file, made an identifier
  Graph graph;
  Program program;
  std::vector<LayerUse> layers;
  std::vector<std::string> files;  // every file read, the prelude excepted (for depfiles)
};

// Reads `path` and what it imports, and elaborates. Errors go to the diagnostics; the Spec is only
// meaningful if there are none. The graph holds an `init` function, then every net and step.
// `minimize` has become updates whose gradients are still gradient nodes.
Spec ast_to_graph(const std::string& path, const SpecOptions&, Sources&, Diagnostics&);

}  // namespace gradc

// compile.h: the whole compiler from the graph on: graph → C++.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/loops.h"
#include "codegen/scaffold.h"
#include "codegen/target.h"
#include "dsl/diagnostics.h"
#include "dsl/graph.h"
#include "dsl/program.h"

namespace gradc {

// What one stage left, as text.
struct Dump {
  std::string stage;
  std::string text;
};

// The stages there are, in order: the words of --dump-after, and those of --emit that name their
// results (none: empty; the last one goes by its target).
struct StageName {
  std::string_view stage;   // "ast_to_graph"
  std::string_view result;  // "graph"
};
const std::vector<StageName>& stage_names();

struct CompileInput {
  std::string name;  // of the module, an identifier
  Graph graph;       // as elaborated, gradients still gradient nodes
  Program program;
  Provenance provenance;
  std::function<std::string(Span)> place;  // "digits.nn:8"
  std::string model_name = {};     // as programs and checkpoints know it; empty: `name`
  std::string device_module = {};  // the module of the same network for a device, if main is to offer it too
};

struct CompileOptions {
  std::string emit;                  // stop after the stage with this result; empty: at the end
  std::set<std::string> dump_after;  // stages to show
  bool format = true;
  Target target = cpp_target();
  std::int64_t memory_limit = 0;  // bytes of each workspace; 0: as many as it takes
  std::vector<Isa> isas = {};  // several: a source for each, and one that chooses among them when the program runs
};

// A source for one set of instructions.
struct VariantSource {
  Isa isa;
  std::string file;  // "digits_x86_64_v4.cpp"
  std::string text;
};

struct Compiled {
  std::string emitted;  // with `emit`: that result
  std::vector<Dump> dumps;
  loops::Module module;
  std::string header, source, main;
  std::vector<VariantSource> variants;
};

// Errors (a parameter no gradient reaches) go to the diagnostics; the result is then only
// meaningful as far as dumps were made.
Compiled compile(CompileInput, const CompileOptions&, Diagnostics&);

// The stages up to simplify alone.
void prepare(Graph&, Diagnostics&);

// The stages from partition to parallelize alone, of a graph without gradient nodes.
loops::Module lower(Graph, const std::string& name, const Target& = cpp_target());

// Elements with every dim at its bound.
std::int64_t element_count(const Graph&, const Shape&);

}  // namespace gradc

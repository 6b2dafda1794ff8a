// compile.cpp: the whole compiler, a stage a line.
#include "codegen/compile.h"

#include <utility>

#include "codegen/format.h"
#include "codegen/loops_to_text.h"
#include "codegen/lower.h"
#include "codegen/positions.h"
#include "dsl/differentiate.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify.h"
#include "dsl/verify.h"

namespace gradc {
namespace {

// Takes part in every stage: keeps what was asked for, and says when to stop.
class Stages {
 public:
  Stages(const CompileOptions& options, Compiled& result) : options_(options), result_(result) {}

  // After `stage`, whose result is called `name`: true if that was the one to stop at.
  template <class Print>
  bool after(const char* stage, const char* name, Print print) {
    const bool dump = options_.dump_after.contains(stage),
               stop = !options_.emit.empty() && options_.emit == name;
    if (!dump && !stop) return false;
    std::string text = print();
    if (stop) result_.emitted = text;
    if (dump) result_.dumps.push_back({stage, std::move(text)});
    return stop;
  }

 private:
  const CompileOptions& options_;
  Compiled& result_;
};

}  // namespace

const std::vector<StageName>& stage_names() {
  static const std::vector<StageName> names = {
      {"text_to_ast", "ast"},    {"ast_to_graph", "graph"}, {"stabilize", ""},
      {"differentiate", "grad"}, {"simplify", "simple"},    {"graph_to_loops", "loops"},
      {"loops_to_text", "cpp"},
  };
  return names;
}

Compiled compile(CompileInput input, const CompileOptions& options, Diagnostics& diagnostics) {
  Compiled result;
  Stages stages(options, result);
  Graph& graph = input.graph;
  const auto print_graph = [&] { return graph_to_text(graph); };

  verify(graph, "ast_to_graph");
  if (stages.after("ast_to_graph", "graph", print_graph)) return result;
  check_gradients(graph, diagnostics);
  if (diagnostics.has_errors()) return result;
  simplify(graph), verify(graph, "stabilize");
  if (stages.after("stabilize", "", print_graph)) return result;
  differentiate(graph), verify(graph, "differentiate");
  if (stages.after("differentiate", "grad", print_graph)) return result;
  simplify(graph), verify(graph, "simplify");
  if (stages.after("simplify", "simple", print_graph)) return result;
  result.module = lower(graph, {input.name, input.place, options.target});
  if (stages.after("graph_to_loops", "loops", [&] { return loops_to_listing(result.module, options.target); }))
    return result;

  ScaffoldInput scaffold{
      result.module, input.provenance, input.program, position_limits(graph), {}, options.target,
                         input.model_name, input.device_module};
  if (input.place)
    for (const Function& function : graph.functions)
      if (function.span.valid()) scaffold.places[function.name] = input.place(function.span);
  const auto layout = [&](std::string text) { return options.format ? format(text) : text; };
  result.header = layout(header_text(scaffold));
  result.source = layout(source_text(scaffold));
  result.main = layout(main_text(scaffold));
  stages.after("loops_to_text", options.target.name.data(), [&] { return result.header + "\n" + result.source; });
  return result;
}

void prepare(Graph& graph, Diagnostics& diagnostics) {
  verify(graph, "ast_to_graph");
  check_gradients(graph, diagnostics);
  if (diagnostics.has_errors()) return;
  simplify(graph), verify(graph, "stabilize");
  differentiate(graph), verify(graph, "differentiate");
  simplify(graph), verify(graph, "simplify");
}

std::int64_t element_count(const Graph& graph, const Shape& shape) {
  std::int64_t count = 1;
  for (const Extent& extent : shape) count *= max_extent(graph, extent);
  return count;
}

}  // namespace gradc

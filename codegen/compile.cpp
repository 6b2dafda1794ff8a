// compile.cpp: the whole compiler, a stage a line.
#include "codegen/compile.h"

#include <algorithm>
#include <utility>

#include "codegen/cut_ranges.h"
#include "codegen/format.h"
#include "codegen/graph_to_loops.h"
#include "codegen/join_launches.h"
#include "codegen/lay_out.h"
#include "codegen/loops_to_text.h"
#include "codegen/name_values.h"
#include "codegen/narrow.h"
#include "codegen/parallelize.h"
#include "codegen/plan_memory.h"
#include "codegen/plans_to_text.h"
#include "codegen/positions.h"
#include "codegen/recompute.h"
#include "codegen/schedule.h"
#include "codegen/take_in_turn.h"
#include "codegen/verify_loops.h"
#include "codegen/verify_plans.h"
#include "dsl/differentiate.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify.h"
#include "dsl/verify.h"

namespace gradc {
namespace {

// What the stages hand on to one another; each fills or rewrites its part.
struct Work {
  CompileInput input;
  const CompileOptions& options;
  Diagnostics& diagnostics;
  Graph& graph = input.graph;
  std::vector<FunctionPlan> plans = {};
  std::vector<std::vector<KernelPlan>> kernels = {};  // per plan
  loops::Module module = {};
  std::string header = {}, source = {}, main = {};
  std::vector<Variant> variants = {};  // instead of the module, whose kernels are then of no use
  std::vector<VariantSource> variant_sources = {};
  LegalNodes legal = {};   // of the graph
  Accesses accesses = {};  // of the module's kernels, which are legal
};

void stabilize(Work& w) {
  check_gradients(w.graph, w.diagnostics);
  if (!w.diagnostics.has_errors()) simplify(w.graph);
}

void fuse_all(Work& w) {
  for (const FunctionPlan& plan : w.plans) w.kernels.push_back(fuse(w.graph, plan));
}

void write_loops(Work& w) {
  w.module = graph_to_loops(w.graph, w.plans, w.kernels, {w.input.name, w.input.place, w.options.target});
}

void take_parts(Work& w) {
  if (take_in_turn(w.module, w.options.target)) w.accesses.clear();
}

// One workspace serves all variants, and a function takes a team if any of them can share it.
void agree(loops::Module& module, const std::vector<Variant>& variants) {
  for (const Variant& v : variants) {
    module.workspace_bytes = std::max(module.workspace_bytes, v.module.workspace_bytes);
    for (std::size_t f = 0; f < module.functions.size(); ++f)
      if (module.functions[f].work.empty()) module.functions[f].work = v.module.functions[f].work;
  }
}

void write_text(Work& w) {
  agree(w.module, w.variants);
  ScaffoldInput scaffold{w.module,         w.input.provenance, w.input.program,    position_limits(w.graph), {},
                         w.options.target, w.input.model_name, w.input.device_module};
  if (w.input.place)
    for (const Function& function : w.graph.functions)
      if (function.span.valid()) scaffold.places[function.name] = w.input.place(function.span);
  scaffold.variants = w.variants;
  const auto layout = [&](std::string text) { return w.options.format ? format(text) : text; };
  w.header = layout(header_text(scaffold));
  w.source = layout(source_text(scaffold));
  w.main = layout(main_text(scaffold));
  for (const Variant& v : w.variants)
    w.variant_sources.push_back(
        {v.isa, w.module.name + "_" + identifier_of(v.isa) + ".cpp", layout(variant_text(scaffold, v))});
}

// How what a stage left is shown, and what must hold of it.
std::string graph(const Work& w) { return graph_to_text(w.graph); }
std::string stored(const Work& w) { return stored_to_text(w.graph, w.plans); }
std::string forms(const Work& w) { return forms_to_text(w.graph, w.plans); }
std::string kernels(const Work& w) { return kernels_to_text(w.graph, w.plans, w.kernels); }
std::string loops(const Work& w) { return loops_to_listing(w.module, w.options.target); }
std::string memory(const Work& w) { return memory_to_text(w.module); }
std::string text(const Work& w) { return w.header + "\n" + w.source; }

void legal_graph(Work& w, const char* stage) { verify(w.graph, stage, w.legal); }
void legal_plans(Work& w, const char* stage) { verify(w.graph, w.plans, stage, w.legal); }
void legal_kernels(Work& w, const char* stage) { verify(w.graph, w.plans, w.kernels, stage); }
void legal_calls(Work& w, const char* stage) {
  verify_calls(w.module, w.accesses, false, stage);
}
void legal_places(Work& w, const char* stage) {
  verify_calls(w.module, w.accesses, true, stage);
}
void legal_loops(Work& w, const char* stage) {
  w.accesses = verify_kernels(w.module, stage);
  legal_calls(w, stage);
}
void legal_turns(Work& w, const char* stage) {
  w.accesses.empty() ? legal_loops(w, stage) : legal_calls(w, stage);
}
void legal_joined(Work& w, const char* stage) {
  w.options.target.grid() ? legal_loops(w, stage) : legal_calls(w, stage);
}
void legal_memory(Work& w, const char* stage) {
  w.accesses = verify_kernels(w.module, stage);
  legal_places(w, stage);
}
void any_text(Work&, const char*) {}

struct Stage {
  const char* name;    // the word of --dump-after
  const char* result;  // the word of --emit; that of the last stage is the target's name
  void (*run)(Work&);
  std::string (*show)(const Work&);
  void (*verify)(Work&, const char* stage);
};

// The text and its graph are there already (tool/load.cpp): a spec may have errors.
constexpr Stage stages[] = {
    {"ast_to_graph", "graph", [](Work&) {}, graph, legal_graph},
    {"stabilize", "", stabilize, graph, legal_graph},
    {"differentiate", "grad", [](Work& w) { differentiate(w.graph); }, graph, legal_graph},
    {"simplify", "simple", [](Work& w) { simplify(w.graph); }, graph, legal_graph},
    {"lay_out", "", [](Work& w) { lay_out(w.graph, w.options.target); }, graph, legal_graph},
    {"partition", "", [](Work& w) { w.plans = partition(w.graph, w.options.target); }, stored,
     legal_plans},
    {"name_values", "", [](Work& w) { name_values(w.graph, w.plans); }, stored, legal_plans},
    {"schedule", "", [](Work& w) { schedule(w.graph, w.plans, w.options.target); }, forms,
     legal_plans},
    {"narrow", "", [](Work& w) { narrow(w.graph, w.plans, w.options.target); }, forms, legal_plans},
    {"fuse", "", fuse_all, kernels, legal_kernels},
    {"graph_to_loops", "loops", write_loops, loops, legal_loops},
    {"take_in_turn", "", take_parts, loops, legal_turns},
    {"join_launches", "", [](Work& w) { join_launches(w.module, w.options.target); }, loops,
     legal_joined},
    {"recompute", "", [](Work& w) { recompute(w.module, w.options.memory_limit, w.diagnostics); },
     loops, legal_calls},
    {"plan_memory", "memory", [](Work& w) { plan_memory(w.module); }, memory, legal_places},
    {"parallelize", "", [](Work& w) { parallelize(w.module, w.options.target); }, loops,
     legal_memory},
    {"cut_ranges", "", [](Work& w) { cut_ranges(w.module, w.options.target); }, loops,
     legal_memory},
    {"loops_to_text", nullptr, write_text, text, any_text},
};

// The stages from `first` to `last`, as far as there is no error and nothing asks for less.
void run(Work& w, std::string_view first, std::string_view last, Compiled* result) {
  const auto at = [](std::string_view name) {
    return std::find_if(std::begin(stages), std::end(stages), [&](const Stage& s) { return s.name == name; });
  };
  for (const Stage* stage = at(first); stage <= at(last); ++stage) {
    stage->run(w);
    if (w.diagnostics.has_errors()) return;
    stage->verify(w, stage->name);
    if (!result) continue;
    const std::string_view name = stage->result ? stage->result : w.options.target.name;
    if (w.options.dump_after.contains(stage->name)) result->dumps.push_back({stage->name, stage->show(w)});
    if (w.options.emit.empty() || w.options.emit != name) continue;
    result->emitted = stage->show(w);
    return;
  }
}

// Pairs of bf16 are multiplied only where there are some.
CompileOptions settled(CompileOptions options) {
  Target& target = options.target;
  target.isa.pairs = target.isa.pairs && target.bf16 && !target.grid();
  return options;
}

}  // namespace

const std::vector<StageName>& stage_names() {
  static const std::vector<StageName> names = [] {
    std::vector<StageName> all = {{"text_to_ast", "ast"}};
    for (const Stage& stage : stages) all.push_back({stage.name, stage.result ? stage.result : ""});
    return all;
  }();
  return names;
}

Compiled compile(CompileInput input, const CompileOptions& wanted, Diagnostics& diagnostics) {
  const CompileOptions options = settled(wanted);
  std::vector<Variant> variants;
  for (const Isa& isa : options.isas) {
    CompileOptions one{.emit = "", .dump_after = {}, .format = options.format, .target = options.target,
                       .memory_limit = options.memory_limit};
    one.target.isa = isa;
    one = settled(one);
    Diagnostics said_below;  // by the stages for the first of them
    Work work{input, one, said_below};
    run(work, "ast_to_graph", "cut_ranges", nullptr);
    if (said_below.has_errors()) {
      Work again{std::move(input), one, diagnostics};
      run(again, "ast_to_graph", "cut_ranges", nullptr);
      return {};
    }
    variants.push_back({isa, std::move(work.module)});
  }
  Work work{std::move(input), options, diagnostics};
  work.variants = std::move(variants);
  Compiled result;
  run(work, "ast_to_graph", "loops_to_text", &result);
  result.module = std::move(work.module);
  result.header = std::move(work.header);
  result.source = std::move(work.source);
  result.main = std::move(work.main);
  result.variants = std::move(work.variant_sources);
  return result;
}

void prepare(Graph& graph, Diagnostics& diagnostics) {
  const CompileOptions options;
  Work work{{}, options, diagnostics};
  work.graph = std::move(graph);
  run(work, "ast_to_graph", "simplify", nullptr);
  graph = std::move(work.graph);
}

loops::Module lower(Graph graph, const std::string& name, const Target& target) {
  Diagnostics none;
  const CompileOptions options = settled({"", {}, false, target});
  Work work{{}, options, none};
  work.input.name = name;
  work.graph = std::move(graph);
  run(work, "partition", "cut_ranges", nullptr);
  return std::move(work.module);
}

std::int64_t element_count(const Graph& graph, const Shape& shape) {
  std::int64_t count = 1;
  for (const Extent& extent : shape) count *= max_extent(graph, extent);
  return count;
}

}  // namespace gradc

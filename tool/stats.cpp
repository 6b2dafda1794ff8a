// stats.cpp: `gradc stats`: parameters, operations and memory, layer by layer.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "codegen/compile.h"
#include "codegen/recompute.h"
#include "codegen/signatures.h"
#include "codegen/work.h"
#include "tool/compile_spec.h"
#include "tool/count.h"
#include "tool/verbs.h"

namespace gradc {
namespace {

struct FunctionCount {
  std::string name;
  std::string what;       // "forward", "forward and backward", "step"
  Operations operations;  // after simplification, as it is emitted
};

// What one step learns, and what that takes on top of computing its losses and reports.
struct StepCount {
  std::string name;
  std::int64_t trained = 0, frozen = 0;  // parameters: updated, and read but not updated
  std::vector<std::string> frozen_names;
  Operations forward, backward;      // backward: gradients and updates
  std::int64_t gradient_memory = 0;  // bytes of the workspace that only these write
};

// What keeping within a limit takes.
struct Limited {
  std::string function;
  std::int64_t without = 0, with = 0;        // peak workspace
  double flops_without = 0, flops_added = 0;  // with every dim at its bound; on a grid those of idle threads too
  FunctionTasks tasks;                        // of which some are run again
};

// What storing values as bf16 saves.
struct Narrowed {
  std::string function;
  std::int64_t saved_without = 0, saved = 0;  // for backward
  std::int64_t without = 0, with = 0;         // peak workspace
};

struct Stats {
  std::vector<StepCount> steps;
  std::vector<LayerCount> layers;
  std::vector<FunctionCount> functions;
  std::vector<loops::MemoryReport> memory;
  std::vector<Narrowed> narrowed;
  std::vector<Limited> limited;
  std::int64_t parameters = 0, parameter_bytes = 0, state_bytes = 0, workspace_bytes = 0;
};

std::int64_t bytes_of(DType type) {
  return type == DType::f64 ? 8 : type == DType::boolean ? 1 : 4;
}

// Simplified graph: what each emitted function computes.
std::vector<FunctionCount> count_functions(const Graph& graph, const DimSizes& dims) {
  std::vector<FunctionCount> result;
  for (const Function& function : graph.functions) {
    if (function.kind == FunctionKind::init) continue;
    if (function.kind == FunctionKind::net) {
      std::vector<NodeId> outputs;
      for (const Output& output : function.outputs) outputs.push_back(output.node);
      result.push_back({function.name, "forward", count(graph, outputs, dims)});
      result.push_back(
          {function.name, "forward and backward", count(graph, roots_of(function), dims)});
    } else {
      result.push_back({function.name, "step", count(graph, training_roots(function), dims)});
    }
  }
  return result;
}

// Of a simplified graph.
StepCount count_step(const Graph& graph, const Function& step, const DimSizes& dims) {
  StepCount result;
  result.name = step.name;
  std::vector<NodeId> losses;
  std::set<NodeId> trained, forward;
  for (const Output& output : step.outputs) losses.push_back(output.node);
  for (const Minimize& minimize : step.minimizes) {
    losses.push_back(minimize.loss);
    trained.insert(minimize.parameters.begin(), minimize.parameters.end());
  }
  for (const NodeId id : topological_order(graph, losses)) forward.insert(id);
  for (const NodeId id : topological_order(graph, training_roots(step))) {
    const Operations operations = count_node(graph, id, dims);
    (forward.contains(id) ? result.forward : result.backward) += operations;
    const Node& node = graph[id];
    if (node.kind != NodeKind::parameter) continue;
    const std::int64_t elements = elements_at(graph, node.type.shape, dims);
    if (trained.contains(id)) {
      result.trained += elements;
    } else {
      result.frozen += elements;
      result.frozen_names.push_back(node.name);
    }
  }
  return result;
}

std::int64_t gradient_memory(const loops::Module& module, const std::string& step) {
  std::set<std::uint32_t> before, after;
  for (const loops::Function& function : module.functions) {
    if (function.spec_name != step || function.entry != loops::Entry::step) continue;
    for (std::size_t k = 0; k < function.calls.size(); ++k) {
      const std::vector<std::uint32_t>& buffers = function.calls[k].buffers;
      (k < function.forward_calls ? before : after).insert(buffers.begin(), buffers.end());
    }
  }
  std::int64_t bytes = 0;
  for (const std::uint32_t number : after) {
    const loops::Buffer& buffer = module.buffers[number];
    const bool own = buffer.storage == loops::Storage::workspace && !before.contains(number);
    if (own) bytes += buffer.bytes;
  }
  return bytes;
}

double flops(const loops::Module& module, const std::string& function) {
  double total = 0;
  for (const loops::Function& f : module.functions) {
    const bool evaluates = f.entry == loops::Entry::evaluate || f.entry == loops::Entry::init;
    if (f.spec_name == function && !evaluates) total += flops_of(module, f);
  }
  return total;
}

std::vector<Narrowed> narrowed(const loops::Module& without, const loops::Module& with) {
  std::vector<Narrowed> result;
  for (std::size_t k = 0; k < without.memory.size(); ++k) {
    const loops::MemoryReport& f32 = without.memory[k];
    result.push_back({f32.function, f32.saved, with.memory[k].saved, f32.peak, with.memory[k].peak});
  }
  return result;
}

std::vector<Limited> compare(const loops::Module& without, const loops::Module& with) {
  std::vector<Limited> result;
  std::vector<FunctionTasks> all = tasks_of(without);
  for (std::size_t k = 0; k < without.memory.size(); ++k) {
    const std::string& function = without.memory[k].function;
    const double before = flops(without, function);
    result.push_back({function, without.memory[k].peak, with.memory[k].peak, before, flops(with, function) - before,
                      std::move(all[k])});
  }
  return result;
}

// Columns as wide as their widest cell; `right` says which are numbers.
std::string columns(const std::vector<std::vector<std::string>>& rows,
                    const std::vector<bool>& right) {
  std::vector<std::size_t> widths(right.size());
  for (const auto& row : rows)
    for (std::size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], row[k].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t k = 0; k < row.size(); ++k) {
      line += k == 0 ? "" : "  ";
      line += right[k] ? fmt::format("{:>{}}", row[k], widths[k])
                       : fmt::format("{:<{}}", row[k], widths[k]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string dims_text(const Graph& graph, const DimSizes& dims) {
  std::string text;
  for (const Dim& dim : graph.dims()) {
    const auto found = dims.find(dim.name);
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", dim.name,
                        found == dims.end() ? 1 : found->second);
  }
  return text;
}

void print_text(const Spec& spec, const Stats& stats, const DimSizes& dims) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "kind", "output", "parameters", "MACs", "FLOPs", "with"}};
  Operations total;
  for (const LayerCount& layer : stats.layers) {
    total += layer.operations;
    const bool between = layer.definition.empty();
    std::string with;
    for (const auto& [name, value] : layer.constants)
      with += fmt::format("{}{} = {}", with.empty() ? "" : ", ", name, value);
    rows.push_back({layer.path, between ? "(between layers)" : layer.definition, layer.shapes,
                    between && layer.parameters == 0 ? "" : grouped(layer.parameters), grouped(layer.operations.macs),
                    grouped(layer.operations.flops), with});
  }
  rows.push_back(
      {"total", "", "", grouped(stats.parameters), grouped(total.macs), grouped(total.flops), ""});
  fmt::print("{}\n", columns(rows, {false, false, false, true, true, true, false}));

  rows = {{"function", "", "MACs", "FLOPs"}};
  for (const FunctionCount& f : stats.functions)
    rows.push_back({f.name, f.what, grouped(f.operations.macs), grouped(f.operations.flops)});
  fmt::print("{}\n", columns(rows, {false, false, true, true}));

  if (!stats.steps.empty()) {
    rows = {{"step", "trained", "frozen", "forward MACs", "backward MACs", "gradients, bytes"}};
    for (const StepCount& s : stats.steps)
      rows.push_back({s.name, grouped(s.trained), grouped(s.frozen), grouped(s.forward.macs),
                      grouped(s.backward.macs), grouped(s.gradient_memory)});
    fmt::print("{}", columns(rows, {false, true, true, true, true, true}));
    for (const StepCount& s : stats.steps)
      if (!s.frozen_names.empty())
        fmt::print("{} leaves as they are: {}\n", s.name, fmt::join(s.frozen_names, ", "));
    fmt::print("\n");
  }

  rows = {{"memory, bytes", "saved for backward", "peak workspace", "least possible"}};
  for (const loops::MemoryReport& m : stats.memory)
    rows.push_back({m.function, grouped(m.saved), grouped(m.peak), grouped(m.lower_bound)});
  fmt::print("{}\n", columns(rows, {false, true, true, true}));
  if (!stats.narrowed.empty()) {
    rows = {{"stored as bf16", "saved as f32", "saved as bf16", "peak as f32", "peak as bf16", ""}};
    for (const Narrowed& n : stats.narrowed) {
      const auto without = static_cast<double>(std::max<std::int64_t>(n.without, 1));
      rows.push_back({n.function, grouped(n.saved_without), grouped(n.saved), grouped(n.without), grouped(n.with),
                      fmt::format("{:+.1f} %", 100 * static_cast<double>(n.with - n.without) / without)});
    }
    fmt::print("{}\n", columns(rows, {false, true, true, true, true, true}));
  }
  if (!stats.limited.empty()) {
    rows = {{"with the limit", "peak without", "peak with", "FLOPs", "FLOPs added", ""}};
    for (const Limited& l : stats.limited)
      rows.push_back({l.function, grouped(l.without), grouped(l.with), grouped(std::llround(l.flops_without)),
                      grouped(std::llround(l.flops_added)),
                      fmt::format("{:+.1f} %", l.flops_without > 0 ? 100 * l.flops_added / l.flops_without : 0.0)});
    fmt::print("{}\n", columns(rows, {false, true, true, true, true, true}));
  }
  fmt::print("parameters {} bytes, state {} bytes, workspace {} bytes\n\n",
             grouped(stats.parameter_bytes), grouped(stats.state_bytes),
             grouped(stats.workspace_bytes));

  const std::string sizes = dims_text(spec.graph, dims);
  if (!sizes.empty())
    fmt::print(
        "Operations are counted for {} (--dim changes that), memory for every dim at its bound.\n",
        sizes);
  fmt::print(
      "FLOPs: every addition, multiplication, division, maximum and elementary function is one, so "
      "a sum of n products\n"
      "is n multiplications and n - 1 additions. Others count 2 per multiply-add (MAC): 2 * MACs = "
      "{}.\n",
      grouped(2 * total.macs));
}

// What could have been run again instead: tasks in their order, and the values by which they depend on each other.
nlohmann::ordered_json values_json(const FunctionTasks& of) {
  auto json = nlohmann::ordered_json::array();
  for (const tasks::Value& value : of.values) json.push_back({{"bytes", value.bytes}, {"in_workspace", value.original > 0}});
  return json;
}

nlohmann::ordered_json tasks_json(const FunctionTasks& of) {
  auto json = nlohmann::ordered_json::array();
  for (std::size_t t = 0; t < of.all.size(); ++t) {
    const tasks::Task& task = of.all[t];
    json.push_back({{"kernel", of.names[t]},
                    {"cost", task.cost},
                    {"reads", task.reads},
                    {"writes", task.writes},
                    {"repeatable_before", task.repeatable_before}});
  }
  return json;
}

void print_json(const Spec& spec, const Stats& stats, const DimSizes& dims) {
  nlohmann::ordered_json json;
  json["name"] = spec.name;
  for (const Dim& dim : spec.graph.dims()) {
    const auto found = dims.find(dim.name);
    json["counted_for"][dim.name] = found == dims.end() ? 1 : found->second;
  }
  json["layers"] = nlohmann::ordered_json::array();
  Operations total;
  for (const LayerCount& layer : stats.layers) {
    total += layer.operations;
    json["layers"].push_back(
        {{"path", layer.path},
         {"kind", layer.definition.empty() ? "between layers" : layer.definition},
         {"output", layer.shapes},
         {"with", nlohmann::ordered_json::object()},
         {"parameters", layer.parameters},
         {"macs", layer.operations.macs},
         {"flops", layer.operations.flops}});
    for (const auto& [name, value] : layer.constants) json["layers"].back()["with"][name] = value;
  }
  json["total"] = {{"parameters", stats.parameters},
                   {"macs", total.macs},
                   {"flops", total.flops},
                   {"flops_2mac", 2 * total.macs}};
  json["functions"] = nlohmann::ordered_json::array();
  for (const FunctionCount& f : stats.functions)
    json["functions"].push_back({{"name", f.name},
                                 {"what", f.what},
                                 {"macs", f.operations.macs},
                                 {"padding_macs", f.operations.padding},
                                 {"flops", f.operations.flops}});
  json["steps"] = nlohmann::ordered_json::array();
  for (const StepCount& s : stats.steps)
    json["steps"].push_back({{"name", s.name},
                             {"trained", s.trained},
                             {"frozen", s.frozen},
                             {"frozen_parameters", s.frozen_names},
                             {"forward_macs", s.forward.macs},
                             {"backward_macs", s.backward.macs},
                             {"gradient_bytes", s.gradient_memory}});
  json["memory"] = nlohmann::ordered_json::array();
  for (const loops::MemoryReport& m : stats.memory)
    json["memory"].push_back({{"function", m.function},
                              {"saved_for_backward", m.saved},
                              {"peak", m.peak},
                              {"lower_bound", m.lower_bound}});
  for (const Narrowed& n : stats.narrowed)
    json["narrowed"].push_back({{"function", n.function},
                                {"saved_as_f32", n.saved_without},
                                {"saved", n.saved},
                                {"peak_as_f32", n.without},
                                {"peak", n.with}});
  for (const Limited& l : stats.limited)
    json["limited"].push_back({{"function", l.function},
                               {"peak_without", l.without},
                               {"peak", l.with},
                               {"flops_without", std::llround(l.flops_without)},
                               {"flops_added", std::llround(l.flops_added)},
                               {"values", values_json(l.tasks)},
                               {"tasks", tasks_json(l.tasks)}});
  json["parameter_bytes"] = stats.parameter_bytes;
  json["state_bytes"] = stats.state_bytes;
  json["workspace_bytes"] = stats.workspace_bytes;
  fmt::print("{}\n", json.dump(2));
}

}  // namespace

int stats(Session& session, const StatsArguments& options) {
  int code = exit_ok;
  std::optional<Spec> spec = load(session, options.spec, code);
  if (!spec) return code;
  for (const auto& [name, size] : options.dims) {
    const auto& dims = spec->graph.dims();
    const auto dim =
        std::find_if(dims.begin(), dims.end(), [&](const Dim& d) { return d.name == name; });
    if (dim == dims.end())
      return fail(session, exit_usage,
                  fmt::format("--dim {}: the spec has no bounded dim of that name", name));
    if (size > dim->bound)
      return fail(session, exit_usage,
                  fmt::format("--dim {}={}: the spec bounds it by {}", name, size, dim->bound));
  }

  Stats stats;
  stats.layers = count_layers(*spec, options.dims);
  Graph simple = spec->graph;
  prepare(simple, session.diagnostics);
  code = report(session);
  if (code != exit_ok) return code;
  stats.functions = count_functions(simple, options.dims);
  CompileOptions compiling{"memory", {}, false, *target_named(options.target)};
  Compiled compiled = compile(compile_input(session, *spec), compiling, session.diagnostics);
  if (options.storage == "bf16") {
    const loops::Module without = std::move(compiled.module);
    compiling.target.bf16 = true;
    compiled = compile(compile_input(session, *spec), compiling, session.diagnostics);
    stats.narrowed = narrowed(without, compiled.module);
  }
  if (options.memory_limit > 0) {
    compiling.memory_limit = options.memory_limit;
    const loops::Module without = std::move(compiled.module);
    compiled = compile(compile_input(session, *spec), compiling, session.diagnostics);
    if ((code = report(session)) != exit_ok) return code;
    stats.limited = compare(without, compiled.module);
  }
  const loops::Module& module = compiled.module;
  stats.memory = module.memory;
  for (const Function& function : simple.functions) {
    if (function.kind != FunctionKind::step) continue;
    stats.steps.push_back(count_step(simple, function, options.dims));
    stats.steps.back().gradient_memory = gradient_memory(module, function.name);
  }
  stats.workspace_bytes = module.workspace_bytes;
  for (const std::uint32_t number : module.parameters) {
    const loops::Buffer& buffer = module.buffers[number];
    stats.parameters += buffer.elements;
    stats.parameter_bytes += buffer.elements * bytes_of(buffer.type.dtype);
  }
  for (const std::uint32_t number : module.state) {
    const loops::Buffer& buffer = module.buffers[number];
    stats.state_bytes += buffer.elements * bytes_of(buffer.type.dtype);
  }
  if (options.json)
    print_json(*spec, stats, options.dims);
  else
    print_text(*spec, stats, options.dims);
  return exit_ok;
}

}  // namespace gradc

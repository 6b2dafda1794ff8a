// explain.cpp: `gradc explain`: a value of the spec, or its gradient, as a simplified formula.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/check.h"
#include "dsl/differentiate.h"
#include "dsl/graph_to_text.h"
#include "dsl/simplify.h"
#include "dsl/verify.h"
#include "tool/count.h"
#include "tool/cut.h"
#include "tool/verbs.h"

namespace gradc {
namespace {

struct NamedValue {
  std::string function;
  std::string name;
  NodeId node;
};

// Every value of a function that has a name: reports and results first, then inputs and parameters,
// then what the spec itself names, later definitions before earlier ones, then what the prelude
// names.
std::vector<NamedValue> named_values(const Graph& graph) {
  std::vector<NamedValue> values;
  for (const Function& function : graph.functions) {
    if (function.kind == FunctionKind::init) continue;
    const auto add = [&](const std::string& name, NodeId node) {
      if (name.empty()) return;
      for (const NamedValue& value : values)
        if (value.function == function.name && value.name == name) return;
      values.push_back({function.name, name, node});
    };
    const auto local = [&](const std::string& name) {
      return name.starts_with(function.name + ".") ? name.substr(function.name.size() + 1) : name;
    };
    for (const Output& output : function.outputs) add(output.name, output.node);
    for (const NodeId input : function.inputs) add(local(graph[input].name), input);
    std::vector<NodeId> roots = roots_of(function);
    for (const Minimize& minimize : function.minimizes) roots.push_back(minimize.loss);
    std::vector<NodeId> order = topological_order(graph, roots);
    std::reverse(order.begin(), order.end());
    for (const NodeId id : order)
      if (graph[id].kind == NodeKind::parameter || graph[id].kind == NodeKind::state) {
        add(graph[id].name, id);
        add(local(graph[id].name), id);
      }
    for (const bool prelude : {false, true})
      for (const NodeId id : order)
        if (graph[id].kind != NodeKind::gradient && (graph.label(id).span.file == 0) == prelude)
          add(graph.label(id).name, id);
  }
  return values;
}

std::string with_function(const NamedValue& value) {
  return value.function + "." + value.name;
}

// The value meant by `name` (`loss`, `train.loss`), in `within` if that is not empty. Says what is
// wrong otherwise.
std::optional<NamedValue> find_value(const Session& session, const std::vector<NamedValue>& values,
                                     const std::string& name, const std::string& within,
                                     int& code) {
  std::vector<const NamedValue*> found;
  for (const NamedValue& value : values)
    if ((within.empty() || value.function == within) &&
        (value.name == name || with_function(value) == name))
      found.push_back(&value);
  const auto same = [&](const NamedValue* value) { return value->node == found[0]->node; };
  if (!found.empty() && std::all_of(found.begin(), found.end(), same)) return *found[0];
  if (!found.empty()) {
    std::string choices;
    for (const NamedValue* value : found)
      choices += (choices.empty() ? "" : " or ") + with_function(*value);
    code =
        fail(session, exit_usage, fmt::format("'{}' has several meanings: say {}", name, choices));
    return std::nullopt;
  }
  std::vector<std::string> full;
  for (const NamedValue& value : values)
    if (within.empty() || value.function == within) full.push_back(with_function(value));
  std::vector<std::string_view> candidates(full.begin(), full.end());
  for (const NamedValue& value : values)
    if (within.empty() || value.function == within) candidates.emplace_back(value.name);
  const auto near = nearest_name(name, candidates);
  code = fail(
      session, exit_usage,
      fmt::format("no value is called '{}'{}{}", name, within.empty() ? "" : " in '" + within + "'",
                  near ? fmt::format("; did you mean '{}'?", *near) : ""));
  return std::nullopt;
}

// A scalar whose gradient is that of `value` weighted with a new input: what follows `value` in a
// larger function.
NodeId weighted_sum(Graph& graph, NodeId value, NodeId weight) {
  const Shape shape = graph[value].type.shape;
  std::vector<ScalarId> indices;
  for (std::uint32_t k = 0; k < shape.size(); ++k) indices.push_back(graph.index(k));
  const ScalarId body =
      graph.apply(Fn::mul, {graph.read(weight, indices), graph.read(value, indices)});
  return graph.comprehension(0, shape, Reduction::sum, body);
}

// The gradient with respect to a value, coming from what is made of it: a net has such an input for
// each result.
NodeId cotangent(Graph& graph, const NamedValue& value, const TensorType& type) {
  for (std::uint32_t k = 0; k < graph.node_count(); ++k) {
    const Node& node = graph[NodeId{k}];
    if (node.kind == NodeKind::input && node.name == value.function + ".d" + value.name &&
        node.type == type)
      return NodeId{k};
  }
  return fresh_input(graph, "d" + value.name, type);
}

// Simplifies the piece `outputs` and returns what they became.
std::vector<NodeId> simplified(Graph& graph, const std::vector<NodeId>& outputs) {
  keep_only(graph, outputs);
  simplify(graph);
  differentiate(graph);
  simplify(graph);
  verify(graph, "explain");
  std::vector<NodeId> result;
  for (const Output& output : graph.functions[0].outputs) result.push_back(output.node);
  return result;
}

void print(const Graph& graph, const std::string& title, NodeId node) {
  fmt::print("{}: {}\n{}\n", title, type_text(graph, graph[node].type), formula(graph, node));
}

}  // namespace

int explain(Session& session, const ExplainArguments& options) {
  int code = exit_ok;
  std::optional<Spec> spec = load(session, options.spec, code);
  if (!spec) return code;
  Graph& graph = spec->graph;
  verify(graph, "ast_to_graph");
  const std::vector<NamedValue> values = named_values(graph);
  const auto value = find_value(session, values, options.value, "", code);
  if (!value) return code;
  if (options.wrt.empty()) {
    const std::vector<NodeId> roots = simplified(graph, {value->node});
    if (code = report(session); code != exit_ok) return code;
    print(graph, with_function(*value), roots[0]);
    return exit_ok;
  }

  const auto wrt = find_value(session, values, options.wrt, value->function, code);
  if (!wrt) return code;
  for (const NamedValue* which : {&*value, &*wrt})
    if (!is_float(graph[which->node].type.dtype))
      return fail(
          session, exit_usage,
          fmt::format("'{}' is {}: gradients are of and with respect to floating-point values",
                      with_function(*which), type_text(graph, graph[which->node].type)));
  // Seen from here `wrt` is an input: what it was computed from is no part of the gradient.
  const std::vector<NodeId> seen = cut(graph, {value->node, wrt->node}, {wrt->node});
  const NodeId leaf = seen[1];
  NodeId loss = seen[0];
  loss = simplified(graph, {loss})[0];
  std::string title = fmt::format("d {} / d {}", with_function(*value), wrt->name);
  if (graph[loss].type.rank() > 0) {
    const NodeId weight = cotangent(graph, *value, graph[loss].type);
    loss = weighted_sum(graph, loss, weight);
    title = fmt::format("d{}, where d{} is the gradient with respect to {} of what is made of it",
                        wrt->name, value->name, with_function(*value));
  }
  NodeId gradient = gradients(graph, loss, {leaf})[0];
  gradient = simplified(graph, {gradient})[0];
  if (code = report(session); code != exit_ok) return code;
  print(graph, title, gradient);
  return exit_ok;
}

}  // namespace gradc

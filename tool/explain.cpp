// explain.cpp: `gradc explain`: a value of the spec, or its gradient, as a simplified formula.
#include <fmt/format.h>

#include <algorithm>
#include <map>

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
    std::vector<NodeId> roots = function.kind == FunctionKind::step ? training_roots(function)
                                                                    : roots_of(function);
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

// Finds in a formula what the spec has a name for: `p[b, i]` says more than what p was made of.
struct Naming {
  Graph& graph;
  std::vector<NodeId> named;
  std::map<ScalarId, ScalarId> rewritten{};
  int steps = 100'000;  // a formula may share more than it shows; then it is left as it is

  // Whether `target` is `pattern` with each of its indices replaced as `places` says or is made to.
  bool match(ScalarId pattern, ScalarId target, std::vector<ScalarId>& places) {
    if (--steps < 0) return false;
    const Scalar &p = graph[pattern], &t = graph[target];
    if (p.kind == ScalarKind::index) {
      if (t.kind != ScalarKind::index) return false;
      ScalarId& place = places[p.index];
      if (!place.valid()) place = target;
      return place == target;
    }
    if (p.args.empty()) return pattern == target;
    if (p.kind != t.kind || p.fn != t.fn || p.tensor != t.tensor || p.dtype != t.dtype ||
        p.zero_outside != t.zero_outside || p.args.size() != t.args.size())
      return false;
    const auto all = [&](bool swapped) {
      std::vector<ScalarId> tried = places;
      for (std::size_t k = 0; k < p.args.size(); ++k)
        if (!match(p.args[k], t.args[swapped ? 1 - k : k], tried)) return false;
      places = tried;
      return true;
    };
    const bool commutes = p.kind == ScalarKind::apply && (p.fn == Fn::add || p.fn == Fn::mul);
    return all(false) || (commutes && all(true));
  }

  // Not what is as short as a name, or has become something else.
  bool tells(NodeId name) const {
    const Node& node = graph[name];
    if (node.kind != NodeKind::comprehension || node.reduction != Reduction::none) return false;
    const auto is_apply = [&](ScalarId s) { return graph[s].kind == ScalarKind::apply; };
    const std::vector<ScalarId>& args = graph[node.body].args;
    return is_apply(node.body) && std::any_of(args.begin(), args.end(), is_apply);
  }

  ScalarId rewrite(ScalarId id, NodeId within) {
    if (const auto done = rewritten.find(id); done != rewritten.end()) return done->second;
    return rewritten[id] = rewrite_new(id, within);
  }

  ScalarId rewrite_new(ScalarId id, NodeId within) {
    for (const NodeId name : named) {
      if (name == within || !tells(name)) continue;
      std::vector<ScalarId> places(graph[name].type.rank());
      if (!match(graph[name].body, id, places)) continue;
      const bool whole = std::all_of(places.begin(), places.end(), [](ScalarId s) { return s.valid(); });
      if (whole) return graph.read(name, places);
    }
    Scalar scalar = graph[id];
    if (scalar.kind != ScalarKind::apply) return id;
    for (ScalarId& arg : scalar.args) arg = rewrite(arg, within);
    return graph.add(scalar);
  }

  NodeId operator()(NodeId root) {
    const Node node = graph[root];
    if (node.kind != NodeKind::comprehension) return root;
    const NodeId result = graph.comprehension(node.type.rank(), node.ranges, node.reduction,
                                              rewrite(node.body, root));
    if (result != root) graph.label(result) = graph.label(root);
    return result;
  }
};

// Those of a function's values that a formula gives and the spec itself names: its name is what
// stands where it was made, which for a name of the prelude is a call.
std::vector<NodeId> named_formulas(const Graph& graph, const Sources& sources,
                                   const std::vector<NamedValue>& values, const NamedValue& of) {
  std::vector<NodeId> found;
  for (const NamedValue& value : values) {
    const Node& node = graph[value.node];
    const Label& label = graph.label(value.node);
    if (value.function == of.function && node.kind == NodeKind::comprehension &&
        node.reduction == Reduction::none && is_float(node.type.dtype) &&
        label.span.valid() &&
        sources.text(label.span.file).substr(label.span.begin).starts_with(label.name))
      found.push_back(value.node);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void print(const Graph& graph, const std::string& title, const std::string& name, NodeId node) {
  const NodeKind kind = graph[node].kind;
  if (kind == NodeKind::input || kind == NodeKind::parameter) {  // a gradient may be just that
    const std::string letters = "ijklmnop";
    std::string indices;
    for (std::size_t k = 0; k < graph[node].type.rank(); ++k)
      indices += (k == 0 ? "" : ", ") + std::string(1, letters[k]);
    if (!indices.empty()) indices = "[" + indices + "]";
    const std::string& full = graph[node].name;
    fmt::print("{}: {}\nd{}{} = {}{}\n", title, type_text(graph, graph[node].type), name, indices,
               full.substr(full.rfind('.') + 1), indices);
    return;
  }
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
    fmt::print("{}: {}\n{}\n", with_function(*value), type_text(graph, graph[roots[0]].type),
               formula(graph, roots[0]));
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
  std::vector<NodeId> roots = named_formulas(graph, session.sources, values, *value);
  roots.insert(roots.begin(), {value->node, wrt->node});
  roots = cut(graph, roots, {wrt->node});
  const NodeId leaf = roots[1];
  roots = simplified(graph, roots);
  NodeId loss = roots[0];
  std::string title = fmt::format("d {} / d {}", with_function(*value), wrt->name);
  if (graph[loss].type.rank() > 0) {
    const NodeId weight = cotangent(graph, *value, graph[loss].type);
    loss = weighted_sum(graph, loss, weight);
    title = fmt::format("d{}, where d{} is the gradient with respect to {} of what is made of it",
                        wrt->name, value->name, with_function(*value));
  }
  NodeId gradient = gradients(graph, loss, {leaf})[0];
  roots[0] = gradient;
  roots = simplified(graph, roots);
  if (code = report(session); code != exit_ok) return code;
  gradient = Naming{graph, {roots.begin() + 2, roots.end()}}(roots[0]);
  print(graph, title, wrt->name, gradient);
  return exit_ok;
}

}  // namespace gradc

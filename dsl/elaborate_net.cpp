// elaborate_net.cpp: a net as the function that is emitted: its outputs, and the gradients of its
// inputs and parameters given those of its outputs.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {

bool bind_inputs(Elaboration& e, Scope& scope, Function& f) {
  bool ok = true;
  for (const ast::Parameter& p : scope.definition->parameters) {
    const std::string owner =
        fmt::format("{} {}", word(scope.definition->kind), in_quotes(scope.definition->name.text));
    if (!p.default_value.empty()) {
      e.error("emitted-signature", p.default_value.front().span,
              fmt::format("{} is emitted as a function of tensors, which have no defaults", owner));
      ok = false;
    }
    if (is_compile_time(p.type)) {
      e.error(
          "emitted-signature", p.type.span,
          fmt::format("{} is emitted as a function of tensors; for a compile-time value declare a "
                      "'const', or make it a layer",
                      owner));
      bind(e, scope, p.name, {});
      ok = false;
      continue;
    }
    const auto type = declared_type(e, scope, p.type, p.name);
    if (!type) {
      bind(e, scope, p.name, {});
      ok = false;
      continue;
    }
    if (scope.locals.count(p.name.text) != 0) {
      bind(e, scope, p.name, {});  // reports the second of two
      ok = false;
      continue;
    }
    Node n;
    n.kind = NodeKind::input;
    n.type = *type;
    n.name = f.name + "." + p.name.text;
    const NodeId id = e.graph.add(std::move(n));
    e.graph.label(id) = {p.name.text, {}, place_in_spec(e, p.name.span)};
    f.inputs.push_back(id);
    bind(e, scope, p.name, node_value(e, id));
  }
  return ok;
}

namespace {

// Σ output · cotangent over all float outputs, whose gradients are those that come from outside.
NodeId driven_loss(Elaboration& e, Function& f) {
  Graph& g = e.graph;
  Value total;
  for (const Output& o : f.outputs) {
    const TensorType type = g[o.node].type;
    if (!is_float(type.dtype)) continue;
    std::string name = f.name + ".d" + o.name;
    auto taken = [&](const NodeId& id) { return g[id].name == name; };
    while (std::any_of(f.inputs.begin(), f.inputs.end(), taken)) name += "_";
    Node n;
    n.kind = NodeKind::input;
    n.type = type;
    n.name = name;
    const NodeId cotangent = g.add(std::move(n));
    g.label(cotangent) = {"d" + o.name, {}, f.span};
    f.cotangents.push_back(cotangent);
    const Value product = apply(e, Fn::mul, {node_value(e, o.node), node_value(e, cotangent)},
                                {f.span, {f.span, f.span}, "*"});
    const NodeId sum = type.shape.empty()
                           ? materialize(e, product)
                           : g.comprehension(0, type.shape, Reduction::sum, product.body);
    total = total.poisoned()
                ? node_value(e, sum)
                : apply(e, Fn::add, {total, node_value(e, sum)}, {f.span, {f.span, f.span}, "+"});
  }
  return total.poisoned() ? NodeId{} : materialize(e, total);
}

void add_gradients(Elaboration& e, Function& f) {
  const NodeId loss = driven_loss(e, f);
  if (!loss.valid()) return;
  auto add = [&](NodeId wrt, const std::string& name) {
    Node n;
    n.kind = NodeKind::gradient;
    n.type = e.graph[wrt].type;
    n.operand = loss;
    n.wrt = wrt;
    f.gradients.push_back({name, e.graph.add(std::move(n))});
  };
  const std::vector<NodeId> inputs = f.inputs;
  for (NodeId id : inputs) {
    if (is_float(e.graph[id].type.dtype)) add(id, "d" + e.graph.label(id).name);
  }
  for (NodeId id : e.unit.parameters) add(id, "d" + e.graph[id].name);
}

}  // namespace

void elaborate_net(Elaboration& e, const ast::Definition& d) {
  Function f;
  f.name = d.name.text;
  f.kind = FunctionKind::net;
  f.span = d.name.span;
  e.unit = Unit{f.name, {}, {}};
  e.random_path = f.name;
  Scope scope = scope_of(e, d);
  scope.path = f.name;
  const bool typed = bind_inputs(e, scope, f);
  BodyEffects effects;
  const Value result = run_body(e, scope, effects);
  e.net_parameters[f.name] = e.unit.parameters;
  if (result.poisoned() || !typed) return;

  const std::vector<Value> results =
      result.is(ValueKind::tuple) ? result.parts : std::vector<Value>{result};
  LayerUse use;
  use.path = use.definition = f.name;
  use.parameters = scope.own_parameters;
  use.inputs = f.inputs;
  use.span = d.name.span;
  for (std::size_t k = 0; k < results.size(); ++k) {
    const std::string name = d.value.empty() ? d.results[k].name.text : "result";
    const Value v = runtime_value(e, results[k], f.span);
    if (v.poisoned()) return;
    const NodeId id = materialize(e, v, name, f.span);
    f.outputs.push_back({name, id});
    use.results.push_back(id);
  }
  e.spec.layers.push_back(std::move(use));
  add_gradients(e, f);
  e.graph.functions.push_back(std::move(f));
}

}  // namespace gradc

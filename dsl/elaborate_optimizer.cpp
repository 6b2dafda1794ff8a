// elaborate_optimizer.cpp: an optimizer run for every parameter of a minimize: next values of the
// parameter and of states, optimizers within optimizers, sums over all parameters.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "dsl/elaboration.h"
#include "dsl/replace_nodes.h"

namespace gradc {
namespace {

struct Run {
  Value next;                   // p'
  std::vector<Update> updates;  // of its states
  bool ok = false;
};

// One optimizer for the parameter at hand, whose states live under `state_path`.
Run run_optimizer(Elaboration& e, const Value& updater, const Value& p, const Value& g,
                  const Value& t, const std::string& state_path) {
  const ast::Definition& d = *updater.definition;
  Run run;
  Scope scope = scope_of(e, d);
  std::vector<CallArgument> args;
  for (const Value& v : updater.parts) args.push_back({v, updater.span, !v.poisoned()});
  if (!bind_parameters(e, scope, args, updater.span)) return run;
  e.calls.push_back({&d, updater.span});
  bool ok = bind(e, scope, {"p", d.name.span}, p);
  ok = bind(e, scope, {"g", d.name.span}, g) && ok;
  ok = bind(e, scope, {"t", d.name.span}, t) && ok;
  BodyEffects effects;
  effects.state_path = state_path;
  effects.states.emplace_back("p", e.updating->parameter);
  const std::string outer = std::exchange(e.updating->state_path, state_path);
  if (ok) execute(e, scope, d.body, effects);
  e.updating->state_path = outer;
  for (const auto& [name, target] : effects.states) {
    const auto next = scope.locals.find(name + "'");
    if (next == scope.locals.end()) {
      if (name == "p" && ok && !scope.silent) {
        e.error("missing-result", d.name.span,
                fmt::format("optimizer {} never gives p', the next value of the parameter",
                            in_quotes(d.name.text)));
      }
      continue;
    }
    if (next->second.value.poisoned()) continue;
    if (name == "p") {
      run.next = next->second.value;
      run.ok = true;
    } else {
      run.updates.push_back({target, materialize(e, next->second.value)});
    }
  }
  e.calls.pop_back();
  return run;
}

Value gradient_of(Elaboration& e, NodeId loss, NodeId parameter) {
  Graph& g = e.graph;
  Node n;
  n.kind = NodeKind::gradient;
  n.type = g[parameter].type;
  n.operand = loss;
  n.wrt = parameter;
  const NodeId gradient = g.add(std::move(n));
  if (g.label(gradient).name.empty()) g.label(gradient).name = "d" + g.label(parameter).name;
  return node_value(e, gradient);
}

Value add_up(Elaboration& e, const std::vector<NodeId>& terms, Span span) {
  Value sum = node_value(e, terms.front());
  for (std::size_t k = 1; k < terms.size(); ++k) {
    sum = apply(e, Fn::add, {sum, node_value(e, terms[k])}, {span, {span, span}, "+"});
  }
  return sum;
}

// Every total stands for the sum of its terms now; a term may hold totals met before it.
void resolve_totals(Elaboration& e, const Updating& updating, Span span,
                    std::vector<Update>& updates) {
  IdMap<NodeId, NodeId> sums;
  for (std::size_t k = 0; k < updating.totals.size(); ++k) {
    const std::vector<NodeId> terms = replace_nodes(e.graph, updating.terms[k], sums);
    const NodeId sum = materialize(e, add_up(e, terms, span), "total", span);
    sums.emplace(updating.totals[k], sum);
  }
  std::vector<NodeId> values;
  for (const Update& u : updates) values.push_back(u.value);
  values = replace_nodes(e.graph, values, sums);
  for (std::size_t k = 0; k < updates.size(); ++k) updates[k].value = values[k];
}

}  // namespace

Value optimizer_value(Elaboration& e, Scope& scope, const ast::Expr& call) {
  if (call.kind != ast::ExprKind::call && call.kind != ast::ExprKind::name) {
    e.error("not-an-optimizer", call.span,
            "what updates parameters is a call of an optimizer, as in 'using name(lr = 1e-3)'");
    return {};
  }
  if (call.kind == ast::ExprKind::name) {
    const auto local = scope.locals.find(call.name.text);
    if (local != scope.locals.end() && local->second.value.is(ValueKind::updater)) {
      return local->second.value;
    }
  }
  const ast::Definition* d = find_definition(e, scope, call.name.text);
  if (d == nullptr || d->kind != ast::DefinitionKind::optimizer) {
    std::vector<std::string> names;
    for (const std::string& key : e.prelude.definitions())
      if (e.prelude.definition(key)->kind == ast::DefinitionKind::optimizer) names.push_back(key);
    for (const auto& [key, value] : e.user.definitions)
      if (value->kind == ast::DefinitionKind::optimizer) names.push_back(key);
    unknown_name(e, scope, "not-an-optimizer", call.name,
                 d == nullptr ? fmt::format("there is no optimizer {}", in_quotes(call.name.text))
                              : fmt::format("{} is {}, not an optimizer", in_quotes(call.name.text),
                                            word_with_article(d->kind)),
                 names);
    return {};
  }
  std::vector<CallArgument> args;
  if (!match_arguments(e, scope, *d, call, args)) return {};
  Value v;
  v.kind = ValueKind::updater;
  v.definition = d;
  v.span = call.span;
  for (const CallArgument& a : args) v.parts.push_back(a.given ? a.value : Value{});
  return v;
}

Value evaluate_inner(Elaboration& e, Scope& scope, const Value& updater, const ast::Expr& call) {
  const std::string& name = call.name.text;
  Value p, g, t, when;
  Value* const by_position[] = {&p, &g};
  std::size_t next = 0;
  bool ok = true;
  for (const ast::Argument& a : call.arguments) {
    Value* to = nullptr;
    if (!a.name && next < 2) to = by_position[next++];
    if (a.name && a.name->text == "t") to = &t;
    if (a.name && a.name->text == "when") to = &when;
    const Value v = evaluate(e, scope, a.value);
    ok = ok && !v.poisoned();
    if (to == nullptr || !to->poisoned()) {
      e.error("wrong-arguments", a.value.span,
              fmt::format("an optimizer is run as '{0}(p, g)', perhaps with 't = …', the number of its "
                          "update, and 'when = …', a bool: whether it is run at all",
                          name));
      return {};
    }
    *to = v;
  }
  if (!ok) return {};
  if (g.poisoned()) {
    e.error("wrong-arguments", call.span,
            fmt::format("an optimizer is run as '{0}(p, g)': on a parameter and a gradient", name));
    return {};
  }
  const TensorType& type = e.graph[e.updating->parameter].type;
  p = spread(e, p, type, call.span, "the parameter of an optimizer");
  g = spread(e, g, type, call.span, "the gradient of an optimizer");
  if (t.poisoned()) t = scope.locals.at("t").value;
  if (p.poisoned() || g.poisoned()) return {};
  p = node_value(e, materialize(e, p));
  g = node_value(e, materialize(e, g));
  const std::string path = e.updating->state_path + name + ".";
  const bool again = std::any_of(
      e.updating->updates.begin(), e.updating->updates.end(),
      [&](const Update& u) { return e.graph[u.target].name.rfind(path, 0) == 0; });
  if (again) {
    e.error("wrong-arguments", call.span,
            fmt::format("{} is run twice for one parameter; its states have one next value",
                        in_quotes(name)));
    return {};
  }
  const std::size_t before = e.updating->updates.size();
  const Run run = run_optimizer(e, updater, p, g, t, path);
  if (!run.ok) return {};
  // Its own states' and, before them, those of what it runs itself.
  std::vector<Update>& updates = e.updating->updates;
  updates.insert(updates.end(), run.updates.begin(), run.updates.end());
  Value result = run.next;
  if (!when.poisoned()) {
    // Where it is not run everything stays as it is.
    auto held = [&](const Value& value, const Value& old) {
      return apply(e, Fn::select, {when, value, old},
                   {call.span, {call.span, call.span, call.span}, "select"});
    };
    result = held(result, p);
    for (std::size_t k = before; k < updates.size(); ++k) {
      const Value kept = held(node_value(e, updates[k].value), node_value(e, updates[k].target));
      if (kept.poisoned()) return {};
      updates[k].value = materialize(e, kept);
    }
  }
  return result;
}

Value evaluate_total(Elaboration& e, Scope& scope, const ast::Expr& call) {
  if (e.updating == nullptr || scope.definition == nullptr ||
      scope.definition->kind != ast::DefinitionKind::optimizer) {
    e.error("statement-not-here", call.span,
            "'total' sums over the parameters of a minimize, so it stands in an optimizer only");
    return {};
  }
  if (call.arguments.size() != 1 || call.arguments.front().name) {
    e.error("wrong-arguments", call.span, "'total' takes one argument, a scalar for each parameter");
    return {};
  }
  const Value v = evaluate(e, scope, call.arguments.front().value);
  if (v.poisoned()) return {};
  const Value term = runtime_value(e, v, call.span);
  if (!term.is(ValueKind::tensor) || !term.type.shape.empty() || !is_float(term.type.dtype)) {
    e.error("not-a-tensor", call.arguments.front().value.span,
            fmt::format("'total' sums a float scalar (shape []) over all parameters, not {}; say how to "
                        "reduce it, as in 'sum[..] …'",
                        describe(e, v)));
    return {};
  }
  Updating& u = *e.updating;
  const std::size_t k = u.total_count++;
  if (k == u.totals.size()) {
    Node n;
    n.kind = NodeKind::input;
    n.type = term.type;
    n.name = fmt::format("{}.total {} at {}", e.unit.name, k, call.span.begin);
    while (e.totals.count(n.name) != 0) n.name += "+";
    e.totals.insert(n.name);
    u.totals.push_back(e.graph.add(std::move(n)));
    u.terms.emplace_back();
  }
  u.terms[k].push_back(materialize(e, term));
  return node_value(e, u.totals[k]);
}

std::vector<Update> optimize(Elaboration& e, const Value& updater, const std::string& step,
                             NodeId loss, const std::vector<NodeId>& parameters, const Value& t) {
  std::vector<Update> updates;
  Updating updating;
  e.updating = &updating;
  bool ok = true;
  for (NodeId parameter : parameters) {
    updating.parameter = parameter;
    updating.total_count = 0;
    const Run run =
        run_optimizer(e, updater, node_value(e, parameter), gradient_of(e, loss, parameter), t,
                      fmt::format("{}.{}.", step, e.graph[parameter].name));
    ok = ok && run.ok;
    if (run.ok) updates.push_back({parameter, materialize(e, run.next)});
    for (const Update& u : run.updates) updates.push_back(u);
    for (const Update& u : updating.updates) updates.push_back(u);
    updating.updates.clear();
  }
  e.updating = nullptr;
  if (ok && !updating.totals.empty()) resolve_totals(e, updating, updater.span, updates);
  return updates;
}

}  // namespace gradc

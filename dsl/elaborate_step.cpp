// elaborate_step.cpp: a step as the function that is emitted: what it minimizes becomes updates of
// parameters and optimizer states, what it reports its outputs.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

// A component of a path, as `fc1` of `classify.fc1.W`.
bool has_component(const std::string& path, const std::string& name) {
  return ("." + path + ".").find("." + name + ".") != std::string::npos;
}

void add_unique(std::vector<NodeId>& to, const std::vector<NodeId>& from) {
  for (NodeId id : from) {
    if (std::find(to.begin(), to.end(), id) == to.end()) to.push_back(id);
  }
}

// Those of `all` that are in the nets, layers or paths named.
std::vector<NodeId> named_by(Elaboration& e, const Scope& scope, const std::vector<NodeId>& all,
                             const std::vector<ast::Name>& names) {
  std::vector<NodeId> chosen;
  for (const ast::Name& name : names) {
    const bool called =
        std::find(e.unit.nets.begin(), e.unit.nets.end(), name.text) != e.unit.nets.end();
    if (called) {
      add_unique(chosen, e.net_parameters[name.text]);
      continue;
    }
    std::vector<NodeId> named;
    std::copy_if(all.begin(), all.end(), std::back_inserter(named),
                 [&](NodeId id) { return has_component(e.graph[id].name, name.text); });
    if (named.empty()) {
      const ast::Definition* d = find_definition(e, scope, name.text);
      const bool net = d != nullptr && d->kind == ast::DefinitionKind::net;
      std::vector<std::string> candidates = e.unit.nets;
      for (NodeId id : all) {
        // Every path that leads to it.
        const std::string& path = e.graph[id].name;
        for (std::size_t at = path.find('.'); at != std::string::npos; at = path.find('.', at + 1)) {
          candidates.push_back(path.substr(0, at));
        }
        candidates.push_back(path);
      }
      unknown_name(
          e, scope, "nothing-to-minimize", name,
          net ? fmt::format("this step does not call net {}", in_quotes(name.text))
              : fmt::format("{} is neither a net this step calls nor a layer or parameter of one",
                            in_quotes(name.text)),
          candidates);
    }
    add_unique(chosen, named);
  }
  return chosen;
}

// The parameters a minimize is over.
std::vector<NodeId> minimized(Elaboration& e, const Scope& scope, const ast::Minimize& m) {
  std::vector<NodeId> all;
  for (const std::string& net : e.unit.nets) add_unique(all, e.net_parameters[net]);
  std::vector<NodeId> chosen = m.over.empty() ? all : named_by(e, scope, all, m.over);
  const std::vector<NodeId> left_out = named_by(e, scope, all, m.except);
  std::erase_if(chosen, [&](NodeId id) {
    return std::find(left_out.begin(), left_out.end(), id) != left_out.end();
  });
  return chosen;
}

// The counter of the step's runs, and its update.
NodeId step_counter(Elaboration& e, Function& f) {
  const TensorType type{DType::i32, {}};
  const NodeId counter =
      add_state(e, f.name + ".step", type, runtime_value(e, number_value(0, true), f.span), f.span);
  const bool updated = std::any_of(f.updates.begin(), f.updates.end(),
                                   [&](const Update& u) { return u.target == counter; });
  if (updated) return counter;
  const Value next = apply(e, Fn::add, {node_value(e, counter), number_value(1, true)},
                           {f.span, {f.span, f.span}, "+"});
  f.updates.push_back({counter, materialize(e, next, "step_next", f.span)});
  return counter;
}

// The number of this update, from 1.
Value update_number(Elaboration& e, Function& f) {
  const Value next =
      apply(e, Fn::add, {node_value(e, step_counter(e, f)), number_value(1, true)},
            {f.span, {f.span, f.span}, "+"});
  return node_value(e, materialize(e, cast_to(e, next, DType::f32, f.span), "t", f.span));
}

void minimize(Elaboration& e, Scope& scope, Function& f, const ast::Minimize& m) {
  const Value loss = evaluate(e, scope, m.loss);
  // The arguments of an optimizer may depend on the number of the update, unless `t` is something
  // else here.
  const Value t = update_number(e, f);
  Scope with_t = scope;
  with_t.locals.emplace("t", Binding{t, f.span});
  const Value updater = optimizer_value(e, with_t, m.optimizer);
  const std::vector<NodeId> parameters = minimized(e, scope, m);
  if (loss.poisoned()) return;
  if (!loss.is(ValueKind::tensor) || !loss.type.shape.empty() || !is_float(loss.type.dtype)) {
    e.error(
        "loss-not-scalar", m.loss.span,
        fmt::format(
            "what is minimized is a float scalar (shape []), not {}; say how to reduce it, as in "
            "'mean[..] …'",
            describe(e, loss)));
    return;
  }
  if (updater.poisoned() || parameters.empty()) {
    if (m.over.empty() && parameters.empty() && !scope.silent && !e.diagnostics.has_errors()) {
      e.error("nothing-to-minimize", m.loss.span, "this step calls no net that has parameters");
    }
    return;
  }
  const NodeId loss_node = materialize(e, loss, "loss", m.loss.span);
  Minimize done{loss_node, {}, m.loss.span};
  for (NodeId p : parameters) {
    const bool again =
        std::any_of(f.minimizes.begin(), f.minimizes.end(), [&](const Minimize& other) {
          return std::find(other.parameters.begin(), other.parameters.end(), p) !=
                 other.parameters.end();
        });
    if (again) {
      e.error(
          "minimized-twice", m.loss.span,
          fmt::format(
              "{} is updated by an earlier minimize of this step already; say which nets each is "
              "'over'",
              in_quotes(e.graph[p].name)),
          {{f.minimizes.front().span, "an earlier minimize"}});
      return;
    }
    done.parameters.push_back(p);
  }
  for (const Update& u : optimize(e, updater, f.name, loss_node, parameters, t)) {
    f.updates.push_back(u);
  }
  f.minimizes.push_back(std::move(done));
}

void report(Elaboration& e, Scope& scope, Function& f, const ast::Report::Item& item) {
  const Span span = item.value.empty() ? item.name.span : item.value.front().span;
  Value v = item.value.empty() ? lookup(e, scope, item.name, false)
                               : evaluate(e, scope, item.value.front());
  const bool taken = std::any_of(f.outputs.begin(), f.outputs.end(),
                                 [&](const Output& o) { return o.name == item.name.text; });
  if (taken) {
    e.error("duplicate-name", item.name.span,
            fmt::format("{} is reported twice", in_quotes(item.name.text)));
    return;
  }
  v = runtime_value(e, v, span);
  if (v.poisoned()) return;
  if (!v.is(ValueKind::tensor) || !v.type.shape.empty()) {
    e.error("report-not-scalar", span,
            fmt::format(
                "a report is a scalar (shape []), not {}; say how to reduce it, as in 'mean[..] …'",
                describe(e, v)));
    return;
  }
  if (!is_float(v.type.dtype)) v = cast_to(e, v, DType::f32, span);
  f.outputs.push_back({item.name.text, materialize(e, v, item.name.text, item.name.span)});
}

void report(Elaboration& e, Scope& scope, Function& f, const BodyEffects& effects) {
  for (const ast::Report* r : effects.reports) {
    for (const ast::Report::Item& item : r->items) report(e, scope, f, item);
  }
}

// The reports where nothing trains, from the body once more; none if they are the same. Equal nodes
// are one node, so what does not depend on the mode exists already.
std::vector<Output> evaluation(Elaboration& e, const ast::Definition& d, const Function& step) {
  Function f;
  f.name = step.name;
  f.span = step.span;
  e.unit = Unit{f.name, {}, {}, false};
  Scope scope = scope_of(e, d);
  bind_inputs(e, scope, f);
  BodyEffects effects;
  execute(e, scope, d.body, effects);
  report(e, scope, f, effects);
  if (e.diagnostics.has_errors()) return {};
  bool same = true;
  for (std::size_t k = 0; k < step.outputs.size(); ++k) {
    NodeId& node = f.outputs[k].node;
    const DType type = e.graph[step.outputs[k].node].type.dtype;
    node = materialize(e, cast_to(e, node_value(e, node), type, f.span));
    same = same && node == step.outputs[k].node;
  }
  return same ? std::vector<Output>() : f.outputs;
}

}  // namespace

void elaborate_step(Elaboration& e, const ast::Definition& d) {
  Function f;
  f.name = d.name.text;
  f.kind = FunctionKind::step;
  f.span = d.name.span;
  e.unit = Unit{f.name, {}, {}, true};
  e.random_path = f.name;
  const auto draws = e.random_counts;
  for (const ast::Parameter& p : d.parameters) {
    if (p.name.text != "step") continue;
    e.error("duplicate-name", p.name.span, "'step' is the step's own counter; choose another name");
  }
  Scope scope = scope_of(e, d);
  bind_inputs(e, scope, f);
  BodyEffects effects;
  execute(e, scope, d.body, effects);
  // After the rest, because without `over` a minimize is over every net the step calls.
  for (const ast::Minimize* m : effects.minimizes) minimize(e, scope, f, *m);
  for (const Minimize& m : f.minimizes) {
    for (NodeId id : m.parameters) {
      const std::string& path = e.graph[id].name;
      std::vector<std::string>& nets = e.trained_nets[f.name];
      const std::string net = path.substr(0, path.find('.'));
      if (std::find(nets.begin(), nets.end(), net) == nets.end()) nets.push_back(net);
    }
  }
  report(e, scope, f, effects);
  if (!e.unit.next.empty()) step_counter(e, f);  // what it draws depends on it
  for (const auto& [state, value] : e.unit.next) f.updates.push_back({state, value});
  if (!e.diagnostics.has_errors()) {
    e.random_counts = draws;
    f.evaluation = evaluation(e, d, f);
  }
  e.graph.functions.push_back(std::move(f));
}

}  // namespace gradc

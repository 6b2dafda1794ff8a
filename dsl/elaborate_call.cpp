// elaborate_call.cpp: calls of ops, layers and nets: arguments, paths of parameters, recursion.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

std::string owner(const ast::Definition& d) {
  return fmt::format("{} {}", word(d.kind), in_quotes(d.name.text));
}

void not_callable(Elaboration& e, Scope& scope, const ast::Expr& call) {
  if (find_value(e, scope, call.name.text)) {
    e.error("not-callable", call.name.span,
            fmt::format("{0} is a value, not a function; its elements are written '{1}[…]'",
                        in_quotes(call.name.text), call.name.text));
    return;
  }
  std::vector<std::string> names = e.prelude.definitions();
  if (!scope.in_prelude) {
    for (const auto& [key, d] : e.user.definitions) names.push_back(key);
  }
  for (const char* word :
       {"exp",    "log",  "sqrt",    "abs",    "sign",    "floor", "ceil", "round", "sin",
        "cos",    "tan",  "atan",    "tanh",   "erf",     "pow",   "min",  "max",   "select",
        "detach", "grad", "reshape", "normal", "uniform", "expm1", "log1p"}) {
    names.emplace_back(word);
  }
  unknown_name(e, scope, "unknown-function", call.name,
               fmt::format("there is no op, layer, net or function {}", in_quotes(call.name.text)),
               names);
}

// Where the parameters of a layer use live: the user's label, or the layer's name and a number.
std::string layer_path(Elaboration& e, Scope& scope, const ast::Definition& d,
                       const ast::Expr& call) {
  std::string label;
  if (call.label) {
    label = call.label->text + loop_suffix(scope);
    if (auto it = scope.layer_labels.find(label); it != scope.layer_labels.end()) {
      e.error("duplicate-name", call.label->span,
              fmt::format("there is already a layer named {} here", in_quotes(label)),
              {{it->second, "first here"}});
    }
  } else {
    do {
      label = fmt::format("{}{}", d.name.text, ++scope.layer_counts[d.name.text]);
    } while (scope.layer_labels.count(label) != 0);
  }
  scope.layer_labels.emplace(label, call.label ? call.label->span : call.span);
  return scope.path + "." + label;
}

// How a compile-time value reads: by the name it was given, as in `pad = same`, or as itself.
std::string constant_text(const Value& v, const ast::Expr* written) {
  if (written != nullptr && written->kind == ast::ExprKind::name) return written->name.text;
  if (v.is(ValueKind::text)) return "\"" + v.text + "\"";
  if (v.is(ValueKind::boolean)) return v.number != 0 ? "true" : "false";
  return fmt::format("{:.7g}", v.number);
}

// The compile-time values of a use: its arguments, then what the body works out from them.
std::vector<std::pair<std::string, std::string>> constants_of(const Scope& callee,
                                                              const std::vector<CallArgument>& args,
                                                              const ast::Expr& call) {
  std::vector<std::pair<std::string, std::string>> result;
  std::set<std::string> seen;
  const auto& parameters = callee.definition->parameters;
  std::size_t position = 0;
  std::vector<const ast::Expr*> written(parameters.size(), nullptr);
  for (const ast::Argument& a : call.arguments) {
    std::size_t at = position;
    if (a.name)
      for (at = 0; at < parameters.size() && parameters[at].name.text != a.name->text;) ++at;
    else
      ++position;
    if (at < parameters.size()) written[at] = &a.value;
  }
  const auto is_constant = [](const Value& v) { return v.constant() || v.is(ValueKind::text); };
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const ast::Parameter& p = parameters[k];
    seen.insert(p.name.text);
    const auto local = callee.locals.find(p.name.text);
    if (local == callee.locals.end() || !is_constant(local->second.value)) continue;
    if (!args[k].given && !p.default_value.empty()) written[k] = &p.default_value.front();
    result.emplace_back(p.name.text, constant_text(local->second.value, written[k]));
  }
  std::vector<std::pair<std::uint32_t, std::string>> worked_out;
  for (const auto& [name, binding] : callee.locals)
    if (is_constant(binding.value) && seen.count(name) == 0 && callee.origins.count(name) == 0)
      worked_out.emplace_back(binding.span.begin, name);
  std::sort(worked_out.begin(), worked_out.end());
  for (const auto& [place, name] : worked_out)
    result.emplace_back(name, constant_text(callee.locals.at(name).value, nullptr));
  return result;
}

void record_use(Elaboration& e, const Scope& callee, const std::vector<CallArgument>& args,
                const Value& result, const ast::Expr& call) {
  const std::string& path = callee.path;
  const std::string root = path.substr(0, path.find('.'));
  if (root != e.unit.name) return;  // recorded where its net is elaborated for itself
  LayerUse use;
  use.path = path;
  use.definition = callee.definition->name.text;
  use.parameters = callee.own_parameters;
  use.constants = constants_of(callee, args, call);
  use.span = call.span;
  for (const CallArgument& a : args) {
    if (a.given && a.value.is(ValueKind::tensor)) use.inputs.push_back(materialize(e, a.value));
  }
  const std::vector<Value> results =
      result.is(ValueKind::tuple) ? result.parts : std::vector<Value>{result};
  for (const Value& v : results) {
    if (v.is(ValueKind::tensor)) use.results.push_back(materialize(e, v));
  }
  e.spec.layers.push_back(std::move(use));
}

// Every parameter a call replaces is one its net or layer has.
void check_replaced(Elaboration& e, const Scope& scope, const ast::Definition& d,
                    const ast::Expr& call, const std::string& owner_path) {
  for (const ast::Argument& a : call.arguments) {
    const auto given = a.name ? e.replaced.find(owner_path + "." + a.name->text) : e.replaced.end();
    if (given == e.replaced.end() || given->second.used) continue;
    std::vector<std::string> names;
    for (const ast::Parameter& p : d.parameters) names.push_back(p.name.text);
    const std::string prefix = owner_path + ".";
    for (const auto& [path, id] : e.parameters) {
      if (path.compare(0, prefix.size(), prefix) == 0) names.push_back(path.substr(prefix.size()));
    }
    unknown_name(e, scope, "unknown-argument", *a.name,
                 fmt::format("{} has no parameter {}", owner(d), in_quotes(a.name->text)), names);
  }
}

Value call_definition(Elaboration& e, Scope& scope, const ast::Definition& d,
                      const ast::Expr& call) {
  const bool layer = d.kind == ast::DefinitionKind::layer;
  const bool net = d.kind == ast::DefinitionKind::net;
  if (layer && scope.path.empty()) {
    e.error("layer-not-here", call.name.span,
            fmt::format("{} owns parameters, so it is used in nets and layers only", owner(d)));
    return {};
  }
  if (call.label && !layer) {
    e.error("misplaced-label", call.label->span,
            fmt::format("only uses of a layer have names; {} owns no parameters of its own here",
                        owner(d)));
  }
  Scope callee = scope_of(e, d);
  std::vector<CallArgument> args;
  std::map<std::string, Replacement> replaced;
  const bool matched = match_arguments(e, scope, d, call, args, &replaced);
  // After the arguments, so that layers are numbered in the order they are applied.
  if (layer) callee.path = layer_path(e, scope, d, call);
  if (net) callee.path = d.name.text;
  if (!matched) return {};
  if (too_deep(e, d, call.span)) return {};
  if (!bind_parameters(e, callee, args, call.span)) return {};
  if (net && std::find(e.unit.nets.begin(), e.unit.nets.end(), d.name.text) == e.unit.nets.end()) {
    e.unit.nets.push_back(d.name.text);
  }
  const std::string random_path = e.random_path;
  if (layer || net) e.random_path = e.unit.name + "/" + callee.path;
  const auto node_count = e.graph.node_count();
  for (const auto& [path, r] : replaced) e.replaced[callee.path + "." + path] = r;
  e.calls.push_back({&d, call.span});
  BodyEffects effects;
  Value result = d.custom ? run_custom(e, callee, effects) : run_body(e, callee, effects);
  e.calls.pop_back();
  e.random_path = random_path;
  if (!result.poisoned()) check_replaced(e, scope, d, call, callee.path);
  for (const auto& [path, r] : replaced) e.replaced.erase(callee.path + "." + path);
  if (result.poisoned()) return result;
  if (layer) {
    if (result.is(ValueKind::tensor)) {
      // Its own name tells more than that of the result inside the layer.
      const NodeId id = materialize(e, result);
      if (id.value >= node_count) {
        e.graph.label(id).name = callee.path.substr(callee.path.rfind('.') + 1);
      }
    }
    record_use(e, callee, args, result, call);
  }
  return result;
}

}  // namespace

namespace {

bool holds_broken(const std::vector<ast::Statement>& statements) {
  return std::any_of(statements.begin(), statements.end(), [](const ast::Statement& s) {
    const auto* recur = std::get_if<ast::Recur>(&s.what);
    return std::holds_alternative<ast::Broken>(s.what) ||
           (recur != nullptr && holds_broken(recur->body));
  });
}

}  // namespace

Scope scope_of(Elaboration& e, const ast::Definition& d) {
  Scope s;
  s.definition = &d;
  s.in_prelude = d.span.file == 0;
  s.first_index = e.indices.size();
  s.first_ellipsis = e.ellipses.size();
  s.silent = holds_broken(d.body) || holds_broken(d.gradient);
  return s;
}

bool too_deep(Elaboration& e, const ast::Definition& d, Span call) {
  const bool inside = std::any_of(e.calls.begin(), e.calls.end(),
                                  [&](const CallFrame& f) { return f.definition == &d; }) ||
                      (d.kind == ast::DefinitionKind::net && d.name.text == e.unit.name);
  if (inside) {
    e.error("recursive-call", call,
            fmt::format("{} calls itself; nothing would end that", owner(d)));
    return true;
  }
  if (e.calls.size() >= max_call_depth) {
    e.error("too-deep", call, fmt::format("calls are nested more than {} deep", max_call_depth));
    return true;
  }
  if (++e.call_count > max_calls) {
    e.exhausted = true;
    e.error("graph-too-large", call,
            fmt::format("the spec expands to more than {} calls", max_calls));
    return true;
  }
  return false;
}

bool match_arguments(Elaboration& e, Scope& scope, const ast::Definition& d, const ast::Expr& call,
                     std::vector<CallArgument>& out,
                     std::map<std::string, Replacement>* replaced) {
  out.assign(d.parameters.size(), {});
  bool ok = true;
  std::size_t next = 0;
  for (const ast::Argument& a : call.arguments) {
    std::size_t at = next;
    if (a.name) {
      std::vector<std::string> names;
      for (const ast::Parameter& p : d.parameters) names.push_back(p.name.text);
      at = static_cast<std::size_t>(std::find(names.begin(), names.end(), a.name->text) -
                                    names.begin());
      const bool owns = d.kind == ast::DefinitionKind::layer || d.kind == ast::DefinitionKind::net;
      if (at == names.size() && replaced != nullptr && owns) {
        // Whether there is such a parameter is seen when the body has asked for all it has.
        const Value v = share(e, evaluate(e, scope, a.value), "", a.value.span);
        ok = ok && !v.poisoned();
        if (!replaced->emplace(a.name->text, Replacement{v, a.value.span}).second) {
          e.error("wrong-arguments", a.value.span,
                  fmt::format("{} of {} is given twice", in_quotes(a.name->text), owner(d)));
          ok = false;
        }
        continue;
      }
      if (at == names.size()) {
        unknown_name(e, scope, "unknown-argument", *a.name,
                     fmt::format("{} has no parameter {}", owner(d), in_quotes(a.name->text)),
                     names);
        ok = false;
      }
    } else {
      ++next;
    }
    const bool known = at < out.size();
    const auto& type = known ? d.parameters[at].type.dtype : std::optional<ast::Name>();
    const Value v = type && type->text == "optimizer"
                        ? optimizer_value(e, scope, a.value)
                        : evaluate(e, scope, a.value,
                                   type && type->text == "int" ? Position::integer : Position::real);
    ok = ok && !v.poisoned();
    if (!known) {
      if (!a.name) {
        e.error("wrong-arguments", a.value.span,
                fmt::format("{} takes {} argument{}, this is one too many", owner(d), out.size(),
                            out.size() == 1 ? "" : "s"),
                {{d.name.span, "declared here"}});
        ok = false;
      }
      continue;
    }
    if (out[at].given) {
      e.error(
          "wrong-arguments", a.value.span,
          fmt::format("{} of {} is given twice", in_quotes(d.parameters[at].name.text), owner(d)));
      ok = false;
      continue;
    }
    const std::string label = a.value.kind == ast::ExprKind::call ? a.value.name.text : "";
    out[at] = {share(e, v, label, a.value.span), a.value.span, true};
    ok = ok && !out[at].value.poisoned();
  }
  std::string missing;
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (out[k].given || !d.parameters[k].default_value.empty()) continue;
    missing += (missing.empty() ? "" : ", ") + in_quotes(d.parameters[k].name.text);
  }
  if (missing.empty() || !ok) return ok;
  e.error("wrong-arguments", call.span, fmt::format("{} also needs {}", owner(d), missing),
          {{d.name.span, "declared here"}});
  return false;
}

Value evaluate_call(Elaboration& e, Scope& scope, const ast::Expr& call, Position position) {
  const auto local = scope.locals.find(call.name.text);
  if (local != scope.locals.end() && local->second.value.is(ValueKind::updater)) {
    return evaluate_inner(e, scope, local->second.value, call);
  }
  const ast::Definition* d = find_definition(e, scope, call.name.text);
  const bool builtin = d == nullptr && is_builtin_function(call.name.text);
  if (builtin) {
    if (call.label) {
      e.error("misplaced-label", call.label->span,
              fmt::format("only uses of a layer have names; '{}' is a function", call.name.text));
    }
    return evaluate_builtin(e, scope, call, position);
  }
  if (d == nullptr) {
    for (const ast::Argument& a : call.arguments) evaluate(e, scope, a.value);
    not_callable(e, scope, call);
    return {};
  }
  if (d->kind == ast::DefinitionKind::step || d->kind == ast::DefinitionKind::optimizer) {
    e.error("not-callable", call.name.span,
            d->kind == ast::DefinitionKind::step
                ? fmt::format("{} is run by the program, not called", owner(*d))
                : fmt::format("{} is for 'minimize … using {}(…)'", owner(*d), d->name.text));
    return {};
  }
  return call_definition(e, scope, *d, call);
}

}  // namespace gradc

// elaborate_body.cpp: the statements of a definition, in order; one that fails leaves poison
// behind.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

using Kind = ast::DefinitionKind;

bool allowed(Elaboration& e, const Scope& scope, Span span, std::string_view what,
             std::initializer_list<Kind> kinds, std::string_view where) {
  if (!scope.rounds.empty() && (what == "param" || what == "state" || what == "minimize" || what == "report")) {
    e.error("statement-not-here", span,
            fmt::format("'{}' happens once and stands outside of loops{}", what,
                        what == "param" ? "; a layer used in a loop has parameters for each round" : ""));
    return false;
  }
  const Kind kind = scope.definition->kind;
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return true;
  e.error("statement-not-here", span,
          fmt::format("'{}' belongs in {}, not in {} {}", what, where, word(kind),
                      in_quotes(scope.definition->name.text)));
  return false;
}

bool is_next(const std::string& name) {
  return !name.empty() && name.back() == '\'';
}

std::string mode_dependent(const std::string& path) {
  return fmt::format(
      "{} exists with this shape only where 'training' is true; what a net owns cannot depend on "
      "the mode",
      in_quotes(path));
}

// A run-time size in the shape of what is kept between calls; reported.
bool has_run_time_size(Elaboration& e, const TensorType& type, Span span, std::string_view what,
                       const std::string& name) {
  const bool fixed = std::all_of(type.shape.begin(), type.shape.end(),
                                 [](const Extent& x) { return x.is_fixed(); });
  if (fixed) return false;
  e.error("run-time-parameter", span,
          fmt::format("the {} {} is {}; its shape cannot depend on a size chosen at run time", what,
                      in_quotes(name), text(e.graph, type)));
  return true;
}

// What a net or layer owns under this path by now: a net elaborated before, or called twice, shares
// it. A step owns nothing of the kind, so in a step it must exist.
std::optional<NodeId> owned(Elaboration& e, const std::string& path, const TensorType& type,
                            Span span) {
  const auto known = e.parameters.find(path);
  const bool fits = known != e.parameters.end() && e.graph[known->second].type == type;
  if (fits) return known->second;
  if (e.unit.training && !e.diagnostics.has_errors()) {
    e.error("mode-dependent-parameter", span, mode_dependent(path));
  }
  return std::nullopt;
}

// m' = …: the next value of a state or of p.
Value next_value(Elaboration& e, Scope& scope, const ast::Name& name, const Value& v, Span span,
                 const BodyEffects& effects) {
  const bool optimizer = scope.definition->kind == Kind::optimizer;
  if (!allowed(e, scope, name.span, name.text, {Kind::optimizer, Kind::layer, Kind::net},
               "optimizers, layers and nets"))
    return {};
  const std::string base = name.text.substr(0, name.text.size() - 1);
  for (const auto& [state, node] : effects.states) {
    if (state != base) continue;
    const Value next = spread(e, v, e.graph[node].type, span, in_quotes(base));
    if (next.poisoned()) return next;
    const NodeId value = materialize(e, next);
    if (!optimizer && e.unit.training) e.unit.next[node] = value;
    return node_value(e, value);
  }
  const auto local = scope.locals.find(base);
  if (local != scope.locals.end() && local->second.value.is(ValueKind::absent)) return v;
  if (local != scope.locals.end() && local->second.value.poisoned()) return {};
  std::vector<std::string> names;
  for (const auto& [state, node] : effects.states) names.push_back(state + "'");
  unknown_name(e, scope, "bad-next-value", name,
               optimizer
                   ? fmt::format("only 'p' and states have a next value; {} is neither",
                                 in_quotes(base))
                   : fmt::format("only a state has a next value; declare it here, as in "
                                 "'state {}: f32[…] = 0'",
                                 base),
               names);
  return {};
}

}  // namespace

void relabel(Elaboration& e, NodeId id, std::size_t node_count, const ast::Name& name,
             bool in_prelude) {
  Label& label = e.graph.label(id);
  if (id.value >= node_count || label.name.empty()) label.name = name.text;
  if (!label.span.valid() || (id.value >= node_count && !in_prelude)) {
    label.span = place_in_spec(e, name.span);
  }
}

namespace {

void assign_one(Elaboration& e, Scope& scope, const ast::Assign& a, const BodyEffects& effects) {
  const ast::Target& target = a.targets.front();
  const auto node_count = e.graph.node_count();
  Value v =
      target.indexed ? evaluate_indexed(e, scope, target, a.value) : evaluate(e, scope, a.value);
  if (v.is(ValueKind::tuple)) {
    e.error("wrong-result-count", a.value.span,
            fmt::format("this gives {} results; take them apart with 'a, b = …'", v.parts.size()));
    v = {};
  }
  if (is_next(target.name.text) && !v.poisoned()) {
    v = next_value(e, scope, target.name, v, a.value.span, effects);
  }
  v = share(e, v, "", target.name.span);
  if (v.is(ValueKind::tensor) && e.graph[v.body].kind == ScalarKind::read) {
    ast::Name shown = target.name;
    if (is_next(shown.text)) shown.text.replace(shown.text.size() - 1, 1, "_next");
    relabel(e, materialize(e, v), node_count, shown, scope.in_prelude);
  }
  bind(e, scope, target.name, std::move(v));
}

void assign(Elaboration& e, Scope& scope, const ast::Assign& a, const BodyEffects& effects) {
  if (a.targets.size() == 1) return assign_one(e, scope, a, effects);
  const auto node_count = e.graph.node_count();
  const Value v = evaluate(e, scope, a.value);
  const bool fits = v.is(ValueKind::tuple) && v.parts.size() == a.targets.size();
  if (!fits && !v.poisoned()) {
    const std::size_t count = v.is(ValueKind::tuple) ? v.parts.size() : 1;
    e.error("wrong-result-count", a.value.span,
            fmt::format("this gives {} result{}, but there are {} names for them", count,
                        count == 1 ? "" : "s", a.targets.size()));
  }
  for (std::size_t k = 0; k < a.targets.size(); ++k) {
    const ast::Target& target = a.targets[k];
    if (target.indexed) {
      e.error("wrong-result-count", target.name.span,
              "one of several results is a whole tensor and takes no indices");
    }
    const Value part = fits ? v.parts[k] : Value{};
    if (part.is(ValueKind::tensor)) {
      relabel(e, materialize(e, part), node_count, target.name, scope.in_prelude);
    }
    bind(e, scope, target.name, part);
  }
}

// Whether a condition leaves it out; then its name is bound already.
bool left_out(Elaboration& e, Scope& scope, const ast::Name& name,
              const std::vector<ast::Expr>& condition) {
  if (condition.empty()) return false;
  const auto holds = evaluate_condition(e, scope, condition.front());
  if (holds && *holds) return false;
  Value v;
  if (holds) v.kind = ValueKind::absent;
  bind(e, scope, name, v);
  return true;
}

// What of a value only a call of a net gives: an input, what is learnt or kept, a size. Empty: nothing.
std::string given_by_call(const Graph& g, NodeId value) {
  std::vector<bool> seen(g.scalar_count());
  auto size_in = [&](auto&& self, ScalarId id) -> std::string {
    if (!id.valid() || seen[id.value]) return "";
    seen[id.value] = true;
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::size && !s.extent.is_fixed()) return g.dim(s.extent.dim).name;
    for (ScalarId a : s.args) {
      if (auto name = self(self, a); !name.empty()) return name;
    }
    return "";
  };
  for (NodeId id : topological_order(g, {value})) {
    const Node& n = g[id];
    if (!n.name.empty()) return g.label(id).name.empty() ? n.name : g.label(id).name;
    for (const Extent& x : n.ranges) {
      if (!x.is_fixed()) return g.dim(x.dim).name;
    }
    if (auto name = size_in(size_in, n.body); !name.empty()) return name;
  }
  return "";
}

// The initial value in the shape of what it is for; poison if reported.
Value initial_value(Elaboration& e, Scope& scope, const ast::Expr& x, const TensorType& type,
                    const std::string& path, const std::string& name) {
  const auto shape = std::exchange(e.random_shape, type);
  const auto random_path = std::exchange(e.random_path, path);
  const Value v = evaluate(e, scope, x);
  e.random_shape = shape;
  e.random_path = random_path;
  const Value initial = spread(e, v, type, x.span, in_quotes(name));
  if (initial.poisoned()) return {};
  const std::string given = given_by_call(e.graph, materialize(e, initial));
  if (given.empty()) return initial;
  e.error("bad-initial-value", x.span,
          fmt::format("the initial value of {} depends on {}, which is known in a call only; it is "
                      "made of numbers, fixed sizes and random draws",
                      in_quotes(name), in_quotes(given)));
  return {};
}

Value make_parameter(Elaboration& e, Scope& scope, const ast::Param& p, const ast::Type& declared,
                     const std::string& path) {
  const auto type = declared_type(e, scope, declared, p.name);
  if (!type) return {};
  // A second parameter of the name is for `bind` to report.
  if (scope.locals.count(p.name.text) == 0) {
    if (const auto known = owned(e, path, *type, p.name.span)) return node_value(e, *known);
  }
  if (has_run_time_size(e, *type, p.type.span, "parameter", p.name.text)) return {};
  if (!is_float(type->dtype)) {
    e.error("dtype-mismatch", p.type.span,
            fmt::format("a parameter is learnt, so it is f32 or f64, not {}", name(type->dtype)));
    return {};
  }
  const Value initial = initial_value(e, scope, p.initializer, *type, path, p.name.text);
  if (initial.poisoned()) return {};
  Node n;
  n.kind = NodeKind::parameter;
  n.type = *type;
  n.name = path;
  n.operand = materialize(e, initial);
  const NodeId id = e.graph.add(n);
  e.graph.label(id) = {p.name.text, {}, place_in_spec(e, p.name.span)};
  e.initial.push_back({id, n.operand});
  e.parameters.emplace(path, id);
  return node_value(e, id);
}

void parameter(Elaboration& e, Scope& scope, const ast::Param& p, Span span) {
  if (!allowed(e, scope, span, "param", {Kind::layer, Kind::net}, "layers and nets")) {
    bind(e, scope, p.name, {});
    return;
  }
  if (left_out(e, scope, p.name, p.condition)) return;
  const std::string path = scope.path + "." + p.name.text;
  ast::Type type = p.type;
  if (has_open_extents(type)) {
    const auto closed = close_extents(e, scope, p.name, type, scope.first_subscripts[p.name.text]);
    if (!closed) {
      bind(e, scope, p.name, {});
      return;
    }
    type = *closed;
  }
  if (const auto given = e.replaced.find(path); given != e.replaced.end()) {
    given->second.used = true;
    const auto declared = declared_type(e, scope, type, p.name);
    bind(e, scope, p.name,
         declared ? spread(e, given->second.value, *declared, given->second.span, in_quotes(path))
                  : Value{});
    return;
  }
  const Value v = make_parameter(e, scope, p, type, path);
  if (v.is(ValueKind::tensor)) {
    const NodeId id = e.graph[v.body].tensor;
    scope.own_parameters.push_back(id);
    std::vector<NodeId>& met = e.unit.parameters;
    if (std::find(met.begin(), met.end(), id) == met.end()) met.push_back(id);
  }
  bind(e, scope, p.name, v);
}

std::optional<TensorType> state_type(Elaboration& e, Scope& scope, const ast::State& s,
                                     const BodyEffects& effects) {
  if (has_open_extents(s.type)) {
    const auto closed = close_extents(e, scope, s.name, s.type, scope.first_subscripts[s.name.text]);
    return closed ? declared_type(e, scope, *closed, s.name) : std::nullopt;
  }
  if (s.type.dtype || s.type.has_shape) return declared_type(e, scope, s.type, s.name);
  if (scope.definition->kind == Kind::optimizer) return e.graph[effects.states.front().second].type;
  e.error("state-without-type", s.name.span,
          fmt::format("in a {} there is nothing a state is like; give its type, as in "
                      "'state {}: f32[] = 0'",
                      word(scope.definition->kind), s.name.text));
  return std::nullopt;
}

std::optional<NodeId> make_state(Elaboration& e, Scope& scope, const ast::State& s,
                                 const BodyEffects& effects) {
  const auto type = state_type(e, scope, s, effects);
  if (!type || has_run_time_size(e, *type, s.type.span, "state", s.name.text)) return std::nullopt;
  const bool optimizer = scope.definition->kind == Kind::optimizer;
  const std::string path = (optimizer ? effects.state_path : scope.path + ".") + s.name.text;
  if (!optimizer && scope.locals.count(s.name.text) == 0) {
    if (const auto known = owned(e, path, *type, s.name.span)) return known;
  }
  const Value initial = initial_value(e, scope, s.initial, *type, path, s.name.text);
  if (initial.poisoned()) return std::nullopt;
  const NodeId id = add_state(e, path, *type, initial, place_in_spec(e, s.name.span));
  if (!optimizer) e.parameters.emplace(path, id);
  return id;
}

// A later call in a step reads what the earlier one left, through which no gradient flows: it is as
// much a leaf as before the first.
Value state_now(Elaboration& e, NodeId id, Span span) {
  const auto left = e.unit.next.find(id);
  if (left == e.unit.next.end()) return node_value(e, id);
  return apply(e, Fn::detach, {node_value(e, left->second)}, {span, {span}, "detach"});
}

void state(Elaboration& e, Scope& scope, const ast::State& s, Span span, BodyEffects& effects) {
  const bool here = allowed(e, scope, span, "state", {Kind::optimizer, Kind::layer, Kind::net},
                            "optimizers, layers and nets");
  if (here && left_out(e, scope, s.name, s.condition)) return;
  const auto id = here ? make_state(e, scope, s, effects) : std::nullopt;
  if (!id) {
    bind(e, scope, s.name, {});
    return;
  }
  if (bind(e, scope, s.name, state_now(e, *id, s.name.span)))
    effects.states.emplace_back(s.name.text, *id);
}

}  // namespace

NodeId add_state(Elaboration& e, const std::string& path, const TensorType& type,
                 const Value& initial, Span span) {
  Node n;
  n.kind = NodeKind::state;
  n.type = type;
  n.name = path;
  n.operand = materialize(e, initial);
  const NodeId id = e.graph.add(n);
  e.graph.label(id) = {path.substr(path.rfind('.') + 1), {}, span};
  e.initial.push_back({id, n.operand});
  return id;
}

void execute(Elaboration& e, Scope& scope, const std::vector<ast::Statement>& body,
             BodyEffects& effects) {
  for (const ast::Statement& s : body) {
    if (const auto* a = std::get_if<ast::Assign>(&s.what)) assign(e, scope, *a, effects);
    if (const auto* f = std::get_if<ast::For>(&s.what)) run_loop(e, scope, *f, effects);
    if (const auto* i = std::get_if<ast::If>(&s.what)) run_branch(e, scope, *i, effects);
    if (const auto* r = std::get_if<ast::Recur>(&s.what)) recur(e, scope, *r, s.span);
    if (const auto* p = std::get_if<ast::Param>(&s.what)) parameter(e, scope, *p, s.span);
    if (const auto* t = std::get_if<ast::State>(&s.what)) state(e, scope, *t, s.span, effects);
    if (const auto* m = std::get_if<ast::Minimize>(&s.what)) {
      if (allowed(e, scope, s.span, "minimize", {Kind::step}, "a step"))
        effects.minimizes.push_back(m);
    }
    if (const auto* r = std::get_if<ast::Report>(&s.what)) {
      if (allowed(e, scope, s.span, "report", {Kind::step}, "a step")) effects.reports.push_back(r);
    }
  }
}

Value run_body(Elaboration& e, Scope& scope, BodyEffects& effects) {
  const ast::Definition& d = *scope.definition;
  if (!d.value.empty()) return evaluate(e, scope, d.value.front());
  execute(e, scope, d.body, effects);
  std::vector<Value> results;
  bool ok = true;
  for (const ast::Parameter& r : d.results) {
    const auto local = scope.locals.find(r.name.text);
    if (local == scope.locals.end()) {
      if (!scope.silent) {
        e.error("missing-result", r.name.span,
                fmt::format("{} {} never assigns its result {}", word(d.kind),
                            in_quotes(d.name.text), in_quotes(r.name.text)));
      }
      ok = false;
      continue;
    }
    results.push_back(check_result(e, scope, r, local->second.value, local->second.span));
    ok = ok && !results.back().poisoned();
  }
  if (!ok) return {};
  if (results.size() == 1) return results.front();
  Value v;
  v.kind = ValueKind::tuple;
  v.parts = std::move(results);
  return v;
}

}  // namespace gradc

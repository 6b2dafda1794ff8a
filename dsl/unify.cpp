// unify.cpp: shapes of signatures against shapes of values: names of dims are bound once and then
// agree.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

// An extent of a signature that can be compared only once the defaults are known.
struct Deferred {
  const ast::Parameter* parameter;
  std::size_t dim;  // of the value
  const ast::Expr* expr;
  TensorType type;
  Span span;
};

struct Unification {
  Elaboration& e;
  Scope& scope;  // of the definition whose signature it is
  bool result;   // of a result rather than a parameter
  std::vector<Deferred> deferred{};
};

std::string owner(const Unification& u) {
  return fmt::format("{} {}", word(u.scope.definition->kind),
                     in_quotes(u.scope.definition->name.text));
}

std::string written(const Unification& u, const ast::Type& t) {
  return std::string(u.e.sources.text(t.span));
}

std::vector<Note> declared_here(const ast::Parameter& p) {
  return {{p.name.span, fmt::format("'{}' is declared here", p.name.text)}};
}

void clash(Unification& u, const ast::Parameter& p, const TensorType& actual, std::size_t dim,
           const std::string& wanted, Span span) {
  u.e.error("shape-mismatch", span,
            fmt::format("'{}' of {} is declared '{}', but this is {}: dim {} is {}, not {}",
                        p.name.text, owner(u), written(u, p.type), text(u.e.graph, actual), dim + 1,
                        text(u.e.graph, actual.shape[dim]), wanted),
            declared_here(p));
}

// A plain name: bound by an earlier dim, by an argument, or now.
bool unify_name(Unification& u, const ast::Parameter& p, const TensorType& actual, std::size_t dim,
                const ast::Name& name, Span span) {
  Graph& g = u.e.graph;
  const Extent& extent = actual.shape[dim];
  const auto local = u.scope.locals.find(name.text);
  if (local == u.scope.locals.end()) {
    u.scope.locals.emplace(name.text, Binding{size_value(extent), name.span});
    u.scope.origins[name.text] = {p.name.text, text(g, actual)};
    return true;
  }
  if (local->second.value.poisoned()) return true;
  const auto known = extent_of(local->second.value);
  if (known && *known == extent) return true;
  const std::string value = known ? text(g, *known) : describe(u.e, local->second.value);
  const auto origin = u.scope.origins.find(name.text);
  if (origin == u.scope.origins.end()) {
    clash(u, p, actual, dim, fmt::format("{} ('{}')", value, name.text), span);
    return false;
  }
  u.e.error("shape-mismatch", span,
            fmt::format("'{0}' is {1} and '{2}' is {3}: '{4}' is {5} from '{2}' but {6} from '{0}'",
                        p.name.text, text(g, actual), origin->second.parameter, origin->second.type,
                        name.text, value, text(g, extent)),
            {{p.name.span, fmt::format("'{}' of {} is declared '{}'", p.name.text, owner(u),
                                       written(u, p.type))}});
  return false;
}

bool compare(Unification& u, const Deferred& d) {
  const auto wanted = evaluate_extent(u.e, u.scope, *d.expr);
  if (!wanted) return false;
  if (*wanted == d.type.shape[d.dim]) return true;
  clash(u, *d.parameter, d.type, d.dim, text(u.e.graph, *wanted), d.span);
  return false;
}

bool unify_extent(Unification& u, const ast::Parameter& p, const TensorType& actual,
                  std::size_t dim, const ast::Expr& x, Span span) {
  const ast::Definition& d = *u.scope.definition;
  const bool generic = d.kind == ast::DefinitionKind::op || d.kind == ast::DefinitionKind::layer ||
                       d.kind == ast::DefinitionKind::optimizer;
  const Deferred later{&p, dim, &x, actual, span};
  if (x.kind != ast::ExprKind::name) {
    if (u.result || !generic) return compare(u, later);
    u.deferred.push_back(later);
    return true;
  }
  const bool bound = u.scope.locals.count(x.name.text) != 0;
  if (!bound && !u.result) {
    // In a template a name is bound by the call, whatever is declared outside.
    if (!generic) return compare(u, later);
    const bool parameter =
        std::any_of(d.parameters.begin(), d.parameters.end(), [&](const ast::Parameter& q) {
          return q.name.text == x.name.text && is_compile_time(q.type);
        });
    if (parameter) {
      u.deferred.push_back(later);
      return true;
    }
  }
  if (!bound && u.result && find_value(u.e, u.scope, x.name.text)) return compare(u, later);
  return unify_name(u, p, actual, dim, x.name, span);
}

bool unify_shape(Unification& u, const ast::Parameter& p, const TensorType& actual, Span span) {
  const std::vector<ast::Expr>& pattern = p.type.shape;
  auto is_ellipsis = [](const ast::Expr& x) { return x.kind == ast::ExprKind::ellipsis; };
  const auto dots = std::find_if(pattern.begin(), pattern.end(), is_ellipsis);
  const bool has_dots = dots != pattern.end();
  if (std::count_if(pattern.begin(), pattern.end(), is_ellipsis) > 1) {
    u.e.error("misplaced-ellipsis", p.type.span, "'..' may stand only once in a shape");
    return false;
  }
  const std::size_t written_dims = pattern.size() - (has_dots ? 1 : 0);
  if (has_dots ? actual.rank() < written_dims : actual.rank() != written_dims) {
    u.e.error("wrong-rank", span,
              fmt::format("'{}' of {} is declared '{}', with {}{} dim{}, but this is {}",
                          p.name.text, owner(u), written(u, p.type), has_dots ? "at least " : "",
                          written_dims, written_dims == 1 ? "" : "s", text(u.e.graph, actual)),
              declared_here(p));
    return false;
  }
  bool ok = true;
  std::size_t dim = 0;
  for (const ast::Expr& x : pattern) {
    if (!is_ellipsis(x)) {
      ok = unify_extent(u, p, actual, dim, x, span) && ok;
      ++dim;
      continue;
    }
    const std::size_t hidden = actual.rank() - written_dims;
    const auto first = actual.shape.begin() + static_cast<std::ptrdiff_t>(dim);
    const Shape leading(first, first + static_cast<std::ptrdiff_t>(hidden));
    dim += hidden;
    if (!u.scope.leading) {
      u.scope.leading = leading;
      u.scope.leading_origin = p.name.text;
    } else if (*u.scope.leading != leading) {
      u.e.error("shape-mismatch", span,
                fmt::format("'{}' is {}: '..' stands for {} here but for {} in '{}'", p.name.text,
                            text(u.e.graph, actual), text(u.e.graph, leading),
                            text(u.e.graph, *u.scope.leading), u.scope.leading_origin),
                declared_here(p));
      ok = false;
    }
  }
  return ok;
}

// The value as the declared dtype wants it; poison if reported.
Value convert(Unification& u, const ast::Parameter& p, Value v, Span span) {
  if (!p.type.dtype) return runtime_value(u.e, v, span);
  const auto t = dtype_named(p.type.dtype->text);
  if (!t) {
    u.e.error("unknown-type", p.type.dtype->span,
              fmt::format("'{}' is no type of a tensor; there are f32, f64, i32 and bool",
                          p.type.dtype->text));
    return {};
  }
  const bool fraction = v.is(ValueKind::number) && !v.integer;
  const DType from = fraction ? DType::f32 : v.constant() ? DType::boolean : dtype_of(u.e, v);
  if (from > *t && !(fraction && is_float(*t))) {
    u.e.error("dtype-mismatch", span,
              fmt::format("'{}' of {} is declared '{}', but this is {}", p.name.text, owner(u),
                          written(u, p.type), describe(u.e, v)),
              declared_here(p));
    return {};
  }
  return cast_to(u.e, v, *t, span);
}

bool bind_tensor(Unification& u, const ast::Parameter& p, const CallArgument& a) {
  Value v = a.value;
  if (p.type.dtype || p.type.has_shape) {
    if (v.is(ValueKind::absent)) v = number_value(0, true);
    v = convert(u, p, v, a.span);
    if (v.poisoned()) return false;
    const TensorType actual = v.is(ValueKind::tensor) ? v.type : TensorType{dtype_of(u.e, v), {}};
    if (p.type.has_shape && !unify_shape(u, p, actual, a.span)) return false;
  }
  return bind(u.e, u.scope, p.name, std::move(v));
}

bool bind_constant(Unification& u, const ast::Parameter& p, const CallArgument& a) {
  const std::string& type = p.type.dtype->text;
  Value v = a.value;
  // A rate may change from update to update.
  if (u.scope.definition->kind == ast::DefinitionKind::optimizer && type == "float" &&
      v.is(ValueKind::tensor) && v.type.shape.empty()) {
    return bind(u.e, u.scope, p.name, cast_to(u.e, v, DType::f32, a.span));
  }
  const bool integer = v.is(ValueKind::size) || (v.is(ValueKind::number) && v.integer);
  const bool fits = (type == "int" && integer) || (type == "float" && v.is(ValueKind::number)) ||
                    (type == "bool" && v.is(ValueKind::boolean)) ||
                    (type == "string" && v.is(ValueKind::text)) ||
                    (type == "optimizer" && v.is(ValueKind::updater));
  if (!fits) {
    const bool known = type == "int" || type == "float" || type == "bool" || type == "string" ||
                       type == "optimizer";
    if (!known) {
      u.e.error("unknown-type", p.type.dtype->span,
                fmt::format("there is no type {}", in_quotes(type)));
    } else {
      u.e.error("not-compile-time", a.span,
                fmt::format("'{}' of {} is {} '{}' known at compile time, not {}", p.name.text,
                            owner(u), type == "int" || type == "optimizer" ? "an" : "a", type, describe(u.e, v)),
                declared_here(p));
    }
    return false;
  }
  if (type == "float") v.integer = false;
  return bind(u.e, u.scope, p.name, std::move(v));
}

// Whether every name of an extent has a value by now.
bool is_known(Elaboration& e, const Scope& scope, const ast::Expr& x) {
  if (x.kind == ast::ExprKind::name) {
    const auto v = find_value(e, scope, x.name.text);
    return v && extent_of(*v).has_value();
  }
  if (x.kind == ast::ExprKind::subscript || x.kind == ast::ExprKind::reduce) return false;
  return std::all_of(x.args.begin(), x.args.end(),
                     [&](const ast::Expr& a) { return is_known(e, scope, a); }) &&
         std::all_of(x.arguments.begin(), x.arguments.end(),
                     [&](const ast::Argument& a) { return is_known(e, scope, a.value); });
}

}  // namespace

bool is_compile_time(const ast::Type& t) {
  if (!t.dtype || t.has_shape) return false;
  return t.dtype->text == "bool" || !dtype_named(t.dtype->text);
}

std::optional<DType> dtype_named(std::string_view word) {
  for (DType t : {DType::boolean, DType::i32, DType::f32, DType::f64}) {
    if (name(t) == word) return t;
  }
  return std::nullopt;
}

bool bind_parameters(Elaboration& e, Scope& callee, std::vector<CallArgument>& args, Span call) {
  Unification u{e, callee, false};
  const std::vector<ast::Parameter>& parameters = callee.definition->parameters;
  bool ok = true;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    if (args[k].given && is_compile_time(parameters[k].type)) {
      ok = bind_constant(u, parameters[k], args[k]) && ok;
    }
  }
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    if (args[k].given && !is_compile_time(parameters[k].type)) {
      ok = bind_tensor(u, parameters[k], args[k]) && ok;
    }
  }
  if (!ok) return false;
  e.calls.push_back({callee.definition, call});
  for (std::size_t k = 0; k < parameters.size() && ok; ++k) {
    const ast::Parameter& p = parameters[k];
    if (args[k].given) continue;
    const bool integer = p.type.dtype && p.type.dtype->text == "int";
    const ast::Expr& x = p.default_value.front();
    const CallArgument value{evaluate(e, callee, x, integer ? Position::integer : Position::real),
                             x.span, true};
    if (value.value.poisoned())
      ok = false;
    else
      ok = is_compile_time(p.type) ? bind_constant(u, p, value) : bind_tensor(u, p, value);
  }
  e.calls.pop_back();
  for (const Deferred& d : u.deferred) ok = ok && compare(u, d);
  return ok;
}

std::optional<Shape> declared_shape(Elaboration& e, Scope& scope, const ast::Type& t) {
  if (!t.has_shape) return std::nullopt;
  Shape shape;
  for (const ast::Expr& x : t.shape) {
    if (x.kind == ast::ExprKind::ellipsis) {
      if (!scope.leading) return std::nullopt;
      shape.insert(shape.end(), scope.leading->begin(), scope.leading->end());
      continue;
    }
    if (!is_known(e, scope, x)) return std::nullopt;
    const auto extent = evaluate_extent(e, scope, x);
    if (!extent) return std::nullopt;
    shape.push_back(*extent);
  }
  return shape;
}

std::optional<TensorType> declared_type(Elaboration& e, Scope& scope, const ast::Type& t,
                                        const ast::Name& name) {
  TensorType type;
  if (t.dtype) {
    const auto dtype = dtype_named(t.dtype->text);
    if (!dtype) {
      e.error("unknown-type", t.dtype->span,
              fmt::format("'{}' is no type of a tensor; there are f32, f64, i32 and bool",
                          t.dtype->text));
      return std::nullopt;
    }
    type.dtype = *dtype;
  }
  if (!t.has_shape) {
    e.error("unknown-dim", name.span,
            fmt::format("the shape of {0} must be stated, as in '{1}: f32[B, 64]'",
                        in_quotes(name.text), name.text));
    return std::nullopt;
  }
  for (const ast::Expr& x : t.shape) {
    if (x.kind == ast::ExprKind::ellipsis) {
      e.error("misplaced-ellipsis", x.span, "here every dim must be written out");
      return std::nullopt;
    }
    if (x.kind == ast::ExprKind::name && !find_value(e, scope, x.name.text)) {
      std::vector<std::string> names;
      for (const auto& [key, value] : e.user.values) names.push_back(key);
      for (const auto& [key, value] : scope.locals) names.push_back(key);
      unknown_name(
          e, scope, "unknown-dim", x.name,
          fmt::format("unknown dim {0}; declare it: 'dim {1} = …', or 'dim {1} <= …' for a size "
                      "chosen at run time",
                      in_quotes(x.name.text), x.name.text),
          names);
      return std::nullopt;
    }
    const auto extent = evaluate_extent(e, scope, x);
    if (!extent) return std::nullopt;
    type.shape.push_back(*extent);
  }
  if (!check_shape(e, type.shape, t.span)) return std::nullopt;
  return type;
}

Value check_result(Elaboration& e, Scope& scope, const ast::Parameter& p, const Value& v,
                   Span span) {
  if (v.poisoned() || (!p.type.dtype && !p.type.has_shape)) return v;
  Unification u{e, scope, true};
  Value r = v.is(ValueKind::absent) ? number_value(0, true) : v;
  r = convert(u, p, r, span);
  if (r.poisoned()) return {};
  const TensorType actual = r.is(ValueKind::tensor) ? r.type : TensorType{dtype_of(e, r), {}};
  if (p.type.has_shape && !unify_shape(u, p, actual, span)) return {};
  return r;
}

}  // namespace gradc

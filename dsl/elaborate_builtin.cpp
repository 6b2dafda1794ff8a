// elaborate_builtin.cpp: calls that are part of the language: scalar functions, casts, grad,
// reshape and random numbers.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "dsl/elaboration.h"

namespace gradc {
namespace {

// Arguments by position; named ones only where `names` has them. False if reported.
bool arguments_of(Elaboration& e, const ast::Expr& call, const std::vector<std::string>& names,
                  std::vector<const ast::Expr*>& out) {
  out.assign(names.size(), nullptr);
  std::size_t next = 0;
  for (const ast::Argument& a : call.arguments) {
    std::size_t at = next;
    if (a.name) {
      at = static_cast<std::size_t>(std::find(names.begin(), names.end(), a.name->text) -
                                    names.begin());
      if (at == names.size()) {
        Scope anywhere;
        unknown_name(
            e, anywhere, "unknown-argument", *a.name,
            fmt::format("'{}' has no argument {}", call.name.text, in_quotes(a.name->text)), names);
        return false;
      }
    } else {
      ++next;
    }
    if (at >= names.size() || out[at] != nullptr) {
      e.error("wrong-arguments", a.value.span,
              fmt::format("'{}' takes {} argument{}", call.name.text, names.size(),
                          names.size() == 1 ? "" : "s"));
      return false;
    }
    out[at] = &a.value;
  }
  if (std::find(out.begin(), out.end(), nullptr) == out.end()) return true;
  e.error("wrong-arguments", call.span,
          fmt::format("'{}' takes {} argument{}, this call gives {}", call.name.text, names.size(),
                      names.size() == 1 ? "" : "s", call.arguments.size()));
  return false;
}

Value scalar_function(Elaboration& e, Scope& scope, const ast::Expr& call, Fn fn,
                      Position position) {
  std::vector<std::string> names(static_cast<std::size_t>(info(fn).arity));
  for (std::size_t k = 0; k < names.size(); ++k) names[k] = fmt::format("#{}", k + 1);
  for (const ast::Argument& a : call.arguments) {
    if (!a.name) continue;
    e.error("unknown-argument", a.name->span,
            fmt::format("the arguments of '{}' have no names", call.name.text));
    return {};
  }
  std::vector<const ast::Expr*> given;
  if (!arguments_of(e, call, names, given)) return {};
  Operands where{call.span, {}, call.name.text, position};
  std::vector<Value> args;
  if (fn == Fn::select) {
    // Known now, it chooses what is elaborated: nothing of the other branch is computed or needed.
    const Value condition = evaluate(e, scope, *given[0], position);
    if (condition.is(ValueKind::boolean))
      return evaluate(e, scope, *given[condition.number != 0 ? 1 : 2], position);
    args.push_back(condition);
    where.spans.push_back(given[0]->span);
    given.erase(given.begin());
  }
  for (const ast::Expr* x : given) {
    args.push_back(evaluate(e, scope, *x, position));
    where.spans.push_back(x->span);
  }
  return apply(e, fn, std::move(args), where);
}

Value evaluate_cast(Elaboration& e, Scope& scope, const ast::Expr& call, DType t) {
  std::vector<const ast::Expr*> given;
  if (!arguments_of(e, call, {"x"}, given)) return {};
  const Value v = evaluate(e, scope, *given[0]);
  if (v.poisoned()) return v;
  // Of a number, the number itself, as what it stands next to decides how it is held.
  if (v.constant() && t == DType::boolean) return boolean_value(v.number != 0);
  if (v.constant() && t == DType::f32) return number_value(v.number, false);
  return cast_to(e, v, t, given[0]->span);
}

Value evaluate_grad(Elaboration& e, Scope& scope, const ast::Expr& call) {
  std::vector<const ast::Expr*> given;
  if (!arguments_of(e, call, {"L", "x"}, given)) return {};
  Value loss = evaluate(e, scope, *given[0]);
  const Value wrt = evaluate(e, scope, *given[1]);
  if (loss.poisoned() || wrt.poisoned()) return {};
  if (!loss.is(ValueKind::tensor) || !loss.type.shape.empty() || !is_float(loss.type.dtype)) {
    e.error(
        "bad-gradient", given[0]->span,
        fmt::format("the gradient is of a float scalar (shape []), not of {}", describe(e, loss)));
    return {};
  }
  if (given[1]->kind != ast::ExprKind::name || !wrt.is(ValueKind::tensor) ||
      !is_float(wrt.type.dtype)) {
    e.error(
        "bad-gradient", given[1]->span,
        fmt::format("the gradient is taken with respect to a named float tensor, not {}",
                    given[1]->kind != ast::ExprKind::name ? "an expression" : describe(e, wrt)));
    return {};
  }
  // A number known at compile time has become part of the formulas; there is nothing left to vary.
  if (e.graph[wrt.body].kind == ScalarKind::literal) {
    e.error("bad-gradient", given[1]->span,
            fmt::format("{} is a number known at compile time here; the gradient is taken with "
                        "respect to a tensor",
                        in_quotes(given[1]->name.text)));
    return {};
  }
  Node n;
  n.kind = NodeKind::gradient;
  n.type = wrt.type;
  n.operand = materialize(e, loss);
  n.wrt = materialize(e, wrt);
  const NodeId id = e.graph.add(std::move(n));
  if (!e.graph.label(id).span.valid()) e.graph.label(id).span = call.span;
  return node_value(e, id);
}

// The number of elements as a polynomial in the run-time dims: coefficient by product of dims.
using Polynomial = std::map<std::vector<std::uint32_t>, std::int64_t>;

bool element_count(const Shape& shape, Polynomial& out) {
  out = {{{}, 1}};
  for (const Extent& x : shape) {
    Polynomial product;
    for (const auto& [dims, factor] : out) {
      for (const bool with_dim : {false, true}) {
        std::int64_t term = 0;
        if (__builtin_mul_overflow(factor, with_dim ? x.scale : x.offset, &term)) return false;
        if (term == 0) continue;
        std::vector<std::uint32_t> key = dims;
        if (with_dim)
          key.insert(std::upper_bound(key.begin(), key.end(), x.dim.value), x.dim.value);
        if (__builtin_add_overflow(product[key], term, &product[key])) return false;
      }
    }
    std::erase_if(product, [](const auto& term) { return term.second == 0; });
    out = std::move(product);
  }
  return true;
}

// What `-1` stands for: as many as make the elements as many as before, if there is such an extent.
std::optional<Extent> remaining_extent(const Polynomial& all, const Polynomial& others) {
  if (others.size() != 1) return std::nullopt;
  const auto& [divisor_dims, divisor] = *others.begin();
  Extent out;
  for (const auto& [dims, factor] : all) {
    if (factor % divisor != 0) return std::nullopt;
    std::vector<std::uint32_t> left;
    std::set_difference(dims.begin(), dims.end(), divisor_dims.begin(), divisor_dims.end(),
                        std::back_inserter(left));
    if (left.size() + divisor_dims.size() != dims.size() || left.size() > 1) return std::nullopt;
    if (left.empty()) {
      out.offset = factor / divisor;
    } else {
      if (out.scale != 0 && out.dim != DimId{left[0]}) return std::nullopt;
      out.dim = DimId{left[0]};
      out.scale = factor / divisor;
    }
  }
  return out;
}

// The new shape as it is written, with one extent of 1 where `-1` stands; false if reported.
bool written_shape(Elaboration& e, Scope& scope, const ast::Expr& list, Shape& shape,
                   std::optional<std::size_t>& open) {
  for (const ast::Expr& x : list.args) {
    if (x.kind == ast::ExprKind::ellipsis) {
      if (!scope.leading) {
        e.error("misplaced-ellipsis", x.span,
                "'..' stands for nothing here: the signature does not have it");
        return false;
      }
      shape.insert(shape.end(), scope.leading->begin(), scope.leading->end());
      continue;
    }
    auto extent = evaluate_extent(e, scope, x);
    if (!extent) return false;
    if (*extent == Extent(-1)) {
      if (open) {
        e.error("bad-reshape", x.span, "only one extent can follow from the others");
        return false;
      }
      open = shape.size();
      extent = Extent(1);
    }
    shape.push_back(*extent);
  }
  return true;
}

Value evaluate_reshape(Elaboration& e, Scope& scope, const ast::Expr& call) {
  std::vector<const ast::Expr*> given;
  if (!arguments_of(e, call, {"x", "shape"}, given)) return {};
  const Value v = evaluate(e, scope, *given[0]);
  if (given[1]->kind != ast::ExprKind::list) {
    e.error("bad-reshape", given[1]->span, "the new shape is a list, as in 'reshape(x, [B, 784])'");
    return {};
  }
  Shape shape;
  std::optional<std::size_t> open;
  if (!written_shape(e, scope, *given[1], shape, open) || v.poisoned()) return {};
  if (!v.is(ValueKind::tensor)) {
    e.error("not-a-tensor", given[0]->span,
            fmt::format("'reshape' needs a whole tensor, not {}", describe(e, v)));
    return {};
  }
  Polynomial before, after;
  const bool counted = element_count(v.type.shape, before) && element_count(shape, after);
  if (counted && open) {
    const auto rest = remaining_extent(before, after);
    if (!rest) {
      e.error("bad-reshape", given[1]->span,
              fmt::format("the elements of {} do not fill {} evenly, whatever '-1' stands for",
                          text(e.graph, v.type), text(e.graph, shape)));
      return {};
    }
    shape[*open] = *rest;
    after = before;
  }
  if (!check_shape(e, shape, given[1]->span)) return {};
  if (!counted || before != after) {
    e.error("bad-reshape", given[1]->span,
            fmt::format("{} and {} differ in their number of elements", text(e.graph, v.type),
                        text(e.graph, shape)));
    return {};
  }
  if (shape == v.type.shape) return v;
  Node n;
  n.kind = NodeKind::reshape;
  n.type = {v.type.dtype, std::move(shape)};
  n.operand = materialize(e, v);
  return node_value(e, e.graph.add(std::move(n)));
}

// A stream that no draw elsewhere in the spec has, decided by where it stands rather than by order.
std::uint32_t new_stream(Elaboration& e) {
  const std::uint32_t number = e.random_counts[e.random_path]++;
  const auto [place, fresh] = e.streams.try_emplace({e.random_path, number});
  if (!fresh) return place->second;
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : e.random_path) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  hash += number;
  while (!e.used_streams.insert(hash).second) ++hash;
  return place->second = hash;
}

Value evaluate_random(Elaboration& e, Scope& scope, const ast::Expr& call,
                      Distribution distribution) {
  const bool normal = distribution == Distribution::normal;
  std::vector<const ast::Expr*> given;
  const std::vector<std::string> names =
      normal ? std::vector<std::string>{"mean", "std"} : std::vector<std::string>{"low", "high"};
  if (!arguments_of(e, call, names, given)) return {};
  Value a = evaluate(e, scope, *given[0]);
  Value b = evaluate(e, scope, *given[1]);
  if (a.poisoned() || b.poisoned()) return {};
  if (!e.random_shape) {
    e.error("random-without-shape", call.span,
            fmt::format("nothing says which shape '{0}' is to have; write '{0}(…) like x'",
                        call.name.text));
    return {};
  }
  Node n;
  n.kind = NodeKind::random;
  n.type = {is_float(e.random_shape->dtype) ? e.random_shape->dtype : DType::f32,
            e.random_shape->shape};
  n.distribution = distribution;
  n.stream = new_stream(e);
  const bool fixed = a.constant() && b.constant();
  n.a = fixed ? a.number : 0;
  n.b = fixed ? b.number : 1;
  const Value draw = node_value(e, e.graph.add(std::move(n)));
  if (fixed) return draw;
  // mean + std · z and low + (high - low) · u, so that gradients reach the arguments.
  const Operands where{call.span, {call.span, call.span}, call.name.text};
  if (!normal) b = apply(e, Fn::sub, {b, a}, where);
  return apply(e, Fn::add, {a, apply(e, Fn::mul, {b, draw}, where)}, where);
}

}  // namespace

Value evaluate_like(Elaboration& e, Scope& scope, const ast::Expr& x) {
  const Value model = evaluate(e, scope, x.args[1]);
  if (model.poisoned()) return {};
  if (!model.is(ValueKind::tensor)) {
    e.error("not-a-tensor", x.args[1].span,
            fmt::format("'like' needs a whole tensor, not {}", describe(e, model)));
    return {};
  }
  const auto outer = e.random_shape;
  e.random_shape = model.type;
  const Value v = evaluate(e, scope, x.args[0]);
  e.random_shape = outer;
  TensorType type = model.type;
  if (v.is(ValueKind::tensor)) type.dtype = v.type.dtype;
  return spread(e, v, type, x.args[0].span, "the shape asked for");
}

Value evaluate_builtin(Elaboration& e, Scope& scope, const ast::Expr& call, Position position) {
  const std::string& name = call.name.text;
  if (name == "grad") return evaluate_grad(e, scope, call);
  if (name == "reshape") return evaluate_reshape(e, scope, call);
  if (name == "total") return evaluate_total(e, scope, call);
  if (name == "normal") return evaluate_random(e, scope, call, Distribution::normal);
  if (name == "uniform") return evaluate_random(e, scope, call, Distribution::uniform);
  if (const auto t = dtype_named(name)) return evaluate_cast(e, scope, call, *t);
  return scalar_function(e, scope, call, *function_named(name), position);
}

}  // namespace gradc

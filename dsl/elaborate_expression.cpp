// elaborate_expression.cpp: expressions to values: names, operators, lists, and what they dispatch
// to.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dsl/check.h"
#include "dsl/elaboration.h"

namespace gradc {
namespace {

struct BinaryOperator {
  std::string_view text;
  Fn fn;
};
constexpr BinaryOperator binary_operators[] = {
    {"+", Fn::add}, {"-", Fn::sub},           {"*", Fn::mul},        {"%", Fn::mod}, {"^", Fn::pow},
    {"==", Fn::eq}, {"!=", Fn::ne},           {"<", Fn::lt},         {"<=", Fn::le}, {">", Fn::gt},
    {">=", Fn::ge}, {"and", Fn::logical_and}, {"or", Fn::logical_or}};

Value evaluate_binary(Elaboration& e, Scope& scope, const ast::Expr& x, Position position) {
  std::vector<Value> args = {evaluate(e, scope, x.args[0], position),
                             evaluate(e, scope, x.args[1], position)};
  const Operands where{x.span, {x.args[0].span, x.args[1].span}, x.op, position};
  if (x.op == "/") return divide(e, std::move(args), where);
  for (const BinaryOperator& row : binary_operators) {
    if (row.text == x.op) return apply(e, row.fn, std::move(args), where);
  }
  // An operator of another language; the parser has said so.
  GRADC_CHECK(e.diagnostics.has_errors(), "unknown operator " + x.op);
  return {};
}

// Collects the numbers of nested lists; false if reported.
bool flatten_list(Elaboration& e, Scope& scope, const ast::Expr& x, std::size_t depth, Shape& shape,
                  bool& leaf_level, std::vector<Value>& out) {
  if (x.kind != ast::ExprKind::list) {
    if (depth < shape.size() || (!leaf_level && !out.empty())) {
      e.error("ragged-list", x.span, "this list has a number where its others have lists");
      return false;
    }
    leaf_level = true;
    Value v = evaluate(e, scope, x);
    if (v.poisoned()) return false;
    if (!v.constant()) {
      e.error("not-compile-time", x.span,
              fmt::format("a list holds numbers known at compile time, not {}", describe(e, v)));
      return false;
    }
    out.push_back(std::move(v));
    return true;
  }
  const auto size = static_cast<std::int64_t>(x.args.size());
  if (size == 0) {
    e.error("ragged-list", x.span, "an empty list has no shape");
    return false;
  }
  if (depth == shape.size() && !leaf_level) {
    shape.emplace_back(size);
  } else if (depth >= shape.size() || shape[depth].offset != size) {
    e.error("ragged-list", x.span, "the lists of one level must be of equal length");
    return false;
  }
  return std::all_of(x.args.begin(), x.args.end(), [&](const ast::Expr& a) {
    return flatten_list(e, scope, a, depth + 1, shape, leaf_level, out);
  });
}

Value evaluate_list(Elaboration& e, Scope& scope, const ast::Expr& x) {
  Node n;
  n.kind = NodeKind::constant;
  std::vector<Value> values;
  bool leaf_level = false;
  if (!flatten_list(e, scope, x, 0, n.type.shape, leaf_level, values)) return {};
  if (!check_shape(e, n.type.shape, x.span)) return {};
  n.type.dtype = DType::boolean;
  for (const Value& v : values) {
    n.type.dtype = std::max(n.type.dtype, dtype_of(e, v));
    if (v.integer && !cast_literal(e, v, DType::i32, x.span).valid()) return {};
    n.values.push_back(v.number);
  }
  return node_value(e, e.graph.add(std::move(n)));
}

Value evaluate_kind(Elaboration& e, Scope& scope, const ast::Expr& x, Position position) {
  switch (x.kind) {
    case ast::ExprKind::number:
      // Beyond what numbers can hold: reported where it was read.
      if (x.integer ? x.number > 0x1p53 : !std::isfinite(x.number)) return {};
      return number_value(x.number, x.integer);
    case ast::ExprKind::string:
      return text_value(x.name.text);
    case ast::ExprKind::name:
      return lookup(e, scope, x.name, false);
    case ast::ExprKind::list:
      return evaluate_list(e, scope, x);
    case ast::ExprKind::unary: {
      const Fn fn = x.op == "-" ? Fn::neg : Fn::logical_not;
      return apply(e, fn, {evaluate(e, scope, x.args[0], position)},
                   {x.span, {x.args[0].span}, x.op, position});
    }
    case ast::ExprKind::binary:
      return evaluate_binary(e, scope, x, position);
    case ast::ExprKind::call:
      return evaluate_call(e, scope, x, position);
    case ast::ExprKind::subscript:
      return evaluate_subscript(e, scope, x);
    case ast::ExprKind::reduce:
      return evaluate_reduce(e, scope, x);
    case ast::ExprKind::like:
      return evaluate_like(e, scope, x);
    case ast::ExprKind::choice: {
      const auto holds = evaluate_condition(e, scope, x.args[0]);
      return holds ? evaluate(e, scope, x.args[*holds ? 1 : 2], position) : Value{};
    }
    case ast::ExprKind::ellipsis:
      e.error("misplaced-ellipsis", x.span, "'..' stands only in subscripts, indices and shapes");
      return {};
  }
  GRADC_UNREACHABLE("expression kind");
}

}  // namespace

Value evaluate(Elaboration& e, Scope& scope, const ast::Expr& x, Position position) {
  if (e.exhausted) return {};
  if (e.depth >= max_expression_depth) {
    e.error("too-deep", x.span, "expressions and calls are nested too deeply here");
    return {};
  }
  if (e.graph.node_count() > max_nodes) {
    e.exhausted = true;
    e.error("graph-too-large", x.span,
            fmt::format("the spec expands to more than {} tensors", max_nodes));
    return {};
  }
  if (++e.evaluations > max_evaluations) {
    e.exhausted = true;
    e.error("graph-too-large", x.span,
            fmt::format("the spec expands to more than {} expressions", max_evaluations));
    return {};
  }
  ++e.depth;
  Value v = evaluate_kind(e, scope, x, position);
  --e.depth;
  return v;
}

std::optional<bool> evaluate_condition(Elaboration& e, Scope& scope, const ast::Expr& x) {
  const Value v = evaluate(e, scope, x);
  if (v.poisoned()) return std::nullopt;
  if (v.is(ValueKind::boolean)) return v.number != 0;
  e.error(
      "not-compile-time", x.span,
      fmt::format("this condition must be a bool known at compile time, not {}", describe(e, v)));
  return std::nullopt;
}

std::optional<Extent> evaluate_extent(Elaboration& e, Scope& scope, const ast::Expr& x) {
  const Value v = evaluate(e, scope, x, Position::integer);
  if (v.poisoned()) return std::nullopt;
  if (auto extent = extent_of(v)) return extent;
  e.error("bad-extent", x.span,
          fmt::format("an extent is a whole number or a dim, not {}", describe(e, v)));
  return std::nullopt;
}

Value share(Elaboration& e, const Value& v, const std::string& label, Span span) {
  constexpr std::size_t long_formula = 64;
  if (v.is(ValueKind::scalar) && e.graph.facts(v.body).written > long_formula) {
    const ScalarId shared = nested(e, v.body, e.indices.size(), Reduction::none, span);
    return shared.valid() ? scalar_value(shared) : Value{};
  }
  if (!v.is(ValueKind::tensor) || e.graph[v.body].kind == ScalarKind::literal) return v;
  if (!check_shape(e, v.type.shape, span)) return {};
  return node_value(e, materialize(e, v, label, span));
}

Value close(Elaboration& e, const Value& v) {
  if (!v.is(ValueKind::scalar) || !indices_in(e.graph, v.body, e.indices.size()).empty()) return v;
  return tensor_value(e.graph, {e.graph[v.body].dtype, {}}, v.body);
}

}  // namespace gradc

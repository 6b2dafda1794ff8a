// linear_forms.cpp: integer expressions of loops as linear forms of their names.
#include "codegen/linear_forms.h"

#include <algorithm>
#include <cstdlib>

#include "codegen/exprs.h"
#include "dsl/bounds.h"

namespace gradc {

using namespace loops;

namespace {

bool is_linear(Fn fn) { return fn == Fn::add || fn == Fn::sub || fn == Fn::mul; }

bool is_comparison(Fn fn) {
  return fn == Fn::min || fn == Fn::max || fn == Fn::lt || fn == Fn::ge || fn == Fn::gt || fn == Fn::le || fn == Fn::eq ||
         fn == Fn::ne;
}

}  // namespace

LinearForm plus(LinearForm a, const LinearForm& b, std::int64_t times) {
  a.constant += times * b.constant;
  for (const auto& [name, factor] : b.factors) a.factors[name] += times * factor;
  std::erase_if(a.factors, [](const auto& entry) { return entry.second == 0; });
  return a;
}
LinearForm plus(LinearForm a, std::int64_t constant) {
  a.constant += constant;
  return a;
}

bool is_small(const LinearForm& f) {
  return std::abs(f.constant) <= largest_position &&
         std::all_of(f.factors.begin(), f.factors.end(), [](const auto& e) { return std::abs(e.second) <= largest_position; });
}

std::optional<LinearForm> linear(const Expr& e) {
  if (e.type != Type::integer || e.lanes > 1) return std::nullopt;
  if (e.kind == ExprKind::variable) return LinearForm{0, {{e.name, 1}}};
  if (e.kind == ExprKind::literal) {
    if (!(std::abs(e.value) <= static_cast<double>(largest_position))) return std::nullopt;
    return LinearForm{static_cast<std::int64_t>(e.value)};
  }
  if (e.kind != ExprKind::apply) return std::nullopt;
  if (!is_linear(e.fn) && e.fn != Fn::neg) return std::nullopt;
  const auto a = linear(e.args[0]);
  if (!a) return std::nullopt;
  if (e.fn == Fn::neg) return plus({}, *a, -1);
  const auto b = linear(e.args[1]);
  if (!b) return std::nullopt;
  std::optional<LinearForm> result;
  if (e.fn == Fn::add || e.fn == Fn::sub) {
    result = plus(*a, *b, e.fn == Fn::add ? 1 : -1);
  } else {
    const bool left = a->factors.empty();
    if (!left && !b->factors.empty()) return std::nullopt;
    result = plus({}, left ? *b : *a, left ? a->constant : b->constant);
  }
  return is_small(*result) ? result : std::nullopt;
}

Expr to_expr(const LinearForm& f) {
  Expr result = integer(0);
  for (const int sign : {1, -1}) {
    for (const auto& [name, factor] : f.factors) {
      if ((factor > 0) != (sign > 0)) continue;
      Expr term = loops::mul(integer(std::abs(factor)), variable(name, Type::integer));
      result = sign > 0 ? loops::add(std::move(result), std::move(term)) : loops::sub(std::move(result), std::move(term));
    }
  }
  return loops::add(std::move(result), integer(f.constant));
}

std::optional<LinearCondition> comparison(const Expr& e) {
  if (e.kind != ExprKind::apply || !is_comparison(e.fn)) return std::nullopt;
  const auto a = linear(e.args[0]);
  const auto b = a ? linear(e.args[1]) : std::nullopt;
  if (!b) return std::nullopt;
  const LinearForm difference = plus(*a, *b, -1);
  switch (e.fn) {
    case Fn::min:
    case Fn::max:
    case Fn::lt: return LinearCondition{difference};
    case Fn::ge: return LinearCondition{difference, false, true};
    case Fn::gt: return LinearCondition{plus({}, difference, -1)};
    case Fn::le: return LinearCondition{plus({}, difference, -1), false, true};
    case Fn::eq: return LinearCondition{difference, true};
    case Fn::ne: return LinearCondition{difference, true, true};
    default: return std::nullopt;
  }
}

std::vector<LinearForm> changes(const LinearCondition& c, const std::string& name) {
  const std::int64_t factor = c.form.factor(name);
  LinearForm rest = c.form;
  rest.factors.erase(name);
  const bool whole = factor == 1 || factor == -1;
  if (factor == 0 || (!whole && !rest.factors.empty())) return {};
  const LinearForm root = factor > 0 ? plus({}, rest, -1) : rest;  // |factor| · variable = root
  const std::int64_t size = std::abs(factor);
  if (c.equation) {
    if (whole) return {root, plus(root, 1)};
    if (root.constant % size != 0) return {};
    return {LinearForm{root.constant / size}, LinearForm{root.constant / size + 1}};
  }
  // Up: the form is negative below the root. Down: beyond it.
  if (factor > 0) return {whole ? root : LinearForm{-floor_divided(-root.constant, size)}};
  return {whole ? plus(root, 1) : LinearForm{floor_divided(root.constant, size) + 1}};
}

}  // namespace gradc

// linear_forms.cpp: integer expressions of loops as linear forms of their names.
#include "codegen/linear_forms.h"

#include <algorithm>
#include <cstdlib>

#include "codegen/exprs.h"

namespace gradc {

using namespace loops;

namespace {

bool is_linear(Fn fn) { return fn == Fn::add || fn == Fn::sub || fn == Fn::mul; }

std::int64_t floor_of(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

}  // namespace

Linear plus(Linear a, const Linear& b, std::int64_t times) {
  a.constant += times * b.constant;
  for (const auto& [name, factor] : b.factors) a.factors[name] += times * factor;
  std::erase_if(a.factors, [](const auto& entry) { return entry.second == 0; });
  return a;
}
Linear plus(Linear a, std::int64_t constant) {
  a.constant += constant;
  return a;
}

bool is_small(const Linear& f) {
  return std::abs(f.constant) <= largest_position &&
         std::all_of(f.factors.begin(), f.factors.end(), [](const auto& e) { return std::abs(e.second) <= largest_position; });
}

std::optional<Linear> linear(const Expr& e) {
  if (e.type != Type::integer || e.lanes > 1) return std::nullopt;
  if (e.kind == ExprKind::variable) return Linear{0, {{e.name, 1}}};
  if (e.kind == ExprKind::literal) {
    if (!(std::abs(e.value) <= static_cast<double>(largest_position))) return std::nullopt;
    return Linear{static_cast<std::int64_t>(e.value)};
  }
  if (e.kind != ExprKind::apply) return std::nullopt;
  if (!is_linear(e.fn) && e.fn != Fn::neg) return std::nullopt;
  const auto a = linear(e.args[0]);
  if (!a) return std::nullopt;
  if (e.fn == Fn::neg) return plus({}, *a, -1);
  const auto b = linear(e.args[1]);
  if (!b) return std::nullopt;
  std::optional<Linear> result;
  if (e.fn == Fn::add || e.fn == Fn::sub) {
    result = plus(*a, *b, e.fn == Fn::add ? 1 : -1);
  } else {
    const bool left = a->factors.empty();
    if (!left && !b->factors.empty()) return std::nullopt;
    result = plus({}, left ? *b : *a, left ? a->constant : b->constant);
  }
  return is_small(*result) ? result : std::nullopt;
}

Expr to_expr(const Linear& f) {
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

std::optional<Comparison> comparison(const Expr& e) {
  if (e.kind != ExprKind::apply || e.args.size() != 2) return std::nullopt;
  const auto a = linear(e.args[0]), b = linear(e.args[1]);
  if (!a || !b) return std::nullopt;
  const Linear difference = plus(*a, *b, -1);
  switch (e.fn) {
    case Fn::min:
    case Fn::max:
    case Fn::lt: return Comparison{difference};
    case Fn::ge: return Comparison{difference, false, true};
    case Fn::gt: return Comparison{plus({}, difference, -1)};
    case Fn::le: return Comparison{plus({}, difference, -1), false, true};
    case Fn::eq: return Comparison{difference, true};
    case Fn::ne: return Comparison{difference, true, true};
    default: return std::nullopt;
  }
}

std::vector<Linear> changes(const Comparison& c, const std::string& name) {
  const std::int64_t factor = c.form.factor(name);
  Linear rest = c.form;
  rest.factors.erase(name);
  const bool whole = factor == 1 || factor == -1;
  if (factor == 0 || (!whole && !rest.factors.empty())) return {};
  const Linear root = factor > 0 ? plus({}, rest, -1) : rest;  // |factor| · variable = root
  const std::int64_t size = std::abs(factor);
  if (c.equation) {
    if (whole) return {root, plus(root, 1)};
    if (root.constant % size != 0) return {};
    return {Linear{root.constant / size}, Linear{root.constant / size + 1}};
  }
  // Up: the form is negative below the root. Down: beyond it.
  if (factor > 0) return {whole ? root : Linear{-floor_of(-root.constant, size)}};
  return {whole ? plus(root, 1) : Linear{floor_of(root.constant, size) + 1}};
}

}  // namespace gradc

// derivatives.cpp: the derivative table. Adding a scalar function means adding its line here.
#include "dsl/derivatives.h"

#include <numbers>

#include "dsl/check.h"

namespace gradc {

Expression apply(Fn fn, Expression x) {
  return {x.graph, x.graph->apply(fn, {x.id})};
}
Expression apply(Fn fn, Expression x, Expression y) {
  return {x.graph, x.graph->apply(fn, {x.id, y.id})};
}

namespace {

Expression number(Expression like, double value) {
  return {like.graph, like.graph->literal(value, (*like.graph)[like.id].dtype)};
}

}  // namespace

Expression operator-(Expression x) {
  return apply(Fn::neg, x);
}
Expression operator+(Expression x, Expression y) {
  return apply(Fn::add, x, y);
}
Expression operator-(Expression x, Expression y) {
  return apply(Fn::sub, x, y);
}
Expression operator*(Expression x, Expression y) {
  return apply(Fn::mul, x, y);
}
Expression operator/(Expression x, Expression y) {
  return apply(Fn::div, x, y);
}
Expression operator+(Expression x, double c) {
  return x + number(x, c);
}
Expression operator-(double c, Expression x) {
  return number(x, c) - x;
}
Expression operator*(Expression x, double c) {
  return x * number(x, c);
}
Expression operator/(double c, Expression x) {
  return number(x, c) / x;
}

namespace {

using E = Expression;

// An argument's cotangent: a value, under a condition if the function chooses among its arguments.
struct Rule {
  E value;
  E condition;
  Rule() = default;
  Rule(E v) : value(v) {}  // NOLINT: a plain value is a rule
  Rule(E v, E when) : value(v), condition(when) {}
};

const double two_over_sqrt_pi = 2 * std::numbers::inv_sqrtpi;

// x^p wrt x, without 0 · inf at x = 0 or p = 0.
Rule power_wrt_base(E x, E p, E g) {
  const Scalar exponent = (*p.graph)[p.id];
  if (exponent.kind != ScalarKind::literal) {
    return {g * p * apply(Fn::pow, x, p + -1.0), apply(Fn::ne, p, number(p, 0))};
  }
  if (exponent.value == 0) return {};
  if (exponent.value == 1) return g;
  if (exponent.value == 2) return g * (x * 2);
  return g * (apply(Fn::pow, x, number(p, exponent.value - 1)) * exponent.value);
}

// One argument: its cotangent from x, the result y and the cotangent g of y.
Rule unary(Fn fn, E x, E y, E g) {
  switch (fn) {
    case Fn::neg:
      return -g;
    case Fn::exp:
      return g * y;
    case Fn::expm1:
      return g * (y + 1);
    case Fn::log:
      return g / x;
    case Fn::log1p:
      return g / (x + 1);
    case Fn::sqrt:
      return g * (0.5 / y);
    case Fn::sin:
      return g * apply(Fn::cos, x);
    case Fn::cos:
      return g * -apply(Fn::sin, x);
    case Fn::tan:
      return g * (y * y + 1);
    case Fn::atan:
      return g / (x * x + 1);
    case Fn::tanh:
      return g * (1 - y * y);
    case Fn::erf:
      return g * (apply(Fn::exp, -(x * x)) * two_over_sqrt_pi);
    case Fn::logistic:
      return g * (y * (1 - y));
    case Fn::log1pexp:
      return g * apply(Fn::logistic, x);
    case Fn::abs:
      return g * apply(Fn::sign, x);
    case Fn::cast:
      return E{g.graph, g.graph->cast(g.id, (*x.graph)[x.id].dtype)};
    case Fn::sign:
    case Fn::floor:
    case Fn::ceil:
    case Fn::round:
    case Fn::logical_not:
    case Fn::detach:
      return {};
    default:
      GRADC_UNREACHABLE("a scalar function of one argument without a derivative");
  }
}

// Of a maximum or minimum y of a and b; ties go to b. Beside a number it can be read from the result, so that a is not needed;
// any other b may be computed again where it is asked for, and then differ from y by a rounding.
E first_wins(Fn compare, E a, E b, E y) {
  const bool is_number = (*b.graph)[b.id].kind == ScalarKind::literal;
  return apply(compare, is_number ? y : a, b);
}

// The first argument of two.
Rule first(Fn fn, E a, E b, E y, E g) {
  switch (fn) {
    case Fn::add:
      return g;
    case Fn::sub:
      return g;
    case Fn::mul:
      return g * b;
    case Fn::div:
      return g / b;
    case Fn::pow:
      return power_wrt_base(a, b, g);
    case Fn::max:
      return {g, first_wins(Fn::gt, a, b, y)};
    case Fn::min:
      return {g, first_wins(Fn::lt, a, b, y)};
    default:
      return {};  // comparisons, logic, integer functions
  }
}

// The second argument of two.
Rule second(Fn fn, E a, E b, E y, E g) {
  switch (fn) {
    case Fn::add:
      return g;
    case Fn::sub:
      return -g;
    case Fn::mul:
      return g * a;
    case Fn::div:
      return -(g * y) / b;
    case Fn::pow:
      return {g * (y * apply(Fn::log, a)), apply(Fn::ne, a, number(a, 0))};
    case Fn::max:
      return {g, apply(Fn::logical_not, first_wins(Fn::gt, a, b, y))};
    case Fn::min:
      return {g, apply(Fn::logical_not, first_wins(Fn::lt, a, b, y))};
    default:
      return {};
  }
}

}  // namespace

Pullback pullback(Graph& graph, const Scalar& s, std::size_t k, ScalarId y, ScalarId gy) {
  if (!is_float(graph[s.args[k]].dtype) || blocks_gradient(s.fn)) return {};
  auto argument = [&](std::size_t i) { return E{&graph, s.args[i]}; };
  const E result{&graph, y};
  const E g{&graph, gy};
  Rule rule;
  if (s.fn == Fn::select) {
    const E chosen = argument(0);
    rule = k == 1 ? Rule(g, chosen) : Rule(g, apply(Fn::logical_not, chosen));
  } else if (s.args.size() == 1) {
    rule = unary(s.fn, argument(0), result, g);
  } else if (k == 0) {
    rule = first(s.fn, argument(0), argument(1), result, g);
  } else {
    rule = second(s.fn, argument(0), argument(1), result, g);
  }
  return {rule.value.id, rule.condition.id};
}

bool blocks_gradient(Fn fn) {
  switch (fn) {
    case Fn::floor_div:
    case Fn::mod:
    case Fn::eq:
    case Fn::ne:
    case Fn::lt:
    case Fn::le:
    case Fn::gt:
    case Fn::ge:
    case Fn::logical_and:
    case Fn::logical_or:
    case Fn::logical_not:
    case Fn::sign:
    case Fn::floor:
    case Fn::ceil:
    case Fn::round:
    case Fn::detach:
      return true;
    default:
      return false;
  }
}

}  // namespace gradc

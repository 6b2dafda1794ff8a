// float_range.h: scalars evaluated in one precision and in a wider one, at all kinds of floats.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "dsl/graph.h"

namespace test {

using namespace gradc;

// A scalar function by the C library, in the precision of its arguments.
template <class Real>
Real applied(Fn fn, Real x, Real y) {
  const auto exponential = [](Real v) { return std::exp(v); };
  switch (fn) {
    case Fn::neg: return -x;
    case Fn::add: return x + y;
    case Fn::sub: return x - y;
    case Fn::mul: return x * y;
    case Fn::div: return x / y;
    case Fn::pow: return std::pow(x, y);
    case Fn::max: return std::isnan(x) || std::isnan(y) ? x + y : x > y ? x : y;
    case Fn::min: return std::isnan(x) || std::isnan(y) ? x + y : x < y ? x : y;
    case Fn::eq: return x == y;
    case Fn::ne: return x != y;
    case Fn::lt: return x < y;
    case Fn::le: return x <= y;
    case Fn::gt: return x > y;
    case Fn::ge: return x >= y;
    case Fn::logical_and: return x != 0 && y != 0;
    case Fn::logical_or: return x != 0 || y != 0;
    case Fn::logical_not: return x == 0;
    case Fn::exp: return std::exp(x);
    case Fn::expm1: return std::expm1(x);
    case Fn::log: return std::log(x);
    case Fn::log1p: return std::log1p(x);
    case Fn::sqrt: return std::sqrt(x);
    case Fn::tanh: return std::tanh(x);
    case Fn::logistic: return x < 0 ? exponential(x) / (1 + exponential(x)) : 1 / (1 + exponential(-x));
    case Fn::log1pexp: return std::isnan(x) ? x : (x > 0 ? x : Real(0)) + std::log1p(exponential(-std::fabs(x)));
    case Fn::abs: return std::fabs(x);
    case Fn::detach: return x;
    default: break;
  }
  throw std::logic_error("float_range.h lacks a function");
}

// What a formula gives, rounded after every operation and (nearly) not at all, and of what size the numbers on the way were.
struct Computed {
  long double value = 0;
  long double truth = 0;
  // How far off `value` may be by its own rounding, in units of the last place. The argument of exp counts as rounded, and
  // so does each term of a sum of three or more, or over an index.
  long double error = 0;
  long double largest = 0;           // of the absolute values of its parts
  long double smallest = HUGE_VALL;  // of those that are not 0
  bool finite = true;                // all of them
  bool zero = false;                 // one of them is 0,
  bool lost = false;                 // and without underflow it would not be
  long double spread = 1;            // of the products of some of the factors on the way, the one farthest from 1
};

// Evaluates over the values of leaves, element by element.
template <class Real>
class Formula {
 public:
  using Values = std::map<NodeId, std::vector<long double>>;
  Formula(const Graph& graph, const Values& values) : g(graph), values_(values) {}

  Computed run(ScalarId root, std::vector<std::int64_t> at = {}) {
    c_ = {};
    known_.clear();
    const Number n = value(root, at);
    c_.value = static_cast<long double>(n.rounded);
    c_.truth = n.truth;
    c_.error = n.error;
    return c_;
  }

 private:
  struct Number {
    Real rounded = 0;
    long double truth = 0, error = 0, spread = 1;
  };

  Number value(ScalarId id, const std::vector<std::int64_t>& at) {
    const Scalar& s = g[id];
    switch (s.kind) {
      case ScalarKind::literal: return leaf(static_cast<long double>(s.value));
      case ScalarKind::index: return leaf(static_cast<long double>(at[s.index]));
      case ScalarKind::size: return leaf(static_cast<long double>(s.extent.offset));
      case ScalarKind::read: return read(s, at);
      case ScalarKind::apply: break;
    }
    if (s.fn == Fn::select) return value(value(s.args[0], at).rounded != 0 ? s.args[1] : s.args[2], at);
    if (s.fn == Fn::cast) return value(s.args[0], at);
    // Literals that met are one literal.
    if (s.args.size() == 2 && g[s.args[0]].kind == ScalarKind::literal && g[s.args[1]].kind == ScalarKind::literal) {
      return leaf(static_cast<long double>(applied<double>(s.fn, g[s.args[0]].value, g[s.args[1]].value)));
    }
    const Number x = value(s.args[0], at), y = s.args.size() > 1 ? value(s.args[1], at) : Number{};
    const bool chain = summed_;
    return of(s.fn, x, y, is_float(s.dtype), chain);
  }
  // A sum of three terms or more may be in any order, under any sign.
  bool is_sum(ScalarId id) const {
    const Scalar& s = g[id];
    if (s.kind != ScalarKind::apply) return false;
    return s.fn == Fn::add || s.fn == Fn::sub || (s.fn == Fn::neg && is_sum(s.args[0]));
  }

  Number read(const Scalar& s, const std::vector<std::int64_t>& at) {
    const Node& n = g[s.tensor];
    std::vector<std::int64_t> place;
    std::size_t position = 0;
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      place.push_back(static_cast<std::int64_t>(value(s.args[k], at).rounded));
      position = position * static_cast<std::size_t>(n.type.shape[k].offset) + static_cast<std::size_t>(place.back());
    }
    if (n.kind != NodeKind::comprehension) return leaf(values_.at(s.tensor)[position]);
    const auto known = known_.find({s.tensor, position});
    if (known != known_.end()) return known->second;
    return known_[{s.tensor, position}] = n.reduction == Reduction::none ? value(n.body, place) : reduced(n, std::move(place));
  }

  Number reduced(const Node& n, std::vector<std::int64_t> place) {
    Number total;
    bool first = true;
    const bool outer = std::exchange(summed_, n.reduction == Reduction::sum);
    const auto visit = [&](auto&& self) -> void {
      if (place.size() < n.ranges.size()) {
        place.push_back(0);
        for (; place.back() < n.ranges[place.size() - 1].offset; ++place.back()) self(self);
        place.pop_back();
        return;
      }
      const Number x = value(n.body, place);
      total = first ? x : of(n.reduction == Reduction::sum ? Fn::add : Fn::max, total, x, true);
      first = false;
    };
    visit(visit);
    summed_ = outer;
    return total;
  }

  Number leaf(long double v) {
    return part({static_cast<Real>(v), v, static_cast<long double>(static_cast<Real>(v)) == v ? 0 : std::fabs(v), spread_of(v)});
  }

  Number of(Fn fn, const Number& x, const Number& y, bool is_number, bool chain = true) {
    Number n{applied<Real>(fn, x.rounded, y.rounded), applied<long double>(fn, x.truth, y.truth), 0, 1};
    if (!is_number) return n;
    switch (fn) {
      case Fn::mul:
      case Fn::div: n.spread = x.spread * y.spread; break;
      case Fn::add:
      case Fn::sub:
      case Fn::max: n.spread = 2 * std::max(x.spread, y.spread); break;
      case Fn::neg: n.spread = x.spread; break;
      default: n.spread = spread_of(n.truth);
    }
    const long double size = std::fabs(n.truth), a = std::fabs(x.truth), b = std::fabs(y.truth);
    switch (fn) {
      case Fn::neg:
      case Fn::abs:
      case Fn::detach: n.error = x.error; break;
      case Fn::max:
      case Fn::min: n.error = std::max(x.error, y.error); break;
      case Fn::mul: n.error = x.error * b + y.error * a + x.error * y.error * std::numeric_limits<Real>::epsilon() + size; break;
      case Fn::div: n.error = x.error / b + y.error * size / b + size; break;
      case Fn::exp: n.error = size * (1 + x.error + a); break;
      case Fn::log: n.error = x.error / a + size; break;
      case Fn::sqrt: n.error = x.error / a * size + size; break;
      case Fn::add:
      case Fn::sub: n.error = x.error + y.error + (chain ? a + b : size); break;
      default: n.error = x.error + y.error + size; break;  // slopes are at most 1
    }
    // What may be anything: a quotient by what is nearly all rounding, an exponential of it.
    const long double off = 64 * std::numeric_limits<Real>::epsilon();
    const bool divides = fn == Fn::log || fn == Fn::sqrt;
    if ((fn == Fn::exp && x.error * off > 1) || (fn == Fn::div && y.error * off > b) || (divides && x.error * off > a)) n.error = HUGE_VALL;
    const bool scales = fn == Fn::mul || fn == Fn::div || fn == Fn::exp || fn == Fn::pow;
    c_.lost = c_.lost || (scales && n.rounded == 0 && (fn == Fn::exp || x.rounded != 0) && (fn != Fn::mul || y.rounded != 0));
    return part(n);
  }

  static long double spread_of(long double v) { return v != 0 && std::isfinite(v) ? std::max(std::fabs(v), 1 / std::fabs(v)) : 1; }
  Number part(const Number& n) {
    c_.spread = std::max(c_.spread, n.spread);
    const long double size = std::fabs(static_cast<long double>(n.rounded));
    if (std::isfinite(size)) c_.largest = std::max(c_.largest, size);
    if (size != 0) c_.smallest = std::min(c_.smallest, size);
    c_.finite = c_.finite && std::isfinite(size);
    c_.zero = c_.zero || size == 0;
    return n;
  }

  const Graph& g;
  const Values& values_;
  Computed c_;
  bool summed_ = false;
  std::map<std::pair<NodeId, std::size_t>, Number> known_;
};

// Zeros, subnormal numbers, the ends of the range, where functions saturate, infinities, NaN, and numbers of all exponents,
// more or less densely.
template <class Real>
std::vector<long double> all_kinds_of(std::mt19937& random, int exponents) {
  using Limits = std::numeric_limits<Real>;
  std::vector<long double> values = {0,
                                     Limits::denorm_min(),
                                     Limits::denorm_min() * 5,
                                     Limits::min() / 3,
                                     Limits::min(),
                                     Limits::epsilon() / 2,
                                     Limits::epsilon(),
                                     0.3L,
                                     0.5,
                                     1 - Limits::epsilon() / 2,
                                     1,
                                     1 + Limits::epsilon(),
                                     2,
                                     3,
                                     7.5L,
                                     17,
                                     40,
                                     88,
                                     104,
                                     709,
                                     746,
                                     Limits::max() / 3,
                                     Limits::max(),
                                     Limits::infinity()};
  const int low = Limits::min_exponent - Limits::digits, high = Limits::max_exponent - 1;
  for (int k = 0; k < exponents; ++k) {
    const double place = (k + std::uniform_real_distribution<>(0, 1)(random)) / exponents;
    const int exponent = low + static_cast<int>(place * (high - low));
    values.push_back(std::ldexp(std::uniform_real_distribution<double>(1, 2)(random), exponent));
  }
  for (std::size_t k = values.size(); k-- > 0;) values.push_back(-values[k]);
  values.push_back(Limits::quiet_NaN());
  for (long double& v : values) v = static_cast<long double>(static_cast<Real>(v));
  return values;
}

}  // namespace test

// polynomial.cpp: monomials over atoms with integer exponents; a condition p is an atom [p] of
// value 0 or 1.
#include "dsl/polynomial.h"

#include <algorithm>
#include <boost/container/flat_map.hpp>
#include <boost/container/small_vector.hpp>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "dsl/rewrite_rules.h"
#include "dsl/seen_scalars.h"

namespace gradc {
namespace {

// An expansion grows too large: by its terms, by the factors of one of them, or, since what is
// shared is expanded wherever it stands, by the work.
constexpr std::size_t max_terms = 40;
constexpr int max_exponent = 64;
constexpr std::size_t max_work = 20'000;

// Atom → exponent; a condition → 1.
using Factors = boost::container::small_flat_map<ScalarId, int, 4>;

struct Monomial {
  double coefficient = 1;
  Factors factors;
};
// In order of first occurrence, distinct factors.
using Polynomial = boost::container::small_vector<Monomial, 2>;

void drop_zeros(Polynomial& p) {
  p.erase(std::remove_if(p.begin(), p.end(), [](const Monomial& m) { return m.coefficient == 0; }),
          p.end());
}

// The arguments of the logistic functions among what is added, multiplied and chosen.
std::vector<ScalarId> logistic_arguments(const Graph& g, ScalarId root) {
  std::vector<ScalarId> found;
  if (!g.facts(root).costly) return found;
  SeenScalars seen;
  const auto walk = [&](const auto& self, ScalarId id) -> void {
    const Scalar& s = g[id];
    if (s.kind != ScalarKind::apply || !g.facts(id).costly || !seen.insert(id)) return;
    if (s.fn == Fn::logistic) found.push_back(s.args[0]);
    if (!is_arithmetic(g, id) && s.fn != Fn::select) return;
    for (ScalarId a : s.args) self(self, a);
  };
  walk(walk, root);
  return found;
}

class Collector {
 public:
  // A sum that is a factor, or is added, is taken apart, or an atom. logistic(-x) = 1 -
  // logistic(x), if both are there.
  Collector(Graph& graph, DType dtype, bool regroups,
            const std::vector<ScalarId>& logistic_arguments)
      : g(graph), dtype_(dtype), regroups_(regroups), logistic_arguments_(logistic_arguments) {}

  std::optional<Polynomial> expand(ScalarId id) {
    if (++work_ > max_work) return std::nullopt;
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::literal) return constant(s.value);
    if (s.kind != ScalarKind::apply) return atom(id);
    switch (s.fn) {
      case Fn::neg:
        return scaled(expand(s.args[0]), -1);
      case Fn::add:
        return sum(term(s.args[0]), added(s.args[1]));
      case Fn::sub:
        return sum(term(s.args[0]), scaled(added(s.args[1]), -1));
      case Fn::mul:
        return product(factor(s.args[0]), factor(s.args[1]));
      case Fn::div:
        return product(factor(s.args[0]), inverse(s.args[1]));
      case Fn::select: {
        // A condition that reads may only be legal where the one around it holds.
        if (!is_zero(s.args[2]) || (guarded_ && g.facts(s.args[0]).reads)) return atom(id);
        Polynomial condition(1);
        condition[0].factors[s.args[0]] = 1;
        const bool outer = std::exchange(guarded_, true);
        std::optional<Polynomial> value = factor(s.args[1]);
        guarded_ = outer;
        return product(std::move(value), condition);
      }
      case Fn::logistic:
        return logistic(id, s.args[0]);
      default:
        return atom(id);
    }
  }

  bool kept_digits() const { return safe_ && work_ <= max_work; }
  bool distributed() const { return distributed_; }

  // Regrouping (1 - y) · f + y · g may cancel digits that the original keeps, also where f is a number: of
  // (1 - y) · 1e9 + y · g nothing of g would be left. It is only worth that if so much cancels altogether that what
  // is left is one product, or atoms that are added, times something: (1 - y) · f - y · (1 - f) is f - y.
  bool is_simple(Polynomial p) const {
    drop_zeros(p);
    if (!cancelled_ || p.size() <= 1) return cancelled_;
    const Factors common = common_factors(p);
    const double c = std::fabs(p[0].coefficient);
    return std::all_of(p.begin(), p.end(), [&](Monomial& m) {
      divide(m, common);
      return m.factors.size() <= 1 && std::fabs(m.coefficient) == c &&
             std::all_of(m.factors.begin(), m.factors.end(), [](const auto& f) { return f.second == 1; });
    });
  }

  ScalarId build(Polynomial p) {
    drop_zeros(p);
    if (p.empty()) return g.literal(0, dtype_);
    if (p.size() == 1) return build(p[0]);
    if (Factors common = common_factors(p); !common.empty()) {
      for (Monomial& m : p) divide(m, common);
      return with_factors(common, p);
    }
    if (const auto shared = most_shared(p)) {
      Polynomial with, rest;
      for (Monomial& m : p) {
        auto it = m.factors.find(shared->first);
        const bool has = it != m.factors.end() && (it->second > 0) == (shared->second > 0);
        (has ? with : rest).push_back(std::move(m));
      }
      return add(build(std::move(with)), build(std::move(rest)));
    }
    if (const double c = common_coefficient(p); c != 1) {
      for (Monomial& m : p) m.coefficient /= c;
      return g.apply(Fn::mul, {g.literal(c, dtype_), build(std::move(p))});
    }
    // A sum does not begin with what is subtracted.
    const auto added = std::find_if(p.begin(), p.end(),
                                    [](const Monomial& m) { return m.coefficient > 0; });
    if (added != p.end()) std::rotate(p.begin(), added, added + 1);
    ScalarId total = build(p[0]);
    for (std::size_t k = 1; k < p.size(); ++k) {
      const bool minus = p[k].coefficient < 0;
      if (minus) p[k].coefficient = -p[k].coefficient;
      total = g.apply(minus ? Fn::sub : Fn::add, {total, build(p[k])});
    }
    return total;
  }

 private:
  bool is_zero(ScalarId id) const { return g[id].kind == ScalarKind::literal && g[id].value == 0; }
  bool is_condition(ScalarId id) const { return g[id].dtype == DType::boolean; }

  Polynomial constant(double value) const {
    Polynomial p(1);
    p[0].coefficient = value;
    return p;
  }
  Polynomial atom(ScalarId id, int exponent = 1) const {
    Polynomial p(1);
    p[0].factors[id] = exponent;
    return p;
  }

  std::optional<Polynomial> logistic(ScalarId id, ScalarId x) {
    const Scalar& s = g[x];
    ScalarId opposite;
    if (s.kind == ScalarKind::apply && s.fn == Fn::neg) opposite = s.args[0];
    // a - b and b - a: the one made first is kept.
    if (s.kind == ScalarKind::apply && s.fn == Fn::sub) {
      opposite = g.apply(Fn::sub, {s.args[1], s.args[0]});
      if (x < opposite) opposite = ScalarId{};
    }
    if (!opposite.valid() || std::find(logistic_arguments_.begin(), logistic_arguments_.end(),
                                       opposite) == logistic_arguments_.end())
      return atom(id);
    return sum(constant(1), scaled(atom(g.apply(Fn::logistic, {opposite})), -1));
  }

  std::optional<Polynomial> factor(ScalarId id) {
    std::optional<Polynomial> p = expand(id);
    return regroups_ || !p || p->size() <= 1 ? p : atom(id);
  }
  // What is added to something: x + (y - z) is not (x + y) - z where y and z are nearly the same.
  std::optional<Polynomial> added(ScalarId id) {
    std::optional<Polynomial> p = term(id);
    if (!p || p->size() <= 1 || !is_exact(*p)) return p;
    distributed_ = distributed_ || regroups_;
    return regroups_ ? p : atom(id);
  }

  // An operand of a sum. If it is itself a sum times something, its terms may be regrouped.
  std::optional<Polynomial> term(ScalarId id) {
    const bool before = std::exchange(opened_, false);
    std::optional<Polynomial> p = expand(id);
    distributed_ |= opened_ && p && p->size() > 1;
    opened_ |= before;
    return p;
  }

  // Sums that may give a small number without a rounding: of two terms or more that are none of them rounded products.
  // A large number is meant to be multiplied by 0 or 1.
  bool is_exact(const Polynomial& p) const {
    constexpr double large = 1000;
    int exact = 0;
    for (const Monomial& m : p) {
      int exponent = 0;
      const bool one = std::count_if(m.factors.begin(), m.factors.end(), [&](const auto& f) { return !is_condition(f.first); }) <= 1;
      const bool plain = one && std::all_of(m.factors.begin(), m.factors.end(), [](const auto& f) { return f.second == 1; });
      const bool is_power = std::fabs(std::frexp(m.coefficient, &exponent)) == 0.5;
      const bool number = m.factors.empty();
      exact += plain && (number || is_power || std::fabs(m.coefficient) > large);
    }
    return exact > 1;
  }

  static std::optional<Polynomial> scaled(std::optional<Polynomial> p, double factor) {
    if (p) {
      for (Monomial& m : *p) m.coefficient *= factor;
    }
    return p;
  }

  void combine(Fn fn, double a, double b) { safe_ = safe_ && combines_safely(fn, a, b, dtype_); }

  void accumulate(Polynomial& p, const Monomial& m) {
    for (Monomial& existing : p) {
      if (existing.factors != m.factors) continue;
      combine(Fn::add, existing.coefficient, m.coefficient);
      existing.coefficient += m.coefficient;
      cancelled_ |= existing.coefficient == 0;
      return;
    }
    p.push_back(m);
  }

  std::optional<Polynomial> sum(std::optional<Polynomial> x, std::optional<Polynomial> y) {
    if (!x || !y || x->size() + y->size() > max_terms) return std::nullopt;
    for (const Monomial& m : *y) accumulate(*x, m);
    return x;
  }

  // The number that multiplies a sum can't be taken out of it again.
  bool loses_factor(const Polynomial& sum, const Polynomial& by) const {
    return sum.size() > 1 && is_exact(sum) && by.size() == 1 && std::fabs(by[0].coefficient) != 1 && std::fabs(common_coefficient(sum)) == 1 &&
           std::any_of(sum.begin(), sum.end(), [](const Monomial& m) { return std::fabs(m.coefficient) != 1; });
  }

  std::optional<Polynomial> product(std::optional<Polynomial> x, std::optional<Polynomial> y) {
    if (!x || !y || x->size() * y->size() > max_terms) return std::nullopt;
    const bool exact = (x->size() > 1 && is_exact(*x)) || (y->size() > 1 && is_exact(*y));
    opened_ |= exact;
    distributed_ |= (x->size() > 1 && y->size() > 1) || loses_factor(*x, *y) || loses_factor(*y, *x);
    work_ += x->size() * y->size();
    Polynomial result;
    for (const Monomial& a : *x) {
      for (const Monomial& b : *y) {
        Monomial m = a;
        combine(Fn::mul, m.coefficient, b.coefficient);
        m.coefficient *= b.coefficient;
        for (auto [factor, exponent] : b.factors) {
          int& e = m.factors[factor];
          e = is_condition(factor) ? 1 : e + exponent;
          if (std::abs(e) > max_exponent) return std::nullopt;
          distributed_ |= e == 0 && exact;
          if (e == 0) m.factors.erase(factor);
        }
        accumulate(result, m);
      }
    }
    return result;
  }

  // Products divide factor by factor; a sum, or what holds under a condition, is one atom.
  std::optional<Polynomial> inverse(ScalarId id) {
    std::optional<Polynomial> p = expand(id);
    const bool invertible = p && p->size() == 1 && (*p)[0].coefficient != 0 &&
                            std::none_of((*p)[0].factors.begin(), (*p)[0].factors.end(),
                                         [&](const auto& f) { return is_condition(f.first); });
    if (!invertible) return atom(id, -1);
    combine(Fn::div, 1, (*p)[0].coefficient);
    (*p)[0].coefficient = 1 / (*p)[0].coefficient;
    for (auto& [factor, exponent] : (*p)[0].factors) exponent = -exponent;
    return p;
  }

  // Harmless to evaluate where no condition was tested: sizes and values of the whole tensor.
  bool is_safe(ScalarId id) const {
    const Scalar& s = g[id];
    switch (s.kind) {
      case ScalarKind::literal:
      case ScalarKind::index:
      case ScalarKind::size:
        return true;
      case ScalarKind::read:
        return s.args.empty();
      case ScalarKind::apply:
        return s.fn == Fn::cast && is_safe(s.args[0]);
    }
    return false;
  }

  bool has_condition(const Monomial& m) const {
    return std::any_of(m.factors.begin(), m.factors.end(),
                       [&](const auto& f) { return is_condition(f.first); });
  }

  // Factors of every monomial, as long as taking them out evaluates nothing that was guarded.
  Factors common_factors(const Polynomial& p) const {
    Factors common = p[0].factors;
    for (const Monomial& m : p) {
      for (auto it = common.begin(); it != common.end();) {
        auto other = m.factors.find(it->first);
        if (other == m.factors.end() || (other->second > 0) != (it->second > 0)) {
          it = common.erase(it);
          continue;
        }
        const int e = other->second;
        it->second = e > 0 ? std::min(e, it->second) : std::max(e, it->second);
        ++it;
      }
    }
    const bool condition = std::any_of(common.begin(), common.end(),
                                       [&](const auto& f) { return is_condition(f.first); });
    const bool all_guarded =
        std::all_of(p.begin(), p.end(), [&](const Monomial& m) { return has_condition(m); });
    if (all_guarded && !condition) {
      for (auto it = common.begin(); it != common.end();)
        it = is_safe(it->first) ? std::next(it) : common.erase(it);
    }
    return common;
  }

  static void divide(Monomial& m, const Factors& by) {
    for (auto [factor, exponent] : by) {
      int& e = m.factors[factor];
      e -= exponent;
      if (e == 0) m.factors.erase(factor);
    }
  }

  // The factor of most monomials, if of two or more; with the sign of its exponent.
  std::optional<std::pair<ScalarId, int>> most_shared(const Polynomial& p) const {
    std::map<std::pair<ScalarId, int>, std::size_t> counts;
    for (const Monomial& m : p) {
      for (auto [factor, e] : m.factors) {
        if (is_condition(factor) || is_safe(factor) || !has_condition(m)) {
          ++counts[{factor, e > 0 ? 1 : -1}];
        }
      }
    }
    std::optional<std::pair<ScalarId, int>> best;
    std::size_t most = 1;
    for (const auto& [factor, count] : counts) {
      if (count > most) {
        best = factor;
        most = count;
      }
    }
    return best;
  }

  static double common_coefficient(const Polynomial& p) {
    const double c = std::fabs(p[0].coefficient);
    const bool same = std::all_of(p.begin(), p.end(),
                                  [&](const Monomial& m) { return std::fabs(m.coefficient) == c; });
    if (!same) return 1;
    const bool negative =
        std::all_of(p.begin(), p.end(), [](const Monomial& m) { return m.coefficient < 0; });
    return negative ? -c : c;
  }

  ScalarId add(ScalarId x, ScalarId y) {
    if (is_zero(x)) return y;
    return is_zero(y) ? x : g.apply(Fn::add, {x, y});
  }

  // The product of `factors` and `rest`, under the conditions among the factors.
  ScalarId with_factors(const Factors& factors, Polynomial rest) {
    double c = common_coefficient(rest);
    for (Monomial& m : rest) m.coefficient /= c;
    return assemble(c, factors, build(std::move(rest)));
  }

  ScalarId build(const Monomial& m) { return assemble(m.coefficient, m.factors, ScalarId{}); }

  // coefficient · Π factors · rest.
  ScalarId assemble(double coefficient, const Factors& factors, ScalarId rest) {
    ScalarId numerator = rest, condition;
    std::vector<ScalarId> divisors;
    for (auto [factor, exponent] : factors) {
      if (is_condition(factor)) {
        condition = condition.valid() ? g.apply(Fn::logical_and, {condition, factor}) : factor;
        continue;
      }
      for (int k = 0; k < std::abs(exponent); ++k) {
        if (exponent < 0) {
          divisors.push_back(factor);
        } else {
          numerator = numerator.valid() ? g.apply(Fn::mul, {numerator, factor}) : factor;
        }
      }
    }
    if (!numerator.valid()) {
      numerator = g.literal(coefficient, dtype_);
      coefficient = 1;
    }
    if (coefficient == -1) {
      numerator = g.apply(Fn::neg, {numerator});
    } else if (coefficient != 1) {
      numerator = g.apply(Fn::mul, {g.literal(coefficient, dtype_), numerator});
    }
    for (ScalarId divisor : divisors) numerator = g.apply(Fn::div, {numerator, divisor});
    if (!condition.valid()) return numerator;
    return g.apply(Fn::select, {condition, numerator, g.literal(0, dtype_)});
  }

  Graph& g;
  const DType dtype_;
  const bool regroups_;
  bool guarded_ = false;  // within a select
  bool distributed_ = false, cancelled_ = false;
  bool opened_ = false;  // a sum of exact terms was multiplied out
  bool safe_ = true;  // no literals were combined that had better stay apart
  const std::vector<ScalarId>& logistic_arguments_;
  std::size_t work_ = 0;  // scalars expanded and monomials multiplied
};

}  // namespace

bool is_arithmetic(const Graph& g, ScalarId id) {
  const Scalar& s = g[id];
  if (s.kind != ScalarKind::apply || !is_float(s.dtype)) return false;
  return s.fn == Fn::neg || s.fn == Fn::add || s.fn == Fn::sub || s.fn == Fn::mul ||
         s.fn == Fn::div;
}

// Taken apart altogether if that loses nothing, else as far as sums stay together.
ScalarId collected(Graph& g, ScalarId id) {
  const auto expanded = [&](Collector& collector) {
    std::optional<Polynomial> p = collector.expand(id);
    return collector.kept_digits() ? p : std::nullopt;
  };
  const std::vector<ScalarId> logistics = logistic_arguments(g, id);
  Collector whole(g, g[id].dtype, true, logistics);
  std::optional<Polynomial> p = expanded(whole);
  if (p && (!whole.distributed() || whole.is_simple(*p))) return whole.build(std::move(*p));
  Collector factored(g, g[id].dtype, false, logistics);
  std::optional<Polynomial> q = expanded(factored);
  return q ? factored.build(std::move(*q)) : id;
}

}  // namespace gradc

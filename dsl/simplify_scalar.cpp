// simplify_scalar.cpp: folding, proofs about indices, the rule table, and collected polynomials.
#include "dsl/simplify_scalar.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dsl/bounds.h"
#include "dsl/check.h"
#include "dsl/polynomial.h"
#include "dsl/seen_scalars.h"

namespace gradc {

namespace {

bool is_literal(const Scalar& s) {
  return s.kind == ScalarKind::literal;
}

// Of a scalar alone, once its arguments are there.
int own_cost(const Scalar& s) {
  if (s.kind != ScalarKind::apply || s.dtype == DType::i32 || s.fn == Fn::cast) return 0;
  return info(s.fn).costly ? 8 : s.fn == Fn::div || s.fn == Fn::sqrt ? 3 : 1;
}

class Simplifier {
 public:
  Simplifier(Graph& graph, const ScalarContext& context) : g(graph), context_(context) {}

  ScalarId run(ScalarId root) {
    if (is_settled(root)) return root;
    ScalarId id = local(root);
    for (int round = 0; round < 4; ++round) {
      const ScalarId next = collect(id);
      if (next == id) {
        if (context_.settled)
          (*context_.settled)[id] = Settled{context_.ranges, context_.remove_detach};
        break;
      }
      id = next;
    }
    return id;
  }

 private:
  bool is_settled(ScalarId root) const {
    if (!context_.settled) return false;
    const auto it = context_.settled->find(root);
    return it != context_.settled->end() && it->second.ranges == context_.ranges &&
           it->second.remove_detach == context_.remove_detach;
  }

  // Rules at every scalar, arguments first, until none applies.
  ScalarId local(ScalarId id) {
    if (g[id].args.empty() && g[id].kind != ScalarKind::size) return id;
    if (auto it = done_.find(id); it != done_.end()) return it->second;
    ScalarId result = g[id].kind == ScalarKind::size
                          ? g.size(g[id].extent)
                          : with_arguments(g, id, [&](ScalarId a) { return local(a); });
    if (const ScalarId next = step(result); next != result) {
      GRADC_CHECK(++steps_ < 100'000, "simplification does not end");
      result = local(next);
    }
    done_[id] = result;
    done_[result] = result;
    return result;
  }

  ScalarId step(ScalarId id) {
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::read) return read(id);
    if (s.kind != ScalarKind::apply) return id;
    if (const ScalarId folded = fold(id); folded != id) return folded;
    if (s.dtype == DType::i32) return integer(id);
    if (const ScalarId ordered = order(id); ordered != id) return ordered;
    return apply_rules(g, id, context_.peek).value_or(id);
  }

  // Literals stand left in products and right in sums, where they are not negative.
  ScalarId order(ScalarId id) {
    const Scalar& s = g[id];
    if (!is_float(s.dtype) || s.args.size() != 2) return id;
    const ScalarId a = s.args[0], b = s.args[1];
    if (s.fn == Fn::mul && is_literal(g[b]) && !is_literal(g[a])) return g.apply(s.fn, {b, a});
    if (s.fn == Fn::add && is_literal(g[a]) && !is_literal(g[b])) return g.apply(s.fn, {b, a});
    if ((s.fn == Fn::add || s.fn == Fn::sub) && is_literal(g[b]) && g[b].value < 0) {
      return g.apply(s.fn == Fn::add ? Fn::sub : Fn::add, {a, g.literal(-g[b].value, s.dtype)});
    }
    return id;
  }

  // Constants, casts, choices already made.
  ScalarId fold(ScalarId id) {
    const Scalar& s = g[id];
    auto arg = [&](std::size_t k) -> const Scalar& { return g[s.args[k]]; };
    switch (s.fn) {
      case Fn::detach:
        return context_.remove_detach ? s.args[0] : id;
      case Fn::cast:
        return cast(id, s);
      case Fn::select:
        if (is_literal(arg(0))) return s.args[arg(0).value != 0 ? 1 : 2];
        return nested(id, s);
      case Fn::logical_and:
      case Fn::logical_or: {
        const bool absorbing = s.fn == Fn::logical_or;
        for (std::size_t k : {0u, 1u}) {
          if (!is_literal(arg(k))) continue;
          return (arg(k).value != 0) == absorbing ? s.args[k] : s.args[1 - k];
        }
        return id;
      }
      default:
        break;
    }
    if (std::all_of(s.args.begin(), s.args.end(), [&](ScalarId a) { return is_literal(g[a]); })) {
      return constant(id, s);
    }
    if (s.dtype == DType::boolean && g[s.args[0]].dtype == DType::i32) return compare(id, s);
    return id;
  }

  // select(p, select(q, x, 0), 0) = select(p and q, x, 0), if q may be evaluated where p is false.
  ScalarId nested(ScalarId id, const Scalar& s) {
    const Scalar& inner = g[s.args[1]];
    const bool both = inner.kind == ScalarKind::apply && inner.fn == Fn::select &&
                      inner.args[2] == s.args[2] && is_literal(g[s.args[2]]);
    if (!both || !reads_inside(inner.args[0])) return id;
    const ScalarId condition = g.apply(Fn::logical_and, {s.args[0], inner.args[0]});
    return g.apply(Fn::select, {condition, inner.args[1], s.args[2]});
  }

  bool reads_inside(ScalarId id) const {
    bool inside = true;
    for_each_scalar(g, id, [&](ScalarId part) {
      const Scalar& s = g[part];
      if (s.kind != ScalarKind::read || s.zero_outside) return;
      for (std::size_t k = 0; k < s.args.size(); ++k)
        inside = inside && always_inside(g, s.args[k], context_.ranges, g[s.tensor].type.shape[k]);
    });
    return inside;
  }

  ScalarId constant(ScalarId id, const Scalar& s) {
    const double y = s.args.size() > 1 ? g[s.args[1]].value : 0;
    if (s.fn == Fn::floor_div || s.fn == Fn::mod) {
      if (y == 0) return id;
    }
    const double value = evaluate(s.fn, g[s.args[0]].value, y);
    // What overflows, or is no number, is left to whoever runs it.
    if ((std::isnan(value) && !std::isnan(g[s.args[0]].value) && !std::isnan(y)) || (s.dtype == DType::i32 && std::fabs(value) > 2147483647.0)) return id;
    return g.literal(value, s.dtype);
  }

  ScalarId cast(ScalarId id, const Scalar& s) {
    const Scalar& inner = g[s.args[0]];
    if (is_literal(inner)) {
      const double v = inner.value;
      if (s.dtype == DType::boolean) return g.literal(v != 0, s.dtype);
      if (s.dtype != DType::i32) return g.literal(v, s.dtype);
      if (!(std::fabs(v) <= 2147483647.0)) return id;
      return g.literal(std::trunc(v), s.dtype);
    }
    // f32 → f64 → f32 and bool → number → bool lose nothing.
    if (inner.kind == ScalarKind::apply && inner.fn == Fn::cast) {
      const DType first = g[inner.args[0]].dtype;
      if (first == s.dtype && (first == DType::boolean || inner.dtype == DType::f64)) {
        return inner.args[0];
      }
    }
    return id;
  }

  // a ? b of integers, decided by the ranges of the indices where possible.
  ScalarId compare(ScalarId id, const Scalar& s) {
    Affine a, b;
    if (!as_affine(g, s.args[0], a) || !as_affine(g, s.args[1], b)) {
      if (s.args[0] != s.args[1]) return id;
    }
    const Affine difference = plus(a, b, -1), opposite = plus(b, a, -1);
    auto at_least = [&](Affine x, std::int64_t bound) {
      x.constant -= bound;
      return never_negative(g, x, context_.ranges);
    };
    const bool ge = at_least(difference, 0), le = at_least(opposite, 0);
    const bool gt = at_least(difference, 1), lt = at_least(opposite, 1);
    auto decided = [&](bool yes, bool no) {
      return yes || no ? g.literal(yes, DType::boolean) : id;
    };
    switch (s.fn) {
      case Fn::eq:
        return decided(ge && le, gt || lt);
      case Fn::ne:
        return decided(gt || lt, ge && le);
      case Fn::ge:
        return decided(ge, lt);
      case Fn::gt:
        return decided(gt, le);
      case Fn::le:
        return decided(le, gt);
      case Fn::lt:
        return decided(lt, ge);
      default:
        return id;
    }
  }

  // Affine forms have one spelling. (c·q + r) / c is q and the remainder r, if 0 <= r < c.
  ScalarId integer(ScalarId id) {
    Affine form;
    if (as_affine(g, id, form)) return from_affine(g, form);
    const Scalar& s = g[id];
    if (s.fn != Fn::floor_div && s.fn != Fn::mod) {
      return apply_rules(g, id, context_.peek).value_or(id);
    }
    const Scalar& divisor = g[s.args[1]];
    if (!is_literal(divisor) || divisor.value < 1 || !as_affine(g, s.args[0], form)) return id;
    const auto c = static_cast<std::int64_t>(divisor.value);
    Affine quotient, remainder;
    auto split = [&](std::int64_t value, std::int64_t& q, std::int64_t& r) {
      q = value / c - (value % c < 0 ? 1 : 0);
      r = value - q * c;
    };
    split(form.constant, quotient.constant, remainder.constant);
    quotient.coefficients.resize(form.coefficients.size());
    remainder.coefficients.resize(form.coefficients.size());
    for (std::size_t k = 0; k < form.coefficients.size(); ++k) {
      split(form.coefficients[k], quotient.coefficients[k], remainder.coefficients[k]);
    }
    for (auto [dim, value] : form.sizes) {
      std::int64_t q = 0, r = 0;
      split(value, q, r);
      if (q != 0) quotient.sizes.emplace_back(dim, q);
      if (r != 0) remainder.sizes.emplace_back(dim, r);
    }
    if (!always_inside(g, remainder, context_.ranges, Extent(c))) return id;
    return from_affine(g, s.fn == Fn::mod ? remainder : quotient);
  }

  // A read that never lies outside needs no padding.
  ScalarId read(ScalarId id) {
    Scalar s = g[id];
    if (!s.zero_outside) return id;
    const Shape& shape = g[s.tensor].type.shape;
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      if (!always_inside(g, s.args[k], context_.ranges, shape[k])) return id;
    }
    s.zero_outside = false;
    return g.add(std::move(s));
  }

  // Of two forms of one cost, that with fewer numbers.
  int effort(ScalarId id) const {
    int literals = 0, total = 0;
    for_each_scalar(g, id, [&](ScalarId part) {
      const Scalar& s = g[part];
      literals += is_literal(s) && std::fabs(s.value) != 1 && s.value != 0;
      total += own_cost(s);
    });
    return 16 * total + std::min(literals, 15);
  }

  // Of different values that are no arithmetic themselves, or a number times such a value: no form
  // of it is less work.
  bool is_single_operation(ScalarId id) const {
    const Arguments& args = g[id].args;
    const auto is_value = [&](ScalarId a) {
      const Scalar& s = g[a];
      return s.kind == ScalarKind::read || (s.kind == ScalarKind::apply && !is_arithmetic(g, a) &&
                                            s.fn != Fn::select && s.fn != Fn::logistic);
    };
    const bool scaled = g[id].fn == Fn::mul && is_literal(g[args[0]]);
    return is_value(args.back()) &&
           (args.size() < 2 || scaled || (is_value(args[0]) && args[0] != args[1]));
  }

  // The largest arithmetic expressions in polynomial form, where that is less work.
  ScalarId collect(ScalarId id) {
    IdMap<ScalarId, ScalarId> done;
    auto visit = [&](auto&& self, ScalarId at) -> ScalarId {
      if (g[at].args.empty() || g[at].kind == ScalarKind::read) return at;
      if (auto it = done.find(at); it != done.end()) return it->second;
      ScalarId result = at;
      if (is_arithmetic(g, at) && !is_single_operation(at)) {
        const ScalarId candidate = local(collected(g, at));
        if (candidate != at && effort(candidate) < effort(at)) result = candidate;
      }
      if (result == at) {
        result = with_arguments(g, at, [&](ScalarId a) { return self(self, a); });
        if (result != at) result = local(result);
      }
      done[at] = result;
      return result;
    };
    return visit(visit, id);
  }

  Graph& g;
  const ScalarContext& context_;
  IdMap<ScalarId, ScalarId> done_;
  std::size_t steps_ = 0;
};

}  // namespace

ScalarId simplify_scalar(Graph& g, ScalarId id, const ScalarContext& context) {
  return Simplifier(g, context).run(id);
}

int cost(const Graph& g, ScalarId id) {
  int total = 0;
  for_each_scalar(g, id, [&](ScalarId part) { total += own_cost(g[part]); });
  return total;
}

bool is_cheap(const Graph& g, ScalarId id) {
  return !g.facts(id).costly;
}

}  // namespace gradc

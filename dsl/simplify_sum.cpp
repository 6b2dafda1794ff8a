// simplify_sum.cpp: sums are taken apart term by term and factor by factor.
#include "dsl/simplify_sum.h"

#include <algorithm>
#include <optional>

#include "dsl/bounds.h"
#include "dsl/seen_scalars.h"
#include "dsl/simplify_scalar.h"

namespace gradc {

Trusted trusted_subscripts(const Graph& g, const std::vector<NodeId>& nodes) {
  Trusted trusted;
  for (NodeId id : nodes) {
    if (!g[id].body.valid()) continue;
    SeenScalars seen;
    std::vector<ScalarId> stack{g[id].body};
    while (!stack.empty()) {
      const Scalar& s = g[stack.back()];
      stack.pop_back();
      if (s.kind == ScalarKind::read && !s.zero_outside) {
        for (std::size_t k = 0; k < s.args.size(); ++k) {
          const Scalar& subscript = g[s.args[k]];
          if (subscript.kind != ScalarKind::read) continue;
          trusted.emplace(subscript.tensor, g[s.tensor].type.shape[k]);
        }
      }
      // Behind a condition only the condition is certain to be evaluated.
      const std::size_t certain = s.fn == Fn::select ? 1 : s.args.size();
      for (std::size_t k = 0; k < std::min(certain, s.args.size()); ++k) {
        if (g.facts(s.args[k]).reads && seen.insert(s.args[k])) stack.push_back(s.args[k]);
      }
    }
  }
  return trusted;
}

namespace {

// A sum over indices rank … ranges.size()-1 of body.
struct Sum {
  Shape ranges;
  ScalarId body;
};

struct Factor {
  ScalarId value;
  bool divides = false;
};

struct Term {
  ScalarId value;
  bool minus = false;
};

class Summer {
 public:
  Summer(Graph& graph, std::size_t rank, const Trusted& trusted)
      : g(graph), rank_(static_cast<std::uint32_t>(rank)), trusted_(trusted) {}

  // The value of the sum as an expression over the free indices, reading new sums where needed.
  ScalarId value(Sum s) {
    const DType dtype = g[s.body].dtype;
    ScalarId factor;
    for (std::uint32_t k = last(s); k-- > rank_;) {
      if (s.ranges[k] == Extent(1)) {
        substitute_index(s, k, g.literal(0, DType::i32));
      } else if (!uses_index(g, s.body, k, k + 1)) {
        const ScalarId size = g.cast(g.size(s.ranges[k]), dtype);
        factor = factor.valid() ? g.apply(Fn::mul, {factor, size}) : size;
        drop_index(s, k);
      }
    }
    if (factor.valid()) return g.apply(Fn::mul, {factor, value(std::move(s))});
    if (last(s) == rank_) return s.body;
    if (const auto out = hoisted(s)) return *out;
    if (const auto out = split(s)) return *out;
    if (const auto out = contracted(s)) return *out;
    return read_of(s);
  }

 private:
  static std::uint32_t last(const Sum& s) { return static_cast<std::uint32_t>(s.ranges.size()); }
  bool is_free(const Sum& s, ScalarId id) const { return !uses_index(g, id, rank_, last(s)); }

  ScalarId read_of(const Sum& s) {
    const NodeId node = g.comprehension(rank_, s.ranges, Reduction::sum, s.body);
    std::vector<ScalarId> own;
    for (std::uint32_t k = 0; k < rank_; ++k) own.push_back(g.index(k));
    return g.read(node, std::move(own));
  }

  void drop_index(Sum& s, std::uint32_t k) {
    std::vector<ScalarId> numbers(s.ranges.size());
    for (std::uint32_t j = k + 1; j < last(s); ++j) numbers[j] = g.index(j - 1);
    s.body = substitute(g, s.body, numbers);
    s.ranges.erase(s.ranges.begin() + k);
  }
  void substitute_index(Sum& s, std::uint32_t k, ScalarId by) {
    std::vector<ScalarId> values(s.ranges.size());
    values[k] = by;
    s.body = substitute(g, s.body, values);
    drop_index(s, k);
  }

  bool factors(ScalarId id, bool divides, std::vector<Factor>& out) const {
    const Scalar& s = g[id];
    const bool applies = s.kind == ScalarKind::apply;
    if (applies && s.fn == Fn::neg) return !factors(s.args[0], divides, out);
    if (applies && (s.fn == Fn::mul || s.fn == Fn::div)) {
      const bool minus = factors(s.args[0], divides, out);
      return factors(s.args[1], divides != (s.fn == Fn::div), out) != minus;
    }
    const bool is_one = s.kind == ScalarKind::literal && s.value == 1;
    if (!is_one) out.push_back({id, divides});
    return false;
  }

  ScalarId product(const std::vector<Factor>& factors, DType dtype) {
    ScalarId result;
    for (const Factor& f : factors) {
      if (!f.divides) result = result.valid() ? g.apply(Fn::mul, {result, f.value}) : f.value;
    }
    if (!result.valid()) result = g.literal(1, dtype);
    for (const Factor& f : factors) {
      if (f.divides) result = g.apply(Fn::div, {result, f.value});
    }
    return result;
  }

  // sum f(I) · g(I, R) = f(I) · sum g(I, R)
  std::optional<ScalarId> hoisted(const Sum& s) {
    std::vector<Factor> all, outside, inside;
    const bool minus = factors(s.body, false, all);
    for (const Factor& f : all) (is_free(s, f.value) ? outside : inside).push_back(f);
    if (!minus && outside.empty()) return std::nullopt;
    const DType dtype = g[s.body].dtype;
    ScalarId result = value({s.ranges, product(inside, dtype)});
    outside.insert(outside.begin(), {result, false});
    result = product(outside, dtype);
    return minus ? g.apply(Fn::neg, {result}) : result;
  }

  void terms(ScalarId id, bool minus, std::vector<Term>& out) const {
    const Scalar& s = g[id];
    if (s.kind == ScalarKind::apply && (s.fn == Fn::add || s.fn == Fn::sub)) {
      terms(s.args[0], minus, out);
      terms(s.args[1], minus != (s.fn == Fn::sub), out);
    } else if (s.kind == ScalarKind::apply && s.fn == Fn::neg) {
      terms(s.args[0], !minus, out);
    } else {
      out.push_back({id, minus});
    }
  }

  ScalarId total(const std::vector<Term>& terms) {
    ScalarId result;
    for (const Term& t : terms) {
      if (!result.valid()) {
        result = t.minus ? g.apply(Fn::neg, {t.value}) : t.value;
      } else {
        result = g.apply(t.minus ? Fn::sub : Fn::add, {result, t.value});
      }
    }
    return result;
  }

  // sum (f + g) = sum f + sum g, where f has a sum in closed form.
  std::optional<ScalarId> split(const Sum& s) {
    std::vector<Term> all, closed, rest;
    terms(s.body, false, all);
    if (all.size() < 2) return std::nullopt;
    for (const Term& t : all) {
      const bool easy = is_free(s, t.value) || delta(s, t.value).has_value();
      (easy ? closed : rest).push_back(t);
    }
    if (closed.empty()) return std::nullopt;
    for (Term& t : closed) t.value = value({s.ranges, t.value});
    if (!rest.empty()) closed.push_back({value({s.ranges, total(rest)}), false});
    return total(closed);
  }

  struct Delta {
    std::uint32_t index = 0;
    ScalarId position;                // where the index must be
    std::vector<ScalarId> otherwise;  // the other conditions
    ScalarId value;
  };

  // select(i == e and …, f, 0) with a summed i that e does not name.
  std::optional<Delta> delta(const Sum& s, ScalarId id) {
    const Scalar& body = g[id];
    if (body.kind != ScalarKind::apply || body.fn != Fn::select) return std::nullopt;
    const Scalar& zero = g[body.args[2]];
    if (zero.kind != ScalarKind::literal || zero.value != 0) return std::nullopt;
    std::vector<ScalarId> conditions;
    auto collect = [&](auto&& self, ScalarId c) -> void {
      const Scalar& condition = g[c];
      if (condition.kind == ScalarKind::apply && condition.fn == Fn::logical_and) {
        for (ScalarId a : condition.args) self(self, a);
      } else {
        conditions.push_back(c);
      }
    };
    collect(collect, body.args[0]);
    for (std::size_t k = 0; k < conditions.size(); ++k) {
      const Scalar& condition = g[conditions[k]];
      if (condition.kind != ScalarKind::apply || condition.fn != Fn::eq) continue;
      if (g[condition.args[0]].dtype != DType::i32) continue;
      for (std::size_t side : {0u, 1u}) {
        for (std::uint32_t i = rank_; i < last(s); ++i) {
          const ScalarId position = solve(condition.args[side], condition.args[1 - side], i);
          if (!position.valid()) continue;
          Delta d{i, position, conditions, body.args[1]};
          d.otherwise.erase(d.otherwise.begin() + static_cast<std::ptrdiff_t>(k));
          return d;
        }
      }
    }
    return std::nullopt;
  }

  // The e for which left == right means i = e; invalid if there is none.
  ScalarId solve(ScalarId left, ScalarId right, std::uint32_t i) {
    Affine form, other;
    if (!as_affine(g, left, form) || i >= form.coefficients.size()) return {};
    const std::int64_t c = form.coefficients[i];
    if ((c != 1 && c != -1) || uses_index(g, right, i, i + 1)) return {};
    form.coefficients[i] = 0;
    if (as_affine(g, right, other)) return from_affine(g, plus(plus(Affine{}, other, c), form, -c));
    const ScalarId rest = from_affine(g, form);
    const bool no_rest = g[rest].kind == ScalarKind::literal && g[rest].value == 0;
    const ScalarId difference = no_rest ? right : g.apply(Fn::sub, {right, rest});
    return c == 1 ? difference : g.apply(Fn::neg, {difference});
  }

  // sum_i select(i == e, f(i), 0) = f(e), if e is inside the range of i.
  std::optional<ScalarId> contracted(Sum s) {
    const std::optional<Delta> d = delta(s, s.body);
    if (!d) return std::nullopt;
    const Extent extent = s.ranges[d->index];
    s.body = under(d->otherwise, d->value);
    if (!is_inside(s, d->position, extent)) {
      // Outermost: the other conditions may read at the position.
      s.body = under({g.apply(Fn::ge, {d->position, g.literal(0, DType::i32)}),
                      g.apply(Fn::lt, {d->position, g.size(extent)})},
                     s.body);
    }
    substitute_index(s, d->index, d->position);
    return value(std::move(s));
  }

  // value where all conditions hold, else 0.
  ScalarId under(const std::vector<ScalarId>& conditions, ScalarId value) {
    if (conditions.empty()) return value;
    ScalarId all = conditions[0];
    for (std::size_t k = 1; k < conditions.size(); ++k) {
      all = g.apply(Fn::logical_and, {all, conditions[k]});
    }
    return g.apply(Fn::select, {all, value, g.literal(0, g[value].dtype)});
  }

  bool is_inside(const Sum& s, ScalarId e, const Extent& extent) const {
    if (always_inside(g, e, s.ranges, extent)) return true;
    return g[e].kind == ScalarKind::read && trusted_.contains({g[e].tensor, extent});
  }

  Graph& g;
  const std::uint32_t rank_;
  const Trusted& trusted_;
};

// max and min do not care how often they see a value; no reduction does over one point.
NodeId without_idle_indices(Graph& g, NodeId id) {
  const Node& n = g[id];
  const bool extreme = n.reduction == Reduction::max || n.reduction == Reduction::min;
  const auto rank = static_cast<std::uint32_t>(n.type.rank());
  Shape ranges = n.ranges;
  ScalarId body = n.body;
  if (n.reduction == Reduction::argmax || n.reduction == Reduction::argmin) return id;
  for (auto k = static_cast<std::uint32_t>(ranges.size()); k-- > rank;) {
    const bool never_empty = ranges[k].offset + ranges[k].scale >= 1;
    const bool idle = extreme && never_empty && !uses_index(g, body, k, k + 1);
    if (!idle && ranges[k] != Extent(1)) continue;
    std::vector<ScalarId> numbers(ranges.size());
    numbers[k] = g.literal(0, DType::i32);
    for (auto j = k + 1; j < ranges.size(); ++j) numbers[j] = g.index(j - 1);
    body = substitute(g, body, numbers);
    ranges.erase(ranges.begin() + k);
  }
  if (ranges.size() == n.ranges.size()) return id;
  const Reduction reduction = ranges.size() == rank ? Reduction::none : n.reduction;
  return g.comprehension(rank, std::move(ranges), reduction, body);
}

}  // namespace

NodeId simplify_reduction(Graph& g, NodeId id, const Trusted& trusted) {
  const Node& n = g[id];
  if (n.reduction == Reduction::none) return id;
  if (n.reduction != Reduction::sum || !is_float(n.type.dtype)) return without_idle_indices(g, id);
  const std::size_t rank = n.type.rank();
  const ScalarId value = Summer(g, rank, trusted).value({n.ranges, n.body});
  // A plain sum again: no node around it.
  const Scalar& s = g[value];
  if (s.kind == ScalarKind::read && g[s.tensor].type == n.type &&
      g[s.tensor].reduction == Reduction::sum) {
    bool own = true;
    for (std::uint32_t k = 0; k < rank; ++k) own &= s.args[k] == g.index(k);
    if (own) return s.tensor;
  }
  return g.comprehension(rank, n.type.shape, Reduction::none, value);
}

}  // namespace gradc

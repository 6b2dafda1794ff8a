// stabilize.cpp: finds sums of exponentials, shifts them if nobody did, and detaches the shift.
#include "dsl/stabilize.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "dsl/simplify_scalar.h"

namespace gradc {
namespace {

struct Term {
  ScalarId value;
  bool minus = false;
};

// Σ_k exp(u(J, k)) as read at subscripts J.
struct ExponentialSum {
  NodeId node;
  std::vector<ScalarId> subscripts;
  ScalarId exponent;          // u over (0 … rank-1, k), k = rank
  std::vector<Term> varying;  // the terms of u that depend on k
  std::vector<Term> shift;    // and those that do not
};

class Stabilizer {
 public:
  Stabilizer(Graph& graph, NodeId id, const Peek& peek, bool detach)
      : g(graph), id_(id), peek_(peek), detach_(detach) {}

  NodeId run() {
    const Node& n = g[id_];
    const ScalarId body = visit(n.body, ScalarId{});
    if (body == n.body) return id_;
    return g.comprehension(n.type.rank(), n.ranges, n.reduction, body);
  }

 private:
  bool applies(ScalarId id, Fn fn) const {
    return g[id].kind == ScalarKind::apply && g[id].fn == fn;
  }

  // Sums are taken as a whole: log(Σ exp(u - m)) may stand next to its m.
  ScalarId visit(ScalarId id, ScalarId user) {
    if (auto it = done_.find(id); it != done_.end()) return it->second;
    if (g[id].kind != ScalarKind::apply) return id;
    ScalarId result = id;
    if (applies(id, Fn::div)) result = quotient(id);
    const bool is_sum = applies(id, Fn::add) || applies(id, Fn::sub) || applies(id, Fn::neg);
    const bool within_sum = user.valid() && (applies(user, Fn::add) || applies(user, Fn::sub) ||
                                             applies(user, Fn::neg));
    if ((is_sum || applies(id, Fn::log)) && !within_sum) result = logarithms(id);
    if (result == id) {
      result = with_arguments(g, id, [&](ScalarId a) { return visit(a, id); });
    }
    return done_[id] = result;
  }

  void terms(ScalarId id, bool minus, std::vector<Term>& out) const {
    if (applies(id, Fn::add) || applies(id, Fn::sub)) {
      terms(g[id].args[0], minus, out);
      terms(g[id].args[1], minus != applies(id, Fn::sub), out);
    } else if (applies(id, Fn::neg)) {
      terms(g[id].args[0], !minus, out);
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

  ScalarId peeked(ScalarId id) const {
    if (g[id].kind != ScalarKind::read) return id;
    return peek_(id).value_or(id);
  }

  std::optional<ExponentialSum> exponential_sum(ScalarId read) const {
    if (g[read].kind != ScalarKind::read) return std::nullopt;
    const Scalar& s = g[read];
    const Node& n = g[s.tensor];
    if (n.reduction != Reduction::sum || n.ranges.size() != n.type.rank() + 1) return std::nullopt;
    const ScalarId body = peeked(n.body);
    if (!applies(body, Fn::exp)) return std::nullopt;
    ExponentialSum e{s.tensor, s.args, g[body].args[0], {}, {}};
    std::vector<Term> all;
    terms(e.exponent, false, all);
    const auto k = static_cast<std::uint32_t>(n.type.rank());
    for (const Term& t : all) (uses_index(g, t.value, k, k + 1) ? e.varying : e.shift).push_back(t);
    if (e.varying.empty()) return std::nullopt;
    return e;
  }

  bool is_detached(const Term& t) const {
    return !detach_ || applies(t.value, Fn::detach) || g[t.value].kind == ScalarKind::literal;
  }

  // Somebody has subtracted a maximum.
  bool is_shifted(const ExponentialSum& e) const {
    return std::any_of(e.shift.begin(), e.shift.end(), [&](const Term& t) {
      return t.minus && is_maximum(t.value);
    });
  }
  // Also one that is 0 where it is infinite, as `shifted` makes it.
  bool is_maximum(ScalarId id) const {
    if (applies(id, Fn::detach)) return is_maximum(g[id].args[0]);
    if (applies(id, Fn::select)) return is_maximum(g[id].args[1]) && g[g[id].args[2]].kind == ScalarKind::literal;
    return g[id].kind == ScalarKind::read && g[g[id].tensor].reduction == Reduction::max;
  }

  // Which terms of the exponent may be detached: those whose value cannot matter.
  enum class Cut : std::uint8_t { nothing, shift };

  // The exponent with the shift detached, less the maximum if there was no shift by one.
  struct Shifted {
    ScalarId exponent;
    ScalarId maximum;  // invalid if there was one
  };
  Shifted shifted(const ExponentialSum& e, Cut cut) {
    Shifted out;
    std::vector<Term> all = e.varying;
    for (Term t : e.shift) {
      if (cut == Cut::shift) t.value = detached(t.value);
      all.push_back(t);
    }
    if (!is_shifted(e)) {
      const Node& n = g[e.node];
      const NodeId most = g.comprehension(n.type.rank(), n.ranges, Reduction::max, e.exponent);
      std::vector<ScalarId> own;
      for (std::uint32_t k = 0; k < n.type.rank(); ++k) own.push_back(g.index(k));
      const ScalarId m = g.read(most, own);
      // An infinite maximum would make inf - inf.
      const ScalarId finite = g.apply(Fn::lt, {g.apply(Fn::abs, {m}), infinity(n.type.dtype)});
      const ScalarId safe = g.apply(Fn::select, {finite, m, g.literal(0, n.type.dtype)});
      out.maximum = detached(safe);
      all.push_back({out.maximum, true});
    }
    out.exponent = total(all);
    return out;
  }
  ScalarId detached(ScalarId id) {
    const bool idle = !detach_ || applies(id, Fn::detach) || g[id].kind == ScalarKind::literal;
    return idle ? id : g.apply(Fn::detach, {id});
  }
  ScalarId infinity(DType dtype) {
    return g.literal(std::numeric_limits<double>::infinity(), dtype);
  }

  NodeId labelled(NodeId made, NodeId like) {
    if (g.label(made).name.empty()) g.label(made) = g.label(like);
    return made;
  }

  // exp(u(I)) / Σ_k exp(u(J, k)) where u(I) is one of the u(J, k).
  ScalarId quotient(ScalarId id) {
    const ScalarId above = g[id].args[0], below = g[id].args[1];
    const std::optional<ExponentialSum> e = exponential_sum(below);
    const ScalarId numerator = peeked(above);
    if (!e || !applies(numerator, Fn::exp)) return id;
    const bool done = is_shifted(*e) && std::all_of(e->shift.begin(), e->shift.end(),
                                                    [&](const Term& t) { return is_detached(t); });
    if (done) return id;
    const Node& own = g[id_];
    for (std::uint32_t i = 0; i < own.ranges.size(); ++i) {
      std::vector<ScalarId> values = e->subscripts;
      values.push_back(g.index(i));
      if (substitute(g, e->exponent, values) != g[numerator].args[0]) continue;
      const Shifted s = shifted(*e, Cut::shift);
      const Node& sum = g[e->node];
      const ScalarId exponential = g.apply(Fn::exp, {s.exponent});
      ScalarId inner = exponential;
      ScalarId top = g.apply(Fn::exp, {substitute(g, s.exponent, values)});
      if (above != numerator) {  // the exponentials are a value of their own: so they stay
        const NodeId each =
            labelled(g.comprehension(sum.ranges.size(), sum.ranges, Reduction::none, exponential),
                     g[above].tensor);
        std::vector<ScalarId> all;
        for (std::uint32_t k = 0; k < sum.ranges.size(); ++k) all.push_back(g.index(k));
        inner = g.read(each, all);
        top = g.read(each, values);
      }
      const NodeId total_node =
          labelled(g.comprehension(sum.type.rank(), sum.ranges, Reduction::sum, inner), e->node);
      return g.apply(Fn::div, {top, g.read(total_node, e->subscripts)});
    }
    return id;
  }

  // ± (m + log(Σ exp(u - m))): the shift cancels, so both its places may be detached. Without a
  // shift, log(Σ exp(u)) becomes that with m = max u; its value does not depend on m either.
  ScalarId logarithms(ScalarId id) {
    std::vector<Term> all;
    terms(id, false, all);
    bool changed = false;
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (!applies(all[k].value, Fn::log)) continue;
      const std::optional<ExponentialSum> e = exponential_sum(g[all[k].value].args[0]);
      if (!e) continue;
      const bool had_maximum = is_shifted(*e);
      if (had_maximum && !detach_partners(all, all[k].minus, *e)) continue;
      const Shifted s = shifted(*e, had_maximum ? Cut::shift : Cut::nothing);
      const Node& sum = g[e->node];
      const NodeId node = labelled(g.comprehension(sum.type.rank(), sum.ranges, Reduction::sum,
                                                   g.apply(Fn::exp, {s.exponent})),
                                   e->node);
      all[k].value = g.apply(Fn::log, {g.read(node, e->subscripts)});
      changed = true;
      if (had_maximum) continue;
      all.push_back({substitute(g, s.maximum, e->subscripts), all[k].minus});
    }
    return changed ? total(all) : id;
  }

  // Detaches, next to the logarithm, the terms that undo the shift. False if one is missing or if
  // there is nothing to detach.
  bool detach_partners(std::vector<Term>& all, bool minus, const ExponentialSum& e) {
    std::vector<Term> detached = all;
    bool any = false;
    for (const Term& t : e.shift) {
      if (is_detached(t)) continue;
      const ScalarId value = substitute(g, t.value, e.subscripts);
      auto partner = std::find_if(detached.begin(), detached.end(), [&](const Term& other) {
        return other.value == value && other.minus == (minus != !t.minus);
      });
      if (partner == detached.end()) return false;
      partner->value = g.apply(Fn::detach, {value});
      any = true;
    }
    if (any) all = std::move(detached);
    return any;
  }

  Graph& g;
  const NodeId id_;
  const Peek& peek_;
  const bool detach_;
  IdMap<ScalarId, ScalarId> done_;
};

}  // namespace

NodeId stabilize(Graph& g, NodeId id, const Peek& peek, bool detach) {
  const Node& n = g[id];
  if (n.kind != NodeKind::comprehension || !is_float(g[n.body].dtype)) return id;
  return Stabilizer(g, id, peek, detach).run();
}

}  // namespace gradc

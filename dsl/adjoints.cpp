// adjoints.cpp: reverse mode over tensors. A node's cotangent is complete when all its users are
// done.
#include "dsl/adjoints.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "dsl/check.h"
#include "dsl/derivatives.h"
#include "dsl/recurrence.h"
#include "dsl/replace_nodes.h"
#include "dsl/transpose_read.h"

namespace gradc {

NodeId filled(Graph& g, const TensorType& type, double value) {
  return g.comprehension(type.rank(), type.shape, Reduction::none, g.literal(value, type.dtype));
}

namespace {

std::vector<ScalarId> own_indices(Graph& g, std::size_t first, std::size_t count) {
  std::vector<ScalarId> indices;
  for (std::size_t k = 0; k < count; ++k) {
    indices.push_back(g.index(static_cast<std::uint32_t>(first + k)));
  }
  return indices;
}

ScalarId read_own(Graph& g, NodeId tensor, std::size_t rank) {
  return g.read(tensor, own_indices(g, 0, rank));
}

bool is_position(Reduction r) {
  return r == Reduction::argmax || r == Reduction::argmin;
}

// Scalars of `root` through which a gradient flows to a read of a tensor in `active`, users first.
class Flow {
 public:
  Flow(const Graph& graph, const std::vector<bool>& active) : g(graph), active_(active) {}

  bool visit(ScalarId id) {
    if (auto it = carries_.find(id); it != carries_.end()) return it->second;
    const Scalar& s = g[id];
    bool carries = false;
    if (is_float(s.dtype)) {
      if (s.kind == ScalarKind::read) carries = active_[s.tensor.value];
      if (s.kind == ScalarKind::apply && !blocks_gradient(s.fn)) {
        for (ScalarId a : s.args) carries |= visit(a);
      }
    }
    carries_.emplace(id, carries);
    if (carries) order.push_back(id);
    return carries;
  }
  bool carries(ScalarId id) const {
    auto it = carries_.find(id);
    return it != carries_.end() && it->second;
  }

  std::vector<ScalarId> order;  // arguments before users

 private:
  const Graph& g;
  const std::vector<bool>& active_;
  IdMap<ScalarId, bool> carries_;
};

// The position of the reduction indices in row-major order of their ranges.
ScalarId linear_position(Graph& g, const Node& n) {
  const std::size_t rank = n.type.rank();
  ScalarId position = g.index(static_cast<std::uint32_t>(rank));
  for (std::size_t k = rank + 1; k < n.ranges.size(); ++k) {
    const ScalarId row = g.apply(Fn::mul, {position, g.size(n.ranges[k])});
    position = g.apply(Fn::add, {row, g.index(static_cast<std::uint32_t>(k))});
  }
  return position;
}

// The product over all other points of the reduction, right even where factors are 0.
ScalarId product_of_others(Graph& g, const Node& n) {
  const std::size_t rank = n.type.rank();
  const std::size_t count = n.ranges.size() - rank;
  Shape ranges = n.ranges;
  std::vector<ScalarId> other = own_indices(g, 0, rank);
  ScalarId same;
  for (std::size_t k = 0; k < count; ++k) {
    const auto mine = static_cast<std::uint32_t>(rank + k);
    other.push_back(g.index(static_cast<std::uint32_t>(n.ranges.size() + k)));
    ranges.push_back(n.ranges[mine]);
    const ScalarId equal = g.apply(Fn::eq, {other.back(), g.index(mine)});
    same = same.valid() ? g.apply(Fn::logical_and, {same, equal}) : equal;
  }
  const ScalarId one = g.literal(1, n.type.dtype);
  const ScalarId body = g.apply(Fn::select, {same, one, substitute(g, n.body, other)});
  const NodeId product = g.comprehension(n.ranges.size(), ranges, Reduction::prod, body);
  return read_own(g, product, n.ranges.size());
}

// What reaches the body of a comprehension from the cotangent dy[I] of its result.
ScalarId body_cotangent(Graph& g, NodeId id, ScalarId dy) {
  const Node& n = g[id];
  switch (n.reduction) {
    case Reduction::none:
    case Reduction::sum:
      return dy;
    case Reduction::prod:
      return g.apply(Fn::mul, {dy, product_of_others(g, n)});
    case Reduction::max:
    case Reduction::min: {  // to the first element that attains it
      const Reduction which = n.reduction == Reduction::max ? Reduction::argmax : Reduction::argmin;
      const NodeId where = g.comprehension(n.type.rank(), n.ranges, which, n.body);
      const ScalarId first = read_own(g, where, n.type.rank());
      const ScalarId here = g.apply(Fn::eq, {first, linear_position(g, n)});
      return g.apply(Fn::select, {here, dy, g.literal(0, n.type.dtype)});
    }
    case Reduction::argmax:
    case Reduction::argmin:
      break;
  }
  GRADC_UNREACHABLE("a position has no cotangent");
}

class Sweep {
 public:
  Sweep(Graph& graph, NodeId loss, const std::vector<NodeId>& wrt)
      : g(graph), loss_(loss) {
    const std::vector<NodeId> order = topological_order(graph, {loss});
    loops_ = find_loops(graph, order);
    order_ = order_by_loops(graph, order, loops_);
    for (const Loop& loop : loops_) {
      for (NodeId step : loop.steps) loop_of_[step] = &loop;
    }
    mark_active(wrt);
  }

  IdMap<NodeId, NodeId> run(const std::vector<NodeId>& wrt) {
    if (active_[loss_.value]) {
      contributions_[loss_].push_back(filled(g, g[loss_].type, 1));
      for (std::size_t k = order_.size(); k-- > 0;) visit(order_[k]);
    }
    IdMap<NodeId, NodeId> result;
    for (NodeId w : wrt) {
      if (auto it = cotangents_.find(w); it != cotangents_.end())
        result.emplace(it->first, it->second);
    }
    return result;
  }

 private:
  // Only values between the loss and what is asked for are visited.
  void mark_active(const std::vector<NodeId>& wrt) {
    active_.assign(g.node_count(), false);
    const std::unordered_set<NodeId> below = reached();
    const std::unordered_set<NodeId> targets(wrt.begin(), wrt.end());
    for (bool grown = true; grown;) {  // once, and again where a past turns out to be active
      grown = false;
      for (NodeId id : order_) {
        const Node& n = g[id];
        if (!is_float(n.type.dtype) || !below.contains(id)) continue;
        bool active = active_[id.value] || targets.contains(id);
        if (n.kind == NodeKind::reshape || n.kind == NodeKind::recurrence) {
          active |= active_[n.operand.value];
        }
        if (n.kind == NodeKind::comprehension) active |= Flow(g, active_).visit(n.body);
        for (const Pull& p : n.pulls) active |= active_[p.to.value];
        active_[id.value] = active;
      }
      for (const Loop& loop : loops_) {
        for (const Equation& e : loop.equations) {
          if (!active_[e.body.value] || active_[e.past.value]) continue;
          active_[e.past.value] = grown = true;
        }
      }
    }
  }

  // What a cotangent may come to: of a custom node not its value, nor what it computes to pass on.
  std::unordered_set<NodeId> reached() const {
    std::unordered_set<NodeId> seen{loss_};
    std::vector<NodeId> queue{loss_};
    for (std::size_t k = 0; k < queue.size(); ++k) {
      const Node& n = g[queue[k]];
      std::vector<NodeId> next;
      for (const Pull& p : n.pulls) next.push_back(p.to);
      for (const Equation& e : n.equations) next.push_back(e.past);
      if (n.kind != NodeKind::custom) {
        for (NodeId operand : g.operands(queue[k])) next.push_back(operand);
      }
      for (NodeId id : next) {
        if (seen.insert(id).second) queue.push_back(id);
      }
    }
    return seen;
  }

  void visit(NodeId id) {
    if (auto loop = loop_of_.find(id); loop != loop_of_.end()) return visit_loop(*loop->second);
    auto found = contributions_.find(id);
    if (found == contributions_.end()) return;
    const NodeId cotangent = sum(id, found->second);
    cotangents_.emplace(id, cotangent);
    const Node& n = g[id];
    if (n.kind == NodeKind::reshape && active_[n.operand.value]) {
      Node back;
      back.kind = NodeKind::reshape;
      back.type = g[n.operand].type;
      back.operand = cotangent;
      contribute(n.operand, g.add(std::move(back)), id);
    }
    if (n.kind == NodeKind::recurrence) contribute(n.operand, cotangent, id);
    if (n.kind == NodeKind::comprehension) visit_comprehension(id, n, cotangent);
    if (n.kind == NodeKind::custom) visit_custom(id, cotangent);
  }

  void visit_custom(NodeId id, NodeId cotangent) {
    const Node& n = g[id];
    std::vector<NodeId> values;
    for (const Pull& p : n.pulls) values.push_back(p.value);
    values = replace_nodes(g, values, {{n.result, id}, {n.cotangent, cotangent}});
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (active_[n.pulls[k].to.value]) contribute(n.pulls[k].to, values[k], id);
    }
  }

  // The adjoint of a recurrence is one that runs the other way: the cotangent of a step that reads a past is
  // needed at an earlier time than it belongs to, and so is an equation of it, with a past of its own.
  //
  //     d past[t] = Σ over the steps that read it of what they pass back from their times t + 1, …
  //     d step[t] = what comes from outside, from later steps, and, where it is the body of an equation,
  //                 from the past
  //
  // What the steps read from outside gets its share, for all times at once, from what came out of that.
  void visit_loop(const Loop& loop) {
    if (!visited_.insert(&loop).second) return;
    auto elsewhere = std::exchange(contributions_, {});
    for (NodeId step : loop.steps) {
      if (auto it = elsewhere.find(step); it != elsewhere.end()) contributions_.insert(*it);
    }
    if (contributions_.empty()) {
      contributions_ = std::move(elsewhere);
      return;
    }
    std::vector<Equation> equations;
    for (NodeId step : loop.steps) {
      if (!reads_active_past(step)) continue;
      equations.push_back({g.new_past(g[step].type), {}, loop.time.at(step)});
      visit_comprehension(step, g[step], equations.back().past, Reads::of_pasts);
    }
    for (const Equation& e : loop.equations) {
      for (NodeId part : contributions_[e.past]) contributions_[e.body].push_back(part);
    }
    std::size_t next = equations.size();
    for (std::size_t k = loop.steps.size(); k-- > 0;) {
      const NodeId step = loop.steps[k];
      const std::vector<NodeId> parts = contributions_[step];
      const bool defines = reads_active_past(step);
      if (parts.empty() && !defines) continue;
      const NodeId cotangent =
          parts.empty() ? filled(g, g[step].type, 0) : sum(step, parts);
      if (defines) equations[--next].body = cotangent;
      if (g[step].kind == NodeKind::custom) {
        visit_custom(step, cotangent);
      } else {
        visit_comprehension(step, g[step], cotangent, Reads::of_others);
      }
    }
    leave(loop, equations, std::move(elsewhere));
  }

  // Moves what reached the outside of the loop to there.
  void leave(const Loop& loop, std::vector<Equation> equations,
             std::unordered_map<NodeId, std::vector<NodeId>> elsewhere) {
    std::vector<NodeId> targets, parts;
    for (NodeId id : order_) {
      auto it = contributions_.find(id);
      if (it == contributions_.end() || loop.contains(id)) continue;
      for (NodeId part : it->second) {
        targets.push_back(id);
        parts.push_back(part);
      }
    }
    contributions_ = std::move(elsewhere);
    // First the recurrence there was is left, then the one that was made.
    for (const Equation& e : equations) parts.push_back(e.body);
    parts = outside(g, loop, parts);
    for (std::size_t k = 0; k < equations.size(); ++k) equations[k].body = parts[targets.size() + k];
    parts.resize(targets.size());
    if (!equations.empty()) {
      const NodeId result = recurrence(g, equations[0].body, equations, !loop.backwards);
      for (const Loop& made : find_loops(g, topological_order(g, {result}))) {
        if (made.contains(equations[0].past)) parts = outside(g, made, parts);
      }
    }
    for (std::size_t k = 0; k < targets.size(); ++k) contributions_[targets[k]].push_back(parts[k]);
  }

  bool reads_active_past(NodeId step) const {
    for (NodeId read : g.operands(step)) {
      if (g[read].kind == NodeKind::past && active_[read.value] && passes_gradient(g, step, read)) {
        return active_[step.value];
      }
    }
    return false;
  }

  enum class Reads : std::uint8_t { all, of_pasts, of_others };

  // Reverse mode within the body. Every scalar holds one cotangent for all conditions it lies under, each of which may
  // be evaluated only where those before it hold.
  void visit_comprehension(NodeId id, const Node& of, NodeId cotangent, Reads which = Reads::all) {
    const Node n = of;
    Flow flow(g, active_);
    if (!flow.visit(n.body)) return;
    const ScalarId dy = read_own(g, cotangent, n.type.rank());
    struct Term {
      std::vector<ScalarId> conditions;
      ScalarId value;
    };
    IdMap<ScalarId, std::vector<Term>> terms;
    auto give = [&](ScalarId to, const std::vector<ScalarId>& conditions, ScalarId value) {
      for (Term& t : terms[to]) {
        if (t.conditions != conditions) continue;
        t.value = g.apply(Fn::add, {t.value, value});
        return;
      }
      terms[to].push_back({conditions, value});
    };
    give(n.body, {}, body_cotangent(g, id, dy));
    for (std::size_t k = flow.order.size(); k-- > 0;) {
      const ScalarId scalar = flow.order[k];
      const Scalar& s = g[scalar];
      const std::vector<Term> incoming = terms[scalar];
      if (incoming.empty()) continue;  // as below x^0
      if (s.kind == ScalarKind::read) {
        const bool of_past = g[s.tensor].kind == NodeKind::past;
        if (which == (of_past ? Reads::of_others : Reads::of_pasts)) continue;
        ScalarId total;
        for (const Term& t : incoming) {
          ScalarId value = t.value;
          for (std::size_t c = t.conditions.size(); c-- > 0;) {
            value = g.apply(Fn::select, {t.conditions[c], value, g.literal(0, s.dtype)});
          }
          total = total.valid() ? g.apply(Fn::add, {total, value}) : value;
        }
        contribute(s.tensor, transpose_read(g, {id, scalar, total, dy}), id);
        continue;
      }
      // The result is read back rather than computed again where it is the node's own value.
      const bool is_result = scalar == n.body && n.reduction == Reduction::none;
      const ScalarId y = is_result ? read_own(g, id, n.type.rank()) : scalar;
      for (const Term& t : incoming) {
        for (std::size_t a = 0; a < s.args.size(); ++a) {
          if (!flow.carries(s.args[a])) continue;
          const Pullback back = pullback(g, s, a, y, t.value);
          if (!back.value.valid()) continue;
          std::vector<ScalarId> conditions = t.conditions;
          const bool is_new = std::find(conditions.begin(), conditions.end(), back.condition) == conditions.end();
          if (back.condition.valid() && is_new) conditions.push_back(back.condition);
          give(s.args[a], conditions, back.value);
        }
      }
    }
  }

  void contribute(NodeId to, NodeId value, NodeId from) {
    Label& label = g.label(value);
    if (!label.span.valid()) label.span = g.label(from).span;
    contributions_[to].push_back(value);
  }

  NodeId sum(NodeId of, const std::vector<NodeId>& parts) {
    const TensorType type = g[of].type;
    NodeId total = parts[0];
    if (parts.size() > 1) {
      ScalarId body = read_own(g, parts[0], type.rank());
      for (std::size_t k = 1; k < parts.size(); ++k) {
        body = g.apply(Fn::add, {body, read_own(g, parts[k], type.rank())});
      }
      total = g.comprehension(type.rank(), type.shape, Reduction::none, body);
    }
    name_after(total, of);
    return total;
  }

  void name_after(NodeId adjoint, NodeId of) {
    const Label source = g.label(of);
    const std::string& path = g[of].name.empty() ? source.name : g[of].name;
    Label& label = g.label(adjoint);
    if (label.name.empty() && !path.empty()) label.name = "d" + path;
    if (!label.span.valid()) label.span = source.span;
    if (label.index_names.empty() && source.index_names.size() >= g[of].type.rank() &&
        g[adjoint].ranges.size() == g[of].type.rank()) {
      label.index_names = source.index_names;
      label.index_names.resize(g[of].type.rank());
    }
  }

  Graph& g;
  const NodeId loss_;
  std::vector<Loop> loops_;
  std::vector<NodeId> order_;
  std::unordered_map<NodeId, const Loop*> loop_of_;  // by step
  std::unordered_set<const Loop*> visited_;
  std::vector<bool> active_;
  std::unordered_map<NodeId, std::vector<NodeId>> contributions_;
  std::unordered_map<NodeId, NodeId> cotangents_;
};

}  // namespace

IdMap<NodeId, NodeId> adjoints(Graph& g, NodeId loss, const std::vector<NodeId>& wrt) {
  return Sweep(g, loss, wrt).run(wrt);
}

bool passes_gradient(const Graph& g, NodeId node, NodeId operand) {
  const Node& n = g[node];
  if (!is_float(g[operand].type.dtype)) return false;
  if (n.kind == NodeKind::reshape || n.kind == NodeKind::recurrence ||
      n.kind == NodeKind::gradient) {
    return true;
  }
  for (const Pull& p : n.pulls) {
    if (p.to != operand) continue;
    const std::vector<NodeId> used = topological_order(g, {p.value});
    if (std::find(used.begin(), used.end(), n.cotangent) != used.end()) return true;
  }
  if (n.kind != NodeKind::comprehension || is_position(n.reduction)) return false;
  std::vector<bool> active(g.node_count());
  active[operand.value] = true;
  return Flow(g, active).visit(n.body);
}

}  // namespace gradc

// adjoints.cpp: reverse mode over tensors. A node's cotangent is complete when all its users are
// done.
#include "dsl/adjoints.h"

#include <algorithm>
#include <unordered_set>

#include "dsl/check.h"
#include "dsl/derivatives.h"
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
  std::unordered_map<ScalarId, bool> carries_;
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
  const Node n = g[id];
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
      : g(graph), loss_(loss), order_(topological_order(graph, {loss})) {
    mark_active(wrt);
  }

  std::unordered_map<NodeId, NodeId> run(const std::vector<NodeId>& wrt) {
    if (active_[loss_.value]) {
      contributions_[loss_].push_back(filled(g, g[loss_].type, 1));
      for (std::size_t k = order_.size(); k-- > 0;) visit(order_[k]);
    }
    std::unordered_map<NodeId, NodeId> result;
    for (NodeId w : wrt) {
      if (auto it = cotangents_.find(w); it != cotangents_.end()) result.insert(*it);
    }
    return result;
  }

 private:
  // Only values between the loss and what is asked for are visited.
  void mark_active(const std::vector<NodeId>& wrt) {
    active_.assign(g.node_count(), false);
    const std::unordered_set<NodeId> targets(wrt.begin(), wrt.end());
    for (NodeId id : order_) {
      const Node& n = g[id];
      if (!is_float(n.type.dtype)) continue;
      bool active = targets.contains(id);
      if (n.kind == NodeKind::reshape) active |= active_[n.operand.value];
      if (n.kind == NodeKind::comprehension) active |= Flow(g, active_).visit(n.body);
      active_[id.value] = active;
    }
  }

  void visit(NodeId id) {
    auto found = contributions_.find(id);
    if (found == contributions_.end()) return;
    const NodeId cotangent = sum(id, found->second);
    cotangents_.emplace(id, cotangent);
    const Node n = g[id];
    if (n.kind == NodeKind::reshape && active_[n.operand.value]) {
      Node back;
      back.kind = NodeKind::reshape;
      back.type = g[n.operand].type;
      back.operand = cotangent;
      contribute(n.operand, g.add(std::move(back)), id);
    }
    if (n.kind == NodeKind::comprehension) visit_comprehension(id, n, cotangent);
  }

  // Reverse mode within the body. Every scalar holds one cotangent per condition it lies under.
  void visit_comprehension(NodeId id, const Node& n, NodeId cotangent) {
    Flow flow(g, active_);
    if (!flow.visit(n.body)) return;
    const ScalarId dy = read_own(g, cotangent, n.type.rank());
    struct Term {
      ScalarId condition, value;
    };
    std::unordered_map<ScalarId, std::vector<Term>> terms;
    auto give = [&](ScalarId to, ScalarId condition, ScalarId value) {
      for (Term& t : terms[to]) {
        if (t.condition != condition) continue;
        t.value = g.apply(Fn::add, {t.value, value});
        return;
      }
      terms[to].push_back({condition, value});
    };
    give(n.body, ScalarId{}, body_cotangent(g, id, dy));
    for (std::size_t k = flow.order.size(); k-- > 0;) {
      const ScalarId scalar = flow.order[k];
      const Scalar s = g[scalar];
      const std::vector<Term> incoming = terms[scalar];
      if (incoming.empty()) continue;  // as below x^0
      if (s.kind == ScalarKind::read) {
        ScalarId total;
        for (const Term& t : incoming) {
          ScalarId value = t.value;
          if (t.condition.valid()) {
            value = g.apply(Fn::select, {t.condition, value, g.literal(0, s.dtype)});
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
          ScalarId condition = back.condition.valid() ? back.condition : t.condition;
          if (back.condition.valid() && t.condition.valid() && back.condition != t.condition) {
            condition = g.apply(Fn::logical_and, {t.condition, back.condition});
          }
          give(s.args[a], condition, back.value);
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
  const std::vector<NodeId> order_;
  std::vector<bool> active_;
  std::unordered_map<NodeId, std::vector<NodeId>> contributions_;
  std::unordered_map<NodeId, NodeId> cotangents_;
};

}  // namespace

std::unordered_map<NodeId, NodeId> adjoints(Graph& g, NodeId loss, const std::vector<NodeId>& wrt) {
  return Sweep(g, loss, wrt).run(wrt);
}

bool passes_gradient(const Graph& g, NodeId node, NodeId operand) {
  const Node& n = g[node];
  if (!is_float(g[operand].type.dtype)) return false;
  if (n.kind == NodeKind::reshape || n.kind == NodeKind::gradient) return true;
  if (n.kind != NodeKind::comprehension || is_position(n.reduction)) return false;
  std::vector<bool> active(g.node_count());
  active[operand.value] = true;
  return Flow(g, active).visit(n.body);
}

}  // namespace gradc

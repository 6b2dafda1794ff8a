// graph_equal.cpp: whether two graphs are the same, function by function and node by node.
#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "dsl/graph_to_text.h"

namespace gradc {
namespace {

class Comparison {
 public:
  Comparison(const Graph& first, const Graph& second) : g(first), h(second) {}

  bool equal() {
    auto dim = [](const Dim& a, const Dim& b) { return a.name == b.name && a.bound == b.bound; };
    return std::equal(g.dims().begin(), g.dims().end(), h.dims().begin(), h.dims().end(), dim) &&
           all(g.functions, h.functions,
               [&](const Function& a, const Function& b) { return same(a, b); });
  }

 private:
  template <class List, class Same>
  static bool all(const List& a, const List& b, Same same) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
  }
  static bool same(double a, double b) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
           (std::isnan(a) && std::isnan(b));
  }

  bool same(const Function& a, const Function& b) {
    auto node = [&](NodeId x, NodeId y) { return same(x, y); };
    auto output = [&](const Output& x, const Output& y) {
      return x.name == y.name && same(x.node, y.node);
    };
    auto update = [&](const Update& x, const Update& y) {
      return same(x.target, y.target) && same(x.value, y.value);
    };
    auto minimize = [&](const Minimize& x, const Minimize& y) {
      return same(x.loss, y.loss) && all(x.parameters, y.parameters, node);
    };
    return a.name == b.name && a.kind == b.kind && all(a.inputs, b.inputs, node) &&
           all(a.outputs, b.outputs, output) && all(a.cotangents, b.cotangents, node) &&
           all(a.evaluation, b.evaluation, output) && all(a.gradients, b.gradients, output) && all(a.updates, b.updates, update) &&
           all(live(g, a), live(h, b), minimize);
  }

  // Minimizes whose loss the function still computes: the others are left from before
  // simplification.
  static std::vector<Minimize> live(const Graph& graph, const Function& f) {
    std::vector<bool> reached(graph.node_count());
    std::vector<NodeId> roots = roots_of(f);
    roots.insert(roots.end(), f.inputs.begin(), f.inputs.end());
    for (NodeId id : topological_order(graph, roots)) reached[id.value] = true;
    std::vector<Minimize> result;
    for (const Minimize& m : f.minimizes) {
      if (reached[m.loss.value]) result.push_back(m);
    }
    return result;
  }

  // Both graphs are shared expressions without equal twins, so equality pairs their nodes one to
  // one and a pair once found equal is remembered. Operands first: graphs are deep.
  bool same(NodeId a, NodeId b) {
    if (a.valid() != b.valid()) return false;
    if (!a.valid()) return true;
    const std::vector<NodeId> order = topological_order(g, {a});
    const std::vector<NodeId> other = topological_order(h, {b});
    if (order.size() != other.size()) return false;
    for (std::size_t k = 0; k < order.size(); ++k) {
      const auto [it, added] = nodes_.emplace(order[k], other[k]);
      if (!added && it->second != other[k]) return false;
      if (added && !same_node(g[order[k]], h[other[k]])) return false;
    }
    return true;
  }

  // Its operand is an initial value, which is no operand to topological_order.
  static bool is_initialised(const Node& n) {
    return n.kind == NodeKind::parameter || n.kind == NodeKind::state;
  }

  bool same_pair(NodeId a, NodeId b) const {
    if (!a.valid() || !b.valid()) return a.valid() == b.valid();
    const auto it = nodes_.find(a);
    return it != nodes_.end() && it->second == b;
  }

  bool same_node(const Node& a, const Node& b) {
    return a.kind == b.kind && a.type == b.type && a.name == b.name &&
           all(a.values, b.values, [](double x, double y) { return same(x, y); }) &&
           (a.kind != NodeKind::random || (a.distribution == b.distribution && same(a.a, b.a) &&
                                           same(a.b, b.b) && a.stream == b.stream)) &&
           (is_initialised(a) ? same(a.operand, b.operand) : same_pair(a.operand, b.operand)) &&
           same_pair(a.result, b.result) && same_pair(a.cotangent, b.cotangent) &&
           all(a.pulls, b.pulls,
               [&](const Pull& x, const Pull& y) { return same_pair(x.to, y.to) && same_pair(x.value, y.value); }) &&
           same_pair(a.wrt, b.wrt) && a.backwards == b.backwards &&
           (a.kind != NodeKind::past || a.stream == b.stream) &&
           all(a.equations, b.equations,
               [&](const Equation& x, const Equation& y) {
                 return x.time == y.time && g[x.past].stream == h[y.past].stream && same_pair(x.body, y.body);
               }) && a.reduction == b.reduction && a.ranges == b.ranges &&
           same(a.body, b.body);
  }

  bool same(ScalarId a, ScalarId b) {
    if (!a.valid() || !b.valid()) return a.valid() == b.valid();
    if (const auto it = scalars_.find(a); it != scalars_.end()) return it->second == b;
    const Scalar& x = g[a];
    const Scalar& y = h[b];
    const bool equal = x.kind == y.kind && x.dtype == y.dtype && x.fn == y.fn &&
                       same(x.value, y.value) && x.index == y.index && x.extent == y.extent &&
                       same_pair(x.tensor, y.tensor) && x.zero_outside == y.zero_outside &&
                       all(x.args, y.args, [&](ScalarId p, ScalarId q) { return same(p, q); });
    if (equal) scalars_.emplace(a, b);
    return equal;
  }

  const Graph& g;
  const Graph& h;
  std::unordered_map<NodeId, NodeId> nodes_;        // of g → of h, found equal
  std::unordered_map<ScalarId, ScalarId> scalars_;  // the same
};

}  // namespace

bool equal(const Graph& g, const Graph& h) {
  return Comparison(g, h).equal();
}

}  // namespace gradc

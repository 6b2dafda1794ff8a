// rewrite_scalars.cpp: rebuilds what the functions of a graph compute, operands before users.
#include "dsl/rewrite_scalars.h"

#include <unordered_map>

namespace gradc {
namespace {

class Rewriter {
 public:
  Rewriter(Graph& graph, const NewScalar& change, const NewBody& change_body)
      : g(graph), change_(change), change_body_(change_body) {}

  void run() {
    for (std::size_t k = 0; k < g.functions.size(); ++k) {
      Function f = g.functions[k];
      for (NodeId id : topological_order(g, roots_of(f))) rebuild(id);
      for (auto* list : {&f.outputs, &f.evaluation, &f.gradients}) {
        for (Output& o : *list) o.node = nodes_.at(o.node);
      }
      for (Update& u : f.updates) u.value = nodes_.at(u.value);
      g.functions[k] = std::move(f);
    }
  }

 private:
  void rebuild(NodeId id) {
    if (nodes_.contains(id)) return;
    Node n = g[id];
    for_each_link(n, [&](NodeId& operand) { operand = nodes_.at(operand); });
    if (n.kind == NodeKind::comprehension) {
      scalars_.clear();
      place_ = {n.ranges, n.type.rank(), false};
      const ScalarId body = rebuilt(n.body);
      place_.summed = n.reduction == Reduction::sum && n.ranges.size() > n.type.rank();
      n.body = place_.summed ? change_(g, place_, body) : body;
      if (change_body_) n.body = change_body_(g, id, n.body);
    }
    nodes_.emplace(id, g.add(std::move(n)));
  }

  ScalarId rebuilt(ScalarId id) {
    if (const auto it = scalars_.find(id); it != scalars_.end()) return it->second;
    Scalar s = g[id];
    for (ScalarId& a : s.args) a = rebuilt(a);
    if (s.kind == ScalarKind::read) s.tensor = nodes_.at(s.tensor);
    return scalars_[id] = change_(g, place_, g.add(std::move(s)));
  }

  Graph& g;
  const NewScalar& change_;
  const NewBody& change_body_;
  std::unordered_map<NodeId, NodeId> nodes_;
  std::unordered_map<ScalarId, ScalarId> scalars_;  // of the current comprehension
  ScalarPlace place_;
};

}  // namespace

ScalarId waved(Graph& g, ScalarId x, double size, double phase, std::size_t indices) {
  const DType dtype = g[x].dtype;
  ScalarId angle = g.literal(phase, dtype);
  for (std::uint32_t k = 0; k < indices; ++k) {
    const ScalarId weight = g.literal(2.3 + 1.1 * k, dtype);
    angle = g.apply(Fn::add, {angle, g.apply(Fn::mul, {weight, g.cast(g.index(k), dtype)})});
  }
  const ScalarId wave = g.apply(Fn::mul, {g.literal(size, dtype), g.apply(Fn::sin, {angle})});
  return g.apply(Fn::mul, {x, g.apply(Fn::add, {g.literal(1, dtype), wave})});
}

void rewrite_scalars(Graph& g, const NewScalar& change, const NewBody& change_body) {
  Rewriter(g, change, change_body).run();
}

}  // namespace gradc

// detached.cpp: detach(e) → a read of e's values at the point where differences are taken.
#include "dsl/detached.h"

#include <fmt/format.h>

#include <unordered_map>

#include "dsl/recurrence.h"

namespace gradc {
namespace {

class Freezer {
 public:
  Freezer(Graph& graph, Environment& e) : g(graph), environment(e) {}

  NodeId freeze(NodeId root) {
    const std::vector<NodeId> order = topological_order(g, {root});
    for (NodeId id : order) nodes_[id] = rebuilt(id);
    for (const Loop& loop : find_loops(g, order)) values_ = outside(g, loop, values_);
    // All values at once: they are those of the original graph.
    std::vector<Array> values = interpret(g, values_, environment);
    for (std::size_t k = 0; k < values_.size(); ++k)
      environment.values[names_[k]] = std::move(values[k]);
    return nodes_.at(root);
  }

 private:
  NodeId rebuilt(NodeId id) {
    Node n = g[id];
    for_each_link(n, [&](NodeId& operand) { operand = nodes_.at(operand); });
    if (n.kind == NodeKind::comprehension) {
      ranges_ = n.ranges;
      scalars_.clear();
      n.body = rebuilt(n.body);
    }
    return g.add(std::move(n));
  }

  ScalarId rebuilt(ScalarId id) {
    if (auto it = scalars_.find(id); it != scalars_.end()) return it->second;
    Scalar s = g[id];
    ScalarId result;
    if (s.kind == ScalarKind::apply && s.fn == Fn::detach) {
      result = frozen(s.args[0]);
    } else {
      for (ScalarId& a : s.args) a = rebuilt(a);
      if (s.kind == ScalarKind::read) s.tensor = nodes_.at(s.tensor);
      result = g.add(std::move(s));
    }
    scalars_.emplace(id, result);
    return result;
  }

  // An input with an axis for every index of the comprehension, holding the values of `e`.
  ScalarId frozen(ScalarId e) {
    std::vector<ScalarId> at;
    for (std::uint32_t k = 0; k < ranges_.size(); ++k) at.push_back(g.index(k));
    Node input;
    input.kind = NodeKind::input;
    input.name = fmt::format("detached value {}", names_.size());
    input.type = {g[e].dtype, ranges_};
    names_.push_back(input.name);
    // Where a select would not evaluate it, it may read outside; then the value does not matter.
    values_.push_back(g.comprehension(ranges_.size(), ranges_, Reduction::none, padded(e)));
    return g.read(g.add(std::move(input)), std::move(at));
  }

  ScalarId padded(ScalarId id) {
    if (auto it = padded_.find(id); it != padded_.end()) return it->second;
    Scalar s = g[id];
    for (ScalarId& a : s.args) a = padded(a);
    s.zero_outside = s.kind == ScalarKind::read && !s.args.empty();
    return padded_[id] = g.add(std::move(s));
  }

  Graph& g;
  Environment& environment;
  std::unordered_map<NodeId, NodeId> nodes_;
  std::unordered_map<ScalarId, ScalarId> scalars_;  // of the current comprehension
  std::unordered_map<ScalarId, ScalarId> padded_;
  Shape ranges_;  // of the current comprehension
  std::vector<NodeId> values_;
  std::vector<std::string> names_;
};

}  // namespace

NodeId freeze_detached(Graph& g, NodeId root, Environment& environment) {
  return Freezer(g, environment).freeze(root);
}

}  // namespace gradc

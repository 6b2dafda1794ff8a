// replace_nodes.cpp: rebuilds what lies above the replaced nodes, operands before users.
#include "dsl/replace_nodes.h"

namespace gradc {

namespace {

std::vector<NodeId> rebuilt(Graph& g, const std::vector<NodeId>& roots,
                            const IdMap<NodeId, NodeId>& by,
                            const std::function<NodeId(NodeId, NodeId)>& then) {
  IdMap<NodeId, NodeId> now = by;
  IdMap<ScalarId, ScalarId> scalars;
  for (NodeId id : topological_order(g, roots)) {
    if (now.contains(id)) continue;
    Node n = g[id];
    if (n.kind == NodeKind::comprehension) n.body = with_tensors(g, n.body, now, scalars);
    for_each_link(n, [&](NodeId& operand) { operand = now.at(operand); });
    const NodeId result = g.add(std::move(n));
    if (result != id && g.label(result).name.empty()) g.label(result) = Label(g.label(id));
    now.emplace(id, then ? then(id, result) : result);
  }
  std::vector<NodeId> replaced;
  for (NodeId id : roots) replaced.push_back(now.at(id));
  return replaced;
}

}  // namespace

std::vector<NodeId> replace_nodes(Graph& g, const std::vector<NodeId>& roots,
                                  const IdMap<NodeId, NodeId>& by) {
  return rebuilt(g, roots, by, nullptr);
}

std::vector<NodeId> rebuild_nodes(Graph& g, const std::vector<NodeId>& roots,
                                  const std::function<NodeId(NodeId, NodeId)>& now) {
  return rebuilt(g, roots, {}, now);
}

std::vector<NodeId> drop_custom(Graph& g, const std::vector<NodeId>& roots) {
  return rebuild_nodes(g, roots, [&](NodeId, NodeId id) {
    return g[id].kind == NodeKind::custom ? g[id].operand : id;
  });
}

}  // namespace gradc

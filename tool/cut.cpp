// cut.cpp: see cut.h.
#include "tool/cut.h"

#include <algorithm>
#include <map>

namespace gradc {
namespace {

using NodeMap = std::map<NodeId, NodeId>;
using ScalarMap = std::map<ScalarId, ScalarId>;

// The body with its reads redirected; bodies nest no deeper than the spec's own expressions.
ScalarId redirect(Graph& graph, ScalarId id, const NodeMap& nodes, ScalarMap& done) {
  if (const auto found = done.find(id); found != done.end()) return found->second;
  Scalar scalar = graph[id];
  for (ScalarId& argument : scalar.args) argument = redirect(graph, argument, nodes, done);
  if (scalar.kind == ScalarKind::read) scalar.tensor = nodes.at(scalar.tensor);
  const ScalarId result = graph.add(std::move(scalar));
  done.emplace(id, result);
  return result;
}

}  // namespace

NodeId fresh_input(Graph& graph, const std::string& name, const TensorType& type) {
  const auto taken = [&](const std::string& candidate) {
    for (std::uint32_t k = 0; k < graph.node_count(); ++k) {
      const Node& node = graph[NodeId{k}];
      if (node.name == candidate ||
          (node.name.ends_with("." + candidate) && node.kind == NodeKind::input))
        return true;
    }
    return false;
  };
  Node node;
  node.kind = NodeKind::input;
  node.type = type;
  node.name = name.empty() ? "value" : name;
  for (int number = 2; taken(node.name); ++number)
    node.name = (name.empty() ? "value" : name) + std::to_string(number);
  return graph.add(std::move(node));
}

std::vector<NodeId> cut(Graph& graph, const std::vector<NodeId>& roots,
                        const std::vector<NodeId>& leaves) {
  NodeMap map;
  for (const NodeId leaf : leaves) {
    if (map.contains(leaf)) continue;
    const Label label = graph.label(leaf);
    const Node& node = graph[leaf];
    const bool stays = node.kind == NodeKind::input || node.kind == NodeKind::parameter ||
                       node.kind == NodeKind::state;
    const NodeId input = stays ? leaf : fresh_input(graph, label.name, TensorType(node.type));
    if (!stays) graph.label(input) = label;
    map.emplace(leaf, input);
  }
  for (const NodeId id : topological_order(graph, roots)) {
    if (map.contains(id)) continue;
    Node node = graph[id];
    if (node.kind == NodeKind::comprehension) {
      ScalarMap done;
      node.body = redirect(graph, node.body, map, done);
    }
    for_each_link(node, [&](NodeId& operand) { operand = map.at(operand); });
    const Label label = graph.label(id);
    const NodeId copy = graph.add(std::move(node));
    if (graph.label(copy).name.empty()) graph.label(copy) = label;
    map.emplace(id, copy);
  }
  std::vector<NodeId> result;
  for (const NodeId root : roots) result.push_back(map.at(root));
  return result;
}

void keep_only(Graph& graph, const std::vector<NodeId>& outputs) {
  Function function;
  function.name = "piece";
  function.kind = FunctionKind::net;
  for (const NodeId id : topological_order(graph, outputs))
    if (graph[id].kind == NodeKind::input) function.inputs.push_back(id);
  for (const NodeId id : outputs) function.outputs.push_back({graph.label(id).name, id});
  graph.functions = {std::move(function)};
}

}  // namespace gradc

// read_nodes.h: what the nodes of a function read, kept for those who ask again and again.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "codegen/partition.h"
#include "dsl/graph.h"

namespace gradc {

class ReadNodes {
 public:
  explicit ReadNodes(const Graph& g) : g_(g) {}
  const Graph& graph() const { return g_; }

  // The nodes that computing a stored node reads, each once, reshapes looked through.
  const std::vector<NodeId>& of(NodeId id) {
    const auto [it, added] = of_.try_emplace(id);
    if (!added) return it->second;
    for (NodeId operand : g_.operands(id)) {
      const NodeId owner = storage_of(g_, operand);
      if (std::find(it->second.begin(), it->second.end(), owner) == it->second.end()) it->second.push_back(owner);
    }
    return it->second;
  }
  bool reads(NodeId id, NodeId source) {
    const std::vector<NodeId>& from = of(id);
    return std::find(from.begin(), from.end(), source) != from.end();
  }

 private:
  const Graph& g_;
  std::unordered_map<NodeId, std::vector<NodeId>> of_;
};

}  // namespace gradc

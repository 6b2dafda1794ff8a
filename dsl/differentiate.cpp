// differentiate.cpp: resolves gradient nodes, inner ones first, and refuses gradients that cannot
// be.
#include "dsl/differentiate.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "dsl/adjoints.h"
#include "dsl/blocked_gradient.h"
#include "dsl/check.h"

namespace gradc {
namespace {

// What a gradient of `loss` reaches.
std::unordered_set<NodeId> gradient_reach(const Graph& g, NodeId loss) {
  std::unordered_set<NodeId> reached{loss};
  std::vector<NodeId> queue{loss};
  for (std::size_t k = 0; k < queue.size(); ++k) {
    const NodeId id = queue[k];
    for (NodeId operand : g.operands(id)) {
      if (!reached.contains(operand) && passes_gradient(g, id, operand)) {
        reached.insert(operand);
        queue.push_back(operand);
      }
    }
  }
  return reached;
}

class Resolver {
 public:
  explicit Resolver(Graph& graph) : g(graph) {}

  void run() {
    std::vector<NodeId> roots;
    for (const Function& f : g.functions) {
      for (NodeId id : roots_of(f)) roots.push_back(id);
      for (const Minimize& m : f.minimizes) {
        roots.push_back(m.loss);
      }
    }
    const std::vector<NodeId> order = topological_order(g, roots);
    for (NodeId id : order) {
      if (g[id].kind == NodeKind::gradient) asked_[g[id].operand].push_back(g[id].wrt);
    }
    for (NodeId id : order) resolved_.emplace(id, resolve(id));
    for (Function& f : g.functions) {
      for (Output& o : f.outputs) o.node = resolved_.at(o.node);
      for (Output& o : f.gradients) o.node = resolved_.at(o.node);
      for (Output& o : f.evaluation) o.node = resolved_.at(o.node);
      for (Update& u : f.updates) u.value = resolved_.at(u.value);
      for (Minimize& m : f.minimizes) m.loss = resolved_.at(m.loss);
    }
  }

 private:
  // The same node over resolved operands. Nothing changes where no gradient lies below.
  NodeId resolve(NodeId id) {
    Node n = g[id];
    if (n.kind == NodeKind::gradient) return gradient(n.operand, n.wrt);
    for_each_link(n, [&](NodeId& operand) { operand = resolved_.at(operand); });
    if (n.kind == NodeKind::comprehension) n.body = with_tensors(g, n.body, resolved_, scalars_);
    const Label label = g.label(id);
    const NodeId result = g.add(std::move(n));
    if (result != id && g.label(result).name.empty()) g.label(result) = label;
    return result;
  }

  // All gradients of one loss come from one sweep, at the first that is met. What the loss needs is
  // resolved by then; anything else does not influence it.
  NodeId gradient(NodeId loss, NodeId wrt) {
    const auto& found = sweep(loss);
    const NodeId target = resolved_.at(wrt);
    auto it = found.find(target);
    return it != found.end() ? it->second : filled(g, g[target].type, 0);
  }

  const IdMap<NodeId, NodeId>& sweep(NodeId loss) {
    if (auto it = swept_.find(loss); it != swept_.end()) return it->second;
    std::vector<NodeId> wrt;
    for (NodeId w : asked_[loss]) {
      if (auto it = resolved_.find(w); it != resolved_.end()) wrt.push_back(it->second);
    }
    return swept_.emplace(loss, adjoints(g, resolved_.at(loss), wrt)).first->second;
  }

  Graph& g;
  IdMap<NodeId, std::vector<NodeId>> asked_;  // by loss
  IdMap<NodeId, NodeId> resolved_;
  IdMap<ScalarId, ScalarId> scalars_;
  IdMap<NodeId, IdMap<NodeId, NodeId>> swept_;
};

}  // namespace

void check_gradients(const Graph& g, Diagnostics& diagnostics) {
  for (const Function& f : g.functions) {
    for (const Minimize& m : f.minimizes) {
      const std::unordered_set<NodeId> reached = gradient_reach(g, m.loss);
      for (NodeId p : m.parameters) {
        if (!reached.contains(p)) report_no_gradient(g, m.loss, p, m.span, diagnostics);
      }
    }
  }
}

void differentiate(Graph& g) { Resolver(g).run(); }

std::vector<NodeId> gradients(Graph& g, NodeId loss, const std::vector<NodeId>& wrt) {
  const auto found = adjoints(g, loss, wrt);
  std::vector<NodeId> result;
  for (NodeId w : wrt) {
    auto it = found.find(w);
    result.push_back(it != found.end() ? it->second : filled(g, g[w].type, 0));
  }
  return result;
}

}  // namespace gradc

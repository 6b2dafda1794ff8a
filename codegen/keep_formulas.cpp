// keep_formulas.cpp: what a training step keeps of products whose elements are only read in formulas.
#include "codegen/keep_formulas.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "codegen/index_roles.h"
#include "codegen/partition.h"
#include "codegen/schedule.h"

namespace gradc {
namespace {

bool is_leaf(const Node& n) {
  return n.kind == NodeKind::input || n.kind == NodeKind::parameter || n.kind == NodeKind::state || n.kind == NodeKind::constant;
}

bool reads_own_element(const Graph& g, const Scalar& read) {
  if (read.zero_outside) return false;
  for (std::uint32_t k = 0; k < read.args.size(); ++k)
    if (g[read.args[k]].kind != ScalarKind::index || g[read.args[k]].index != k) return false;
  return true;
}

bool reads(const Graph& g, ScalarId scalar, NodeId tensor) {
  bool found = false;
  for_each_read(g, scalar, [&](const Scalar& read) { found = found || read.tensor == tensor; });
  return found;
}

// It can be computed as soon as an element of the product is there.
bool is_formula_of(const Graph& g, ScalarId scalar, NodeId product) {
  bool own = true;
  for_each_read(g, scalar, [&](const Scalar& read) {
    own = own && (read.tensor == product ? reads_own_element(g, read) : is_leaf(g[read.tensor]));
  });
  return own;
}

// The largest parts of a scalar that read the product and are formulas of it.
void collect_formulas(const Graph& g, ScalarId scalar, NodeId product, std::set<ScalarId>& formulas) {
  if (!reads(g, scalar, product)) return;
  if (is_formula_of(g, scalar, product)) {
    formulas.insert(scalar);
    return;
  }
  for (ScalarId arg : g[scalar].args) collect_formulas(g, arg, product, formulas);
}

// The one costly formula of the product's elements that is to be stored in its place, if there is one.
std::optional<ScalarId> formula_to_keep(const Graph& g, NodeId product, const std::vector<NodeId>& readers,
                                        const std::set<NodeId>& forward) {
  if (!forward.contains(product)) return std::nullopt;
  bool followed = false;
  std::set<ScalarId> formulas;
  for (NodeId reader : readers) {
    const Node& n = g[reader];
    if (n.kind != NodeKind::comprehension || n.reduction != Reduction::none || n.type != g[product].type) return std::nullopt;
    if (!is_formula_of(g, n.body, product)) {
      collect_formulas(g, n.body, product, formulas);
      continue;
    }
    if (!forward.contains(reader)) return std::nullopt;
    followed = true;
  }
  if (!followed || formulas.size() != 1) return std::nullopt;
  const ScalarId formula = *formulas.begin();
  return g.facts(formula).costly ? std::optional(formula) : std::nullopt;
}

class Rewriter {
 public:
  Rewriter(Graph& g, std::map<ScalarId, NodeId> formulas) : g_(g), formulas_(std::move(formulas)) {}

  void rewrite(NodeId id) {
    Node n = g_[id];
    if (n.kind == NodeKind::comprehension) n.body = scalar(n.body);
    if (n.kind == NodeKind::reshape) n.operand = now(n.operand);
    const NodeId changed = n.kind == NodeKind::comprehension || n.kind == NodeKind::reshape ? g_.add(std::move(n)) : id;
    if (changed == id) return;
    result.now[id] = changed;
    const Label from = g_.label(id);
    Label& to = g_.label(changed);
    if (to.name.empty() && to.index_names.empty()) to = from;
  }

  KeptFormulas result;

 private:
  NodeId now(NodeId id) const {
    const auto it = result.now.find(id);
    return it == result.now.end() ? id : it->second;
  }

  ScalarId scalar(ScalarId id) {
    if (const auto done = done_.find(id); done != done_.end()) return done->second;
    Scalar s = g_[id];
    ScalarId changed = id;
    if (s.kind == ScalarKind::apply || s.kind == ScalarKind::read) {
      for (ScalarId& arg : s.args) arg = scalar(arg);
      if (s.kind == ScalarKind::read) s.tensor = now(s.tensor);
      changed = g_.add(std::move(s));
    }
    if (const auto kept = formulas_.find(id); kept != formulas_.end()) changed = stored(kept->second, changed);
    done_.emplace(id, changed);
    return changed;
  }

  // The element of a tensor that holds the formula.
  ScalarId stored(NodeId product, ScalarId formula) {
    const TensorType type = g_[product].type;
    const NodeId node = g_.comprehension(type.rank(), type.shape, Reduction::none, formula);
    result.kept[now(product)] = node;
    std::vector<ScalarId> subscripts;
    for (std::uint32_t k = 0; k < type.rank(); ++k) subscripts.push_back(g_.index(k));
    return g_.read(node, std::move(subscripts));
  }

  Graph& g_;
  std::map<ScalarId, NodeId> formulas_;  // and whose elements they are of
  IdMap<ScalarId, ScalarId> done_;
};

}  // namespace

KeptFormulas keep_formulas(Graph& g, const std::vector<NodeId>& outputs, const std::vector<NodeId>& roots,
                           const Target& target) {
  const std::vector<NodeId> order = topological_order(g, roots);
  std::set<NodeId> forward, wanted(roots.begin(), roots.end());
  for (NodeId id : topological_order(g, outputs)) forward.insert(id);
  std::map<NodeId, std::vector<NodeId>> readers;
  for (NodeId id : order) {
    const NodeKind kind = g[id].kind;
    if (kind == NodeKind::recurrence || kind == NodeKind::past) return {};
    for (NodeId operand : g.operands(id)) readers[operand].push_back(id);
  }
  std::map<ScalarId, NodeId> formulas;
  for (NodeId id : order) {
    const Node& n = g[id];
    if (n.kind != NodeKind::comprehension || n.reduction != Reduction::sum || wanted.contains(id)) continue;
    if (form_of(g, id, target) < Form::product) continue;
    if (const auto formula = formula_to_keep(g, id, readers[id], forward)) formulas.emplace(*formula, id);
  }
  if (formulas.empty()) return {};
  Rewriter rewriter(g, std::move(formulas));
  for (NodeId id : order) rewriter.rewrite(id);
  return std::move(rewriter.result);
}

}  // namespace gradc

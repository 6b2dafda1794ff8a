// formula.cpp: nodes of the graph as mathematics, for people.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "dsl/graph_names.h"
#include "dsl/graph_to_text.h"
#include "dsl/scalar_to_text.h"

namespace gradc {
namespace {

// Scalars of a body, each once.
std::vector<ScalarId> scalars_of(const Graph& g, ScalarId root) {
  std::vector<ScalarId> found{root};
  std::unordered_set<ScalarId> seen{root};
  for (std::size_t k = 0; k < found.size(); ++k) {
    for (ScalarId a : g[found[k]].args) {
      if (seen.insert(a).second) found.push_back(a);
    }
  }
  return found;
}

// How often the text of `body` would show an element of `tensor`, sharing within other tensors
// apart.
void count_reads(const Graph& g, ScalarId body, std::unordered_map<NodeId, int>& counts) {
  if (g[body].kind == ScalarKind::read) ++counts[g[body].tensor];
  for (ScalarId s : scalars_of(g, body)) {
    for (ScalarId a : g[s].args) {
      if (g[a].kind == ScalarKind::read) ++counts[g[a].tensor];
    }
  }
}

// The range of a reduction index goes without saying if the index alone subscripts an axis of that
// extent.
bool is_implied(const Graph& g, const Node& n, std::uint32_t index) {
  for (ScalarId id : scalars_of(g, n.body)) {
    const Scalar& s = g[id];
    if (s.kind != ScalarKind::read) continue;
    for (std::size_t k = 0; k < s.args.size(); ++k) {
      const Scalar& subscript = g[s.args[k]];
      if (subscript.kind == ScalarKind::index && subscript.index == index &&
          g[s.tensor].type.shape[k] == n.ranges[index]) {
        return true;
      }
    }
  }
  return false;
}

struct Writer {
  const Graph& g;
  NodeNames names;
  std::function<bool(NodeId)> shown_inline = {};

  std::string comprehension(NodeId id) const {
    const Node& n = g[id];
    const std::vector<std::string> words = name_indices(g, id, names);
    std::vector<ScalarText> indices;
    std::string free, bound;
    for (std::uint32_t k = 0; k < words.size(); ++k) {
      indices.push_back({words[k]});
      std::string& list = k < n.type.rank() ? free : bound;
      list += (list.empty() ? "" : ", ") + words[k];
      if (k >= n.type.rank() && !is_implied(g, n, k))
        list += " in " + range_to_text(g, n.ranges[k]);
    }
    const ScalarText body = ScalarToText{g, names, Notation::brief, shown_inline}(n.body, indices);
    std::string text = names.at(id);
    if (!free.empty()) text += "[" + free + "]";
    if (bound.empty()) return text + " = " + body.text;
    return fmt::format("{} = {}[{}] {}", text, name(n.reduction), bound, body.at_least(7));
  }

  std::string line(NodeId id) const {
    const Node& n = g[id];
    const std::string type = std::string(name(n.type.dtype)) + shape_to_text(g, n.type.shape);
    const std::string& local = names.at(id);
    switch (n.kind) {
      case NodeKind::input:
        return fmt::format("{}: {}, an input", n.name, type);
      case NodeKind::parameter:
        return fmt::format("{}: {}, a parameter", n.name, type);
      case NodeKind::state:
        return fmt::format("{}: {}, kept between calls", n.name, type);
      case NodeKind::constant:
        return fmt::format("{} = {}", local, constant(n));
      case NodeKind::random:
        return fmt::format("{} = {}({}, {}) like {}", local,
                           n.distribution == Distribution::normal ? "normal" : "uniform",
                           number_to_text(n.a, n.type.dtype, Notation::brief),
                           number_to_text(n.b, n.type.dtype, Notation::brief), type);
      case NodeKind::reshape:
        return fmt::format("{} = reshape({}, {})", local, names.at(n.operand),
                           shape_to_text(g, n.type.shape));
      case NodeKind::past:
        return fmt::format("{}: {}, as far as it is known", local, type);
      case NodeKind::recurrence: {
        std::string equations;
        for (const Equation& e : n.equations) {
          equations += fmt::format(", {} = {}", names.at(e.past), names.at(e.body));
        }
        return fmt::format("{} = {} where{}, step by step{}", local, names.at(n.operand),
                           equations.substr(1), n.backwards ? " from the end" : "");
      }
      case NodeKind::custom:
        return fmt::format("{} = {}, with a gradient of its own", local, names.at(n.operand));
      case NodeKind::gradient:
        return fmt::format("{} = grad({}, {})", local, names.at(n.operand), names.at(n.wrt));
      case NodeKind::comprehension:
        return comprehension(id);
    }
    return local;
  }

  std::string constant(const Node& n) const {
    constexpr std::size_t most = 8;
    std::string text;
    for (std::size_t k = 0; k < n.values.size() && k < most; ++k) {
      text += (k == 0 ? "" : ", ") + number_to_text(n.values[k], n.type.dtype, Notation::brief);
    }
    return "[" + text + (n.values.size() > most ? ", …]" : "]");
  }
};

bool is_leaf(const Node& n) {
  return n.kind == NodeKind::input || n.kind == NodeKind::parameter || n.kind == NodeKind::state;
}

}  // namespace

std::string equation(const Graph& g, NodeId id) {
  std::vector<NodeId> nodes = g.operands(id);
  for (const Equation& e : g[id].equations) nodes.push_back(e.past);
  nodes.push_back(id);
  return Writer{g, name_nodes(g, nodes)}.line(id);
}

std::string equation(const Graph& g, NodeId id, const NodeNames& names) {
  return Writer{g, names}.line(id);
}

std::string formula(const Graph& g, NodeId root) {
  const std::vector<NodeId> order = topological_order(g, {root});
  std::unordered_map<NodeId, int> reads;
  for (NodeId id : order) {
    if (g[id].kind == NodeKind::comprehension) count_reads(g, g[id].body, reads);
    if (g[id].kind != NodeKind::comprehension) {
      for (NodeId operand : g.operands(id)) reads[operand] += 2;
    }
  }
  // Shown in its user's line: what has no name, needs no sum, and is used once or short.
  constexpr std::size_t short_body = 3;
  std::unordered_set<NodeId> inlined, linked;  // linked: named by what is no formula
  for (NodeId id : order) {
    if (g[id].kind != NodeKind::recurrence) continue;
    for (NodeId operand : g.operands(id)) linked.insert(operand);
  }
  for (NodeId id : order) {
    const Node& n = g[id];
    if (id == root || n.kind != NodeKind::comprehension || n.reduction != Reduction::none) continue;
    if (!g.label(id).name.empty() || linked.contains(id)) continue;
    const auto uses = reads.find(id);
    if (uses != reads.end() && uses->second == 1) inlined.insert(id);
    const std::vector<NodeId> operands = g.operands(id);
    const bool reads_inlined = std::any_of(operands.begin(), operands.end(),
                                           [&](NodeId read) { return inlined.contains(read); });
    if (!reads_inlined && scalars_of(g, n.body).size() <= short_body) inlined.insert(id);
  }
  std::vector<NodeId> shown;
  for (NodeId id : order) {
    if (!inlined.contains(id)) shown.push_back(id);
  }
  Writer writer{g, name_nodes(g, shown), [&](NodeId id) { return inlined.contains(id); }};
  std::string text = writer.line(root);
  for (auto it = shown.rbegin(); it != shown.rend(); ++it) {
    if (*it != root && !is_leaf(g[*it])) text += "\n  " + writer.line(*it);
  }
  return text;
}

}  // namespace gradc

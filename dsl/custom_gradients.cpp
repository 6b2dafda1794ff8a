// custom_gradients.cpp: custom gradients where differences are taken.
#include "dsl/custom_gradients.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "dsl/adjoints.h"
#include "dsl/recurrence.h"
#include "dsl/replace_nodes.h"

namespace gradc {
namespace {

NodeId new_input(Graph& g, const std::string& name, const TensorType& type) {
  Node n;
  n.kind = NodeKind::input;
  n.name = name;
  n.type = type;
  return g.add(std::move(n));
}

std::vector<ScalarId> own_indices(Graph& g, std::size_t rank) {
  std::vector<ScalarId> at;
  for (std::uint32_t k = 0; k < rank; ++k) at.push_back(g.index(k));
  return at;
}

// The sum of the products of the elements of two tensors of one type.
NodeId inner_product(Graph& g, NodeId a, NodeId b, DType dtype) {
  const TensorType type = g[a].type;
  const std::vector<ScalarId> at = own_indices(g, type.rank());
  const ScalarId product =
      g.apply(Fn::mul, {g.cast(g.read(a, at), dtype), g.cast(g.read(b, at), dtype)});
  return g.comprehension(0, type.shape, type.rank() == 0 ? Reduction::none : Reduction::sum, product);
}

NodeId sum(Graph& g, NodeId a, NodeId b) {
  const TensorType type = g[a].type;
  const std::vector<ScalarId> at = own_indices(g, type.rank());
  return g.comprehension(type.rank(), type.shape, Reduction::none,
                         g.apply(Fn::add, {g.read(a, at), g.read(b, at)}));
}

Array zeros(const Graph& g, const TensorType& type, const Environment& environment) {
  Array a;
  std::size_t count = 1;
  for (const Extent& e : type.shape) {
    a.shape.push_back(e.is_fixed() ? e.offset : e.offset + e.scale * environment.dims.at(g.dim(e.dim).name));
    count *= static_cast<std::size_t>(a.shape.back());
  }
  a.data.assign(count, 0);
  return a;
}

std::vector<NodeId> outside_of_loops(Graph& g, const std::vector<NodeId>& of, std::vector<NodeId> values) {
  for (const Loop& loop : find_loops(g, topological_order(g, of))) values = outside(g, loop, values);
  return values;
}

}  // namespace

NodeId freeze_custom(Graph& g, NodeId root, Environment& environment) {
  // What reaches a custom is the gradient of a number added to it.
  struct Custom {
    NodeId before, node, shift;
  };
  std::vector<Custom> customs;
  const NodeId shifted = rebuild_nodes(g, {root}, [&](NodeId before, NodeId id) {
    if (g[id].kind != NodeKind::custom) return id;
    const std::string name = fmt::format("shift of custom {}", customs.size());
    const TensorType type = g[id].type;
    environment.values[name] = zeros(g, type, environment);
    customs.push_back({before, id, new_input(g, name, type)});
    return sum(g, id, customs.back().shift);
  })[0];
  if (customs.empty()) return root;
  std::vector<NodeId> shifts;
  for (const Custom& c : customs) shifts.push_back(c.shift);
  const auto cotangents = adjoints(g, shifted, shifts);

  std::vector<NodeId> values, inputs;  // of all customs; of those that a cotangent reaches
  for (const Custom& c : customs) values.push_back(c.node);
  for (const Custom& c : customs) {
    const auto cotangent = cotangents.find(c.shift);
    if (cotangent == cotangents.end()) continue;
    const Node& n = g[c.node];
    for (const Pull& p : n.pulls) {
      values.push_back(
          replace_nodes(g, {p.value}, {{n.result, c.node}, {n.cotangent, cotangent->second}})[0]);
    }
    for (const Pull& p : g[c.before].pulls) inputs.push_back(p.to);
  }
  std::vector<Array> arrays = interpret(g, outside_of_loops(g, {shifted}, values), environment);

  std::vector<NodeId> held;
  for (std::size_t k = 0; k < arrays.size(); ++k) {
    const std::string name = fmt::format("custom value {}", k);
    held.push_back(new_input(g, name, g[values[k]].type));
    environment.values[name] = std::move(arrays[k]);
  }
  std::vector<NodeId> frozen = inputs;
  frozen.push_back(root);
  frozen = rebuild_nodes(g, frozen, [&](NodeId before, NodeId id) {
    for (std::size_t k = 0; k < customs.size(); ++k) {
      if (customs[k].before == before) return held[k];
    }
    return id;
  });
  frozen = outside_of_loops(g, frozen, frozen);
  NodeId total = frozen.back();
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    total = sum(g, total, inner_product(g, held[customs.size() + k], frozen[k], g[root].type.dtype));
  }
  return total;
}

std::vector<GivenGradient> given_gradients(Graph& g, const std::vector<NodeId>& roots) {
  std::vector<GivenGradient> result;
  std::set<std::string> seen;
  for (NodeId id : topological_order(g, roots)) {
    if (g[id].kind != NodeKind::custom) continue;
    const Node& n = g[id];
    const std::string& name = g[n.cotangent].name;
    GivenGradient given{name.substr(0, name.find('.')), g.label(n.result).name, {}, {}, {}};
    std::string key = name.substr(0, name.find(' '));
    IdMap<NodeId, NodeId> by;
    for (const Pull& p : n.pulls) {
      const std::string input = g.label(p.to).name.empty() ? g[p.to].name : g.label(p.to).name;
      given.inputs.push_back(
          new_input(g, fmt::format("{} of custom {}", input, id.value), g[p.to].type));
      g.label(given.inputs.back()).name = input;
      by[p.to] = given.inputs.back();
      key += fmt::format(" {}", static_cast<int>(g[p.to].type.dtype));
      for (const Extent& e : g[p.to].type.shape) key += fmt::format(",{}+{}*{}", e.offset, e.scale, e.dim.value);
    }
    if (!seen.insert(key).second) continue;
    const NodeId value = replace_nodes(g, {n.operand}, by)[0];
    const NodeId weights = new_input(g, fmt::format("d{} of custom {}", given.result, id.value), n.type);
    given.loss = inner_product(g, value, weights, DType::f64);
    by[n.result] = value;
    by[n.cotangent] = weights;
    for (const Pull& p : n.pulls) given.gradients.push_back(replace_nodes(g, {p.value}, by)[0]);
    // What depends on another time by more than its inputs is no function of those.
    std::vector<NodeId> all = given.gradients;
    all.push_back(given.loss);
    const std::vector<NodeId> order = topological_order(g, all);
    const bool alone = std::none_of(order.begin(), order.end(), [&](NodeId node) {
      return g[node].kind == NodeKind::past;
    });
    if (alone) result.push_back(std::move(given));
  }
  return result;
}

}  // namespace gradc

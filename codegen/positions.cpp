// positions.cpp: see positions.h.
#include "codegen/positions.h"

#include <algorithm>

#include "dsl/seen_scalars.h"

namespace gradc {
namespace {

using Limits = std::map<std::string, std::int64_t>;

// The input a subscript is an element of, or an invalid id.
NodeId input_read(const Graph& graph, ScalarId id) {
  const Scalar& scalar = graph[id];
  if (scalar.kind == ScalarKind::apply && scalar.fn == Fn::cast)
    return input_read(graph, scalar.args[0]);
  if (scalar.kind != ScalarKind::read) return {};
  // A reshaped or copied input is still that input.
  NodeId tensor = scalar.tensor;
  while (graph[tensor].kind == NodeKind::reshape) tensor = graph[tensor].operand;
  return graph[tensor].kind == NodeKind::input ? tensor : NodeId{};
}

void collect(const Graph& graph, ScalarId root, SeenScalars& seen, Limits& limits) {
  std::vector<ScalarId> todo{root};
  while (!todo.empty()) {
    const ScalarId id = todo.back();
    todo.pop_back();
    if (!graph.facts(id).reads || !seen.insert(id)) continue;
    const Scalar& scalar = graph[id];
    todo.insert(todo.end(), scalar.args.begin(), scalar.args.end());
    if (scalar.kind != ScalarKind::read || scalar.zero_outside) continue;
    for (std::size_t k = 0; k < scalar.args.size(); ++k) {
      const NodeId input = input_read(graph, scalar.args[k]);
      if (!input.valid() || graph[input].type.dtype != DType::i32) continue;
      const Extent& extent = graph[scalar.tensor].type.shape[k];
      // A run-time extent bounds the position by its own size; the least it can be is for size 1.
      const std::int64_t count = max_extent(graph, extent);
      auto [place, added] = limits.try_emplace(graph[input].name, count);
      if (!added) place->second = std::min(place->second, count);
    }
  }
}

}  // namespace

std::map<std::string, std::map<std::string, std::int64_t>> position_limits(const Graph& graph) {
  std::map<std::string, Limits> all;
  for (const Function& function : graph.functions) {
    if (function.kind == FunctionKind::init) continue;
    Limits limits;
    SeenScalars seen;
    for (const NodeId id : topological_order(graph, roots_of(function)))
      if (graph[id].kind == NodeKind::comprehension) collect(graph, graph[id].body, seen, limits);
    if (!limits.empty()) all.emplace(function.name, std::move(limits));
  }
  return all;
}

}  // namespace gradc

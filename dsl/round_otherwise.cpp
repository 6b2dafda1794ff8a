// round_otherwise.cpp: a small factor at every operation.
#include "dsl/round_otherwise.h"

#include <cmath>
#include <random>

#include "dsl/rewrite_scalars.h"

namespace gradc {
namespace {

bool rounds(const Scalar& s) {
  if (!is_float(s.dtype)) return false;
  if (s.kind == ScalarKind::read) return true;  // of what may have been stored
  if (s.kind != ScalarKind::apply) return false;
  switch (s.fn) {
    case Fn::neg:
    case Fn::abs:
    case Fn::sign:
    case Fn::floor:
    case Fn::ceil:
    case Fn::round:
    case Fn::max:
    case Fn::min:
    case Fn::select:
    case Fn::detach:
    case Fn::cast:
      return false;
    default:
      return true;
  }
}

// 6e-8 times twice the root of how many are summed: each addition rounds, mostly not all in one direction.
ScalarId sum_rounds(Graph& graph, const ScalarPlace& place, ScalarId id, bool up) {
  const DType dtype = graph[id].dtype;
  ScalarId count = graph.literal(1, dtype);
  for (std::size_t k = place.rank; k < place.ranges.size(); ++k) {
    count = graph.apply(Fn::mul, {count, graph.cast(graph.size(place.ranges[k]), dtype)});
  }
  const ScalarId off = graph.apply(Fn::mul, {graph.literal(up ? 1.2e-7 : -1.2e-7, dtype), graph.apply(Fn::sqrt, {count})});
  return graph.apply(Fn::mul, {id, graph.apply(Fn::add, {graph.literal(1, dtype), off})});
}

}  // namespace

std::vector<Graph> rounded_otherwise(const Graph& g) {
  std::vector<Graph> result;
  // Each sum is off in a direction of its own: two that cancel show what is lost where their directions differ, in one of
  // ten graphs but for one pair in a thousand.
  for (std::uint32_t k = 0; k < 10; ++k) {
    std::mt19937 drawn(k);
    result.push_back(g);
    rewrite_scalars(result.back(), [&](Graph& graph, const ScalarPlace& place, ScalarId id) {
      if (place.summed) return is_float(graph[id].dtype) ? sum_rounds(graph, place, id, drawn() % 2 == 0) : id;
      if (!rounds(graph[id])) return id;
      return waved(graph, id, 2e-7, drawn() % 1000, place.ranges.size());
    });
  }
  return result;
}

}  // namespace gradc

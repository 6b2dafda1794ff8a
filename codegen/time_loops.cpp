// time_loops.cpp: the loops along time of a function, and what is computed in them.
#include "codegen/time_loops.h"

#include <algorithm>
#include <unordered_set>

namespace gradc {

namespace {

bool holds_time(const Graph& g, ScalarId id, DimId time, std::unordered_set<ScalarId>& seen) {
  if (!seen.insert(id).second) return false;
  const Scalar& s = g[id];
  if (s.kind == ScalarKind::size && s.extent.dim == time) return true;
  return std::any_of(s.args.begin(), s.args.end(),
                     [&](ScalarId a) { return holds_time(g, a, time, seen); });
}

}  // namespace

std::vector<TimeLoop> find_time_loops(const Graph& g, const std::vector<NodeId>& roots) {
  std::vector<TimeLoop> loops;
  for (NodeId id : topological_order(g, roots)) {
    const Node& n = g[id];
    if (n.kind != NodeKind::recurrence) continue;
    const DimId time = n.ranges[0].dim;
    auto loop = std::find_if(loops.begin(), loops.end(), [&](const TimeLoop& l) { return l.time == time; });
    if (loop == loops.end()) {
      loop = loops.insert(loops.end(), {time, n.type.shape[n.stream], n.backwards, {}, {}});
    }
    loop->results.push_back(id);
  }
  for (TimeLoop& loop : loops) {
    for (const Equation& e : g[loop.results[0]].equations) {
      if (!e.past.valid()) continue;
      NodeId memory = e.past;
      for (NodeId result : loop.results) {
        if (g[result].operand == e.body) memory = result;
      }
      loop.pasts.emplace_back(e.past, memory);
    }
  }
  return loops;
}

std::map<NodeId, std::uint32_t> loops_of(const Graph& g, const std::vector<NodeId>& order,
                                         const std::vector<TimeLoop>& loops) {
  std::map<NodeId, std::uint32_t> loop_of;
  for (std::uint32_t k = 0; k < loops.size(); ++k) {
    for (NodeId result : loops[k].results) loop_of[result] = k + 1;
    for (const auto& [past, memory] : loops[k].pasts) loop_of[past] = k + 1;
  }
  for (NodeId id : order) {
    const Node& n = g[id];
    if (n.kind != NodeKind::comprehension) continue;
    const auto& reads = g.operands(id);
    for (std::uint32_t k = 0; k < loops.size(); ++k) {
      std::unordered_set<ScalarId> seen;
      const bool inside = holds_time(g, n.body, loops[k].time, seen) ||
                          std::any_of(reads.begin(), reads.end(), [&](NodeId read) {
                            const auto of = loop_of.find(read);
                            return g[read].kind != NodeKind::recurrence && of != loop_of.end() &&
                                   of->second == k + 1;
                          });
      if (inside) loop_of[id] = k + 1;
    }
  }
  return loop_of;
}

}  // namespace gradc

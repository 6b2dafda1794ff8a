// recurrence.cpp: what a recurrence computes step by step along time, and in what order.
#include "dsl/recurrence.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "dsl/bounds.h"
#include "dsl/check.h"
#include "dsl/seen_scalars.h"

namespace gradc {
namespace {

void collect_reads(const Graph& g, ScalarId id, SeenScalars& seen, std::vector<ScalarId>& reads) {
  const Scalar& s = g[id];
  if (!g.facts(id).reads || !seen.insert(id)) return;
  if (s.kind == ScalarKind::read) reads.push_back(id);
  for (ScalarId a : s.args) collect_reads(g, a, seen, reads);
}

class LoopFinder {
 public:
  LoopFinder(const Graph& graph, const std::vector<NodeId>& order) : g(graph), order_(order) {}

  std::vector<Loop> run() {
    for (NodeId id : order_) {
      if (g[id].kind == NodeKind::recurrence) add_result(id);
    }
    if (loops_.empty()) return {};
    for (NodeId id : order_) {
      if (g[id].kind == NodeKind::comprehension) add_step(id);
      if (g[id].kind == NodeKind::custom) add_custom(id);
      if (g[id].kind == NodeKind::reshape && loop_of_.contains(g[id].operand)) {
        complain(loop_of_.at(g[id].operand), "a step is reshaped");
      }
    }
    for (Loop& loop : loops_) check_equations(loop);
    return std::move(loops_);
  }

 private:
  void complain(std::size_t loop, std::string what) {
    if (loops_[loop].problem.empty()) loops_[loop].problem = std::move(what);
  }

  void add_result(NodeId id) {
    const Node& n = g[id];
    const auto known = loop_of_.find(n.equations.front().past);
    if (known != loop_of_.end()) {
      Loop& loop = loops_[known->second];
      loop.results.push_back(id);
      if (loop.equations != n.equations || loop.backwards != n.backwards) {
        complain(known->second, "its results have different equations");
      }
      return;
    }
    for (const Equation& e : n.equations) loop_of_[e.past] = loops_.size();
    loops_.push_back({n.equations, n.backwards, {}, {id}, {}, {}});
    for (const Equation& e : n.equations) loops_.back().time[e.past] = e.time;
  }

  // A comprehension that reads a past or a step is one.
  void add_step(NodeId id) {
    const Node& n = g[id];
    std::vector<ScalarId> reads;
    SeenScalars seen;
    collect_reads(g, n.body, seen, reads);
    std::optional<std::size_t> of;
    std::optional<std::uint32_t> time;
    for (ScalarId read : reads) {
      const NodeId tensor = g[read].tensor;
      const auto known = loop_of_.find(tensor);
      if (known == loop_of_.end()) continue;
      if (of && *of != known->second) complain(*of, "one recurrence stands in another");
      of = known->second;
      Loop& loop = loops_[*of];
      const auto at = time_of(g[read].args[loop.time.at(tensor)], loop,
                              g[tensor].kind == NodeKind::past);
      if (!at || *at >= n.type.rank() || (time && *time != *at)) {
        complain(*of, fmt::format("node {} reads node {} at another time than one before", id.value,
                                  tensor.value));
        return;
      }
      time = at;
    }
    if (!of) return;
    loop_of_[id] = *of;
    loops_[*of].steps.push_back(id);
    loops_[*of].time[id] = *time;
  }

  // All that it links has its indices.
  void add_custom(NodeId id) {
    for (NodeId operand : g.operands(id)) {
      const auto known = loop_of_.find(operand);
      if (known == loop_of_.end() || g[operand].kind == NodeKind::past) continue;
      const std::size_t of = known->second;
      if (loop_of_.emplace(id, of).second) {
        loops_[of].steps.push_back(id);
        loops_[of].time[id] = loops_[of].time.at(operand);
      } else if (loop_of_.at(id) != of || loops_[of].time.at(id) != loops_[of].time.at(operand)) {
        complain(of, "a custom gradient goes across times");
      }
    }
  }

  // The index of time in a subscript: by itself, or of a past with what takes it back.
  std::optional<std::uint32_t> time_of(ScalarId subscript, const Loop& loop, bool of_past) const {
    Affine a;
    if (!as_affine(g, subscript, a) || !a.sizes.empty()) return std::nullopt;
    const std::int64_t back = loop.backwards ? a.constant : -a.constant;
    if (of_past ? back < 1 : back != 0) return std::nullopt;
    return only_index(a);
  }

  void check_equations(Loop& loop) {
    const Equation& first = loop.equations.front();
    for (const Equation& e : loop.equations) {
      const TensorType& type = g[e.past].type;
      auto problem = [&](const char* what) {
        if (loop.problem.empty()) loop.problem = what;
      };
      if (g[e.past].kind != NodeKind::past) problem("an equation defines no past");
      if (g[e.body].type != type) problem("an equation differs from its past in type");
      if (e.time >= type.rank() || type.shape[e.time] != g[first.past].type.shape[first.time]) {
        problem("its equations have different times");
      } else if (loop.contains(e.body) && loop.time.at(e.body) != e.time) {
        problem("time is another axis of an equation than of its past");
      }
    }
  }

  const Graph& g;
  const std::vector<NodeId>& order_;
  std::vector<Loop> loops_;
  std::unordered_map<NodeId, std::size_t> loop_of_;  // pasts and steps
};

}  // namespace

std::vector<Loop> find_loops(const Graph& g, const std::vector<NodeId>& order) {
  return LoopFinder(g, order).run();
}

std::vector<NodeId> order_by_loops(const Graph& g, const std::vector<NodeId>& order,
                                   const std::vector<Loop>& loops) {
  std::vector<std::vector<NodeId>> groups;
  for (const Loop& loop : loops) {
    groups.push_back(loop.steps);
    groups.back().insert(groups.back().end(), loop.results.begin(), loop.results.end());
  }
  return order_by_groups(g, order, groups);
}

std::vector<NodeId> order_by_groups(const Graph& g, const std::vector<NodeId>& order,
                                    const std::vector<std::vector<NodeId>>& groups) {
  if (groups.empty()) return order;
  std::unordered_map<NodeId, std::size_t> group_of;
  for (std::size_t k = 0; k < groups.size(); ++k) {
    for (NodeId id : groups[k]) group_of[id] = k;
  }
  // Units that are ordered as a whole: a group, or a node; the earliest that may come next does.
  std::vector<std::vector<NodeId>> units;
  std::unordered_map<NodeId, std::size_t> unit_of;
  std::vector<std::optional<std::size_t>> unit_of_group(groups.size());
  for (NodeId id : order) {
    const auto group = group_of.find(id);
    if (group == group_of.end()) {
      unit_of[id] = units.size();
      units.push_back({id});
      continue;
    }
    auto& unit = unit_of_group[group->second];
    if (!unit) {
      unit = units.size();
      units.push_back(groups[group->second]);
    }
    unit_of[id] = *unit;
  }
  std::vector<std::set<std::size_t>> needs(units.size()), users(units.size());
  std::set<std::size_t> ready;
  for (std::size_t unit = 0; unit < units.size(); ++unit) {
    for (NodeId id : units[unit]) {
      for (NodeId operand : g.operands(id)) {
        if (unit_of.at(operand) == unit) continue;
        needs[unit].insert(unit_of.at(operand));
        users[unit_of.at(operand)].insert(unit);
      }
    }
    if (needs[unit].empty()) ready.insert(unit);
  }
  std::vector<NodeId> result;
  while (!ready.empty()) {
    const std::size_t unit = *ready.begin();
    ready.erase(ready.begin());
    result.insert(result.end(), units[unit].begin(), units[unit].end());
    for (std::size_t user : users[unit]) {
      needs[user].erase(unit);
      if (needs[user].empty()) ready.insert(user);
    }
  }
  GRADC_CHECK(result.size() == order.size(), "recurrences wait for each other");
  return result;
}

std::vector<Equation> needed_equations(const Graph& g, const Loop& loop) {
  std::vector<NodeId> queue;
  std::unordered_set<NodeId> needed;
  auto need = [&](NodeId id) {
    if (loop.contains(id) && needed.insert(id).second) queue.push_back(id);
  };
  for (NodeId result : loop.results) need(g[result].operand);
  for (std::size_t k = 0; k < queue.size(); ++k) {
    for (const Equation& e : loop.equations) {
      if (e.past == queue[k]) need(e.body);
    }
    for (NodeId operand : g.operands(queue[k])) need(operand);
  }
  std::vector<Equation> equations;
  for (const Equation& e : loop.equations) {
    if (needed.contains(e.past)) equations.push_back(e);
  }
  return equations;
}

NodeId recurrence(Graph& g, NodeId operand, const std::vector<Equation>& equations, bool backwards) {
  Node n;
  n.kind = NodeKind::recurrence;
  n.type = g[operand].type;
  n.operand = operand;
  n.equations = equations;
  n.backwards = backwards;
  const NodeId result = g.add(std::move(n));
  if (g.label(result).name.empty()) g.label(result) = g.label(operand);
  return result;
}

NodeId result_of(Graph& g, const Loop& loop, NodeId operand) {
  for (const Equation& e : loop.equations) {
    if (e.past == operand) operand = e.body;
  }
  return loop.contains(operand) ? recurrence(g, operand, loop.equations, loop.backwards) : operand;
}

std::vector<NodeId> outside(Graph& g, const Loop& loop, const std::vector<NodeId>& roots) {
  IdMap<NodeId, NodeId> nodes;
  IdMap<ScalarId, ScalarId> scalars;
  for (NodeId id : topological_order(g, roots)) {
    if (loop.contains(id)) {
      nodes[id] = result_of(g, loop, id);
      continue;
    }
    Node n = g[id];
    const bool own = n.kind == NodeKind::recurrence && loop.contains(n.equations.front().past);
    if (!own) {
      for_each_link(n, [&](NodeId& operand) { operand = nodes.at(operand); });
      if (n.body.valid()) n.body = with_tensors(g, n.body, nodes, scalars);
    }
    const NodeId now = nodes[id] = g.add(std::move(n));
    if (now != id && g.label(now).name.empty()) g.label(now) = g.label(id);
  }
  std::vector<NodeId> result;
  for (NodeId root : roots) result.push_back(nodes.at(root));
  return result;
}

}  // namespace gradc
